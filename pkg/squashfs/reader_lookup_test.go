package squashfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// wide makes images with many directories in one, and returns their names.
func wide(t testing.TB, n int) (names []string, images map[string]*Reader) {
	t.Helper()
	headers := []tar.Header{{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}}
	for i := range n {
		// Names as store paths have them.
		name := fmt.Sprintf("%08x%s-package-%d.%d", uint32(i)*2654435761, strings.Repeat("z", 24), i/100, i%100)
		names = append(names, name)
		headers = append(headers, tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
	}
	return names, packTar(t, headers)
}

// entriesPerBlock is more than a metadata block holds of the entries of wide.
const entriesPerBlock = disk.MetadataSize / (8 + 40)

// TestLookupReadsLittle counts the entries that look-ups pass over: no more for
// each than the metadata block has to which the directory's index leads, and the
// end of an entry before it.
func TestLookupReadsLittle(t *testing.T) {
	const files = 3000
	names, images := wide(t, files)
	for program, r := range images {
		for what, find := range map[string]func(string) error{
			"Lookup": func(name string) error { _, err := r.Lookup(name); return err },
			"Stat":   func(name string) error { _, err := fs.Stat(r.FS(), name); return err },
		} {
			before := r.entriesRead.Load()
			for _, name := range names {
				if err := find(name); err != nil {
					t.Fatalf("%s: %s of %s: %v", program, what, name, err)
				}
				for _, absent := range []string{name + "x", name[:len(name)-1] + "\x01"} {
					if err := find(absent); !errors.Is(err, fs.ErrNotExist) {
						t.Fatalf("%s: %s of %q = %v", program, what, absent, err)
					}
				}
			}
			if read, most := r.entriesRead.Load()-before, int64(3*files*entriesPerBlock); read > most {
				t.Errorf("%s: %s read %d entries for %d names, more than %d", program, what, read, 3*files, most)
			}
		}
	}
}

// TestWalkDirReadsLittle counts the entries that fs.WalkDir has read, which looks
// up the path of every directory.
func TestWalkDirReadsLittle(t *testing.T) {
	const files, depth = 3000, 200
	_, images := wide(t, files)
	headers := []tar.Header{{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}}
	for i := 1; i <= depth; i++ {
		headers = append(headers, tar.Header{Typeflag: tar.TypeDir, Name: strings.Repeat("d/", i), Mode: 0o755})
	}
	deep := packTar(t, headers)
	for program, r := range images {
		countWalk(t, program, r, files, files*(entriesPerBlock+1))
		countWalk(t, program, deep[program], depth, 2*depth)
	}
}

func countWalk(t *testing.T, program string, r *Reader, directories int, most int64) {
	t.Helper()
	before, found := r.entriesRead.Load(), 0
	err := fs.WalkDir(r.FS(), ".", func(_ string, _ fs.DirEntry, err error) error {
		found++
		return err
	})
	if err != nil || found != directories+1 {
		t.Errorf("%s: WalkDir finds %d directories and returns %v, want %d", program, found, err, directories+1)
	}
	if read := r.entriesRead.Load() - before; read > most {
		t.Errorf("%s: WalkDir of %d directories reads %d entries, more than %d", program, directories, read, most)
	}
}

// BenchmarkLookup looks up every name of a directory once.
func BenchmarkLookup(b *testing.B) {
	for _, files := range []int{3000, 8000} {
		names, images := wide(b, files)
		r := images["tar2sqfs"]
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			for b.Loop() {
				for _, name := range names {
					if _, err := r.Lookup(name); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
