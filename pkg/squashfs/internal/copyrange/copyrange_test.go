package copyrange

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// outer writes to a file from an offset on.
type outer struct {
	w      io.WriterAt
	offset int64
}

func (o outer) WriteAt(p []byte, at int64) (int, error) { return o.w.WriteAt(p, o.offset+at) }
func (o outer) Outer() (io.WriterAt, int64)             { return o.w, o.offset }

func TestCopy(t *testing.T) {
	contents := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	from := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(from, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(filepath.Join(t.TempDir(), "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()

	const size, start, skip = 50_000, 1001, 77
	w := outer{outer{dst, 3000}, 96}
	r := io.NewSectionReader(io.NewSectionReader(src, start, 60_000), skip, size)
	if !IsFile(w) {
		t.Error("a writer to a file is none")
	}
	done := Copy(w, 7, r, 11, size-11)
	if done < 0 || done > size-11 {
		t.Fatalf("%d of %d bytes copied", done, size-11)
	}
	got := make([]byte, done)
	if n, err := dst.ReadAt(got, 3000+96+7); n < len(got) {
		t.Fatal(err)
	}
	if want := contents[start+skip+11:][:done]; !bytes.Equal(got, want) {
		t.Error("other bytes")
	}
	if IsFile(outer{}) || Copy(outer{}, 0, r, 0, 10) != 0 || Copy(w, 0, bytes.NewReader(contents), 0, 10) != 0 {
		t.Error("what is no file is taken for one")
	}
	// More than there is.
	if done := Copy(w, 0, src, int64(len(contents))-5, 100); done > 5 {
		t.Errorf("%d bytes copied from 5", done)
	}
}
