package synthetic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// TestMain says what was left out.
func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// A made-up closure has the files it says, each as long as it says, and no two alike.
func TestNew(t *testing.T) {
	shape := Shape{Paths: 7, Files: 1500, Bytes: 300 << 20}
	c, err := codec.New(codec.Settings{Name: codec.LZ4}, codec.DefaultBlockSize)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := squashfs.NewTree(t.Context(), New(shape))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Files != shape.Files+1 {
		t.Errorf("%d files, want %d", tree.Files, shape.Files+1)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum, err := tree.Write(t.Context(), f, squashfs.Options{Codec: c, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if sum.DuplicateFiles != 0 || sum.SparseBytes != 172<<20 { // of 300 MiB those from 0 to 64, 128 to 192 and 256 to 300
		t.Errorf("%d files are equal, %d bytes are zeros", sum.DuplicateFiles, sum.SparseBytes)
	}
	judge.Run(t, "squashfs-tools", "unsquashfs", "-stat", f.Name())
}

// What is read of a large file does not depend on where the reader begins, and comes again.
func TestLargeContent(t *testing.T) {
	content := largeContent{New(Shape{Paths: 1, Files: 1}).(*synthetic).text}
	piece := func(off int64, size int) string {
		b := make([]byte, size)
		if _, err := content.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	begin := int64(stripe - 1<<20) // zeros, and then text
	whole := piece(begin, 4<<20)
	if whole[:1<<20] != strings.Repeat("\x00", 1<<20) || whole[2<<20:3<<20] == whole[3<<20:] {
		t.Error("zeros and text are not where they belong")
	}
	if whole[1<<20:3<<20] != piece(begin+1<<20, 2<<20) || whole != piece(begin+repeated, 4<<20) {
		t.Error("a piece of it is another when it is read by itself, or later")
	}
}
