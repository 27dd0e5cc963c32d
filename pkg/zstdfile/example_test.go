package zstdfile_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/livebuild/livebuild/pkg/zstdfile"
)

// A file with a head that is known last.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "file.zst"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	head := zstdfile.Part{Offset: 0, Size: 8}
	w, err := zstdfile.NewWriter(f, []zstdfile.Part{head}, 0)
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.WriteString(io.NewOffsetWriter(w, head.Size), "the contents")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprintf(io.NewOffsetWriter(w, 0), "%6d: ", n); err != nil {
		log.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		log.Fatal(err)
	}

	r, err := zstd.NewReader(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", content)
	// Output:     12: the contents
}
