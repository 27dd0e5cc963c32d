package squashfs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Every case sits at a limit of the format.
func TestLimits(t *testing.T) {
	pattern := []byte(strings.Repeat("0123456789abcdef", 9*MaxBlockSize/16))
	tests := []struct {
		name      string
		blockSize int
		fill      func(t *testing.T, dir string)
	}{
		{"nothing at all", 0, func(t *testing.T, dir string) {}},
		{"one empty file", 0, func(t *testing.T, dir string) { write(t, dir, "empty", nil, 0o444) }},
		{"around the block size", 0, func(t *testing.T, dir string) {
			for _, n := range []int{1, MaxBlockSize - 1, MaxBlockSize, MaxBlockSize + 1, 2*MaxBlockSize - 1, 2 * MaxBlockSize} {
				write(t, dir, fmt.Sprint(n), pattern[:n], 0o444)
			}
		}},
		{"a fragment block filled to its last byte", 0, func(t *testing.T, dir string) {
			for i := range 5 {
				write(t, dir, fmt.Sprint(i), pattern[i:i+MaxBlockSize/4], 0o444)
			}
		}},
		// SQUASHFS_DIR_COUNT: 256 entries to a header; symlink inodes are
		// small enough for more than that to lie in one metadata block.
		{"256 links", 0, func(t *testing.T, dir string) { makeLinks(t, dir, 256) }},
		{"257 links", 0, func(t *testing.T, dir string) { makeLinks(t, dir, 257) }},
		{"513 links", 0, func(t *testing.T, dir string) { makeLinks(t, dir, 513) }},
		// dirInode.FileSize has 16 bits, less dirSizeExtra.
		{"listing of 64 KiB less four bytes", 0, func(t *testing.T, dir string) { makeListing(t, dir, math.MaxUint16-disk.DirSizeExtra) }},
		{"listing of 64 KiB less three bytes", 0, func(t *testing.T, dir string) { makeListing(t, dir, math.MaxUint16-disk.DirSizeExtra+1) }},
		{"listing of 256 KiB", 0, func(t *testing.T, dir string) { makeListing(t, dir, 256<<10) }},
		// A listing that ends, and one that begins, at the edge of a block.
		{"listing of one metadata block", 0, func(t *testing.T, dir string) { makeListing(t, dir, disk.MetadataSize) }},
		{"listings around metadata blocks", 0, func(t *testing.T, dir string) {
			for i := range 16 {
				makeListing(t, filepath.Join(dir, fmt.Sprint(i)), disk.MetadataSize-8+i)
			}
		}},
		// dirEntry.InodeDelta is an int16.
		{"32,768 inodes between two siblings", 0, func(t *testing.T, dir string) {
			write(t, dir, "a", nil, 0o444)
			makeLinks(t, filepath.Join(dir, "b"), math.MaxInt16)
			write(t, dir, "c", nil, 0o444)
		}},
		{"block list longer than a metadata block", MinBlockSize, func(t *testing.T, dir string) {
			write(t, dir, "list", pattern[:disk.MetadataSize/disk.BlockSizeSize*MinBlockSize+1], 0o444)
			write(t, dir, "next", pattern[:10], 0o444)
		}},
		// fileInode.FileSize has 32 bits.
		{"sparse files around 4 GiB", 0, func(t *testing.T, dir string) {
			for _, size := range []int64{math.MaxUint32, math.MaxUint32 + 1, math.MaxUint32 + 2, 5_000_000_000} {
				sparse(t, filepath.Join(dir, fmt.Sprint(size)), size)
			}
		}},
		{"more fragments than a metadata block of the table holds", MinBlockSize, func(t *testing.T, dir string) {
			for i := range 2*disk.MetadataSize/disk.FragmentEntrySize + 1 {
				write(t, dir, fmt.Sprint(i), pattern[i:i+MinBlockSize-1-i%7], 0o444)
			}
		}},
		{"names of every length", 0, func(t *testing.T, dir string) {
			for n := 1; n < disk.NameMax; n++ {
				write(t, dir, strings.Repeat("n", n), nil, 0o444)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := t.TempDir()
			tt.fill(t, src)
			opts := testOptions
			opts.Codec = newCodec(t, "lz4", tt.blockSize)
			image, _ := writeImage(t, dirEntries(t, src), opts)
			mount := mountImage(t, image)
			if strings.Contains(tt.name, "4 GiB") {
				compareSparse(t, src, mount)
				return
			}
			compareTrees(t, src, mount)
			if strings.Contains(tt.name, "32,768") {
				judge.Run(t, "squashfs-tools", "unsquashfs", "-lln", image) // unpacking takes long
				return
			}
			compareTrees(t, src, unsquash(t, image))
			compareTrees(t, src, rdsquash(t, image))
		})
	}
}

func makeLinks(t *testing.T, dir string, n int) {
	for i := range n {
		link(t, dir, fmt.Sprintf("%06d", i), "t")
	}
}

// makeListing makes empty files in dir whose listing takes size bytes.
func makeListing(t *testing.T, dir string, size int) {
	const nameLen = 200
	var children []disk.Child
	for i := 0; ; i++ {
		children = append(children, disk.Child{Name: fmt.Sprintf("%04d", i) + strings.Repeat("n", nameLen-4)})
		if len(children)*nameLen < size/10*9 {
			continue // far from it; headers take a tenth at most
		}
		if rest := int(disk.ListingSize(children, 0)) - size; rest >= 0 {
			last := &children[len(children)-1]
			last.Name = last.Name[:max(4, len(last.Name)-rest)]
			break
		}
	}
	for _, c := range children {
		write(t, dir, c.Name, nil, 0o444)
	}
}

// sparse makes a file with a few bytes in the middle and at its end.
func sparse(t *testing.T, path string, size int64) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, offset := range []int64{size / 2, size - 3} {
		if _, err := f.WriteAt([]byte("end"), offset); err != nil {
			t.Fatal(err)
		}
	}
}

// compareSparse compares sparse files without reading all their zeros.
func compareSparse(t *testing.T, want, got string) {
	for _, name := range names(t, want) {
		w, err := os.Open(filepath.Join(want, name))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		g, err := os.Open(filepath.Join(got, name))
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		wi, _ := w.Stat()
		gi, _ := g.Stat()
		if wi.Size() != gi.Size() {
			t.Errorf("%s has %d bytes, want %d", name, gi.Size(), wi.Size())
			continue
		}
		for _, offset := range []int64{0, wi.Size()/2 - 10, wi.Size() - MaxBlockSize - 10} {
			a, b := make([]byte, MaxBlockSize+10), make([]byte, MaxBlockSize+10)
			n, _ := w.ReadAt(a, offset)
			m, _ := g.ReadAt(b, offset)
			if string(a[:n]) != string(b[:m]) {
				t.Errorf("%s has other contents at %d", name, offset)
			}
		}
	}
}
