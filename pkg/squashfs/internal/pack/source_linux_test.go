package pack

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
)

// evict has the kernel forget what it knows of a file's contents.
func evict(t testing.TB, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// TestBatchFromDisk reads small files that are not in memory, some of which are
// not what they were.
func TestBatchFromDisk(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewChaCha8([32]byte{7}))
	newBatch := func() (*batch, [][]byte) {
		b := &batch{}
		var contents [][]byte
		const together = 10
		b.askedFor = together
		for i := range 3*together + 5 {
			p := make([]byte, 1+random.IntN(9000))
			for j := range p {
				p[j] = byte(random.Uint32())
			}
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, p, 0o600); err != nil {
				t.Fatal(err)
			}
			f := &File{Entry: &Entry{From: Host{hostdir.New(filepath.Dir(dir))}, Path: filepath.Base(dir)}, Below: func() string { return fmt.Sprint("/", i) }, Size: uint64(len(p))}
			b.files = append(b.files, batchFile{smallFile: smallFile{source: f.source()}})
			contents = append(contents, p)
			if i%3 > 0 {
				evict(t, path)
			}
		}
		return b, contents
	}

	b, _ := newBatch()
	waited := 0
	for _, f := range b.files {
		wait, err := f.source.begin(make([]byte, f.source.size+1))
		if err != nil {
			t.Fatal(err)
		}
		if wait != nil {
			waited++
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if waited == 0 {
		t.Skip("NOT TESTED: files for tests are never out of memory here (TMPDIR on a disk)")
	}
	whole, contents := newBatch()
	if err := whole.read(newBuffers(1 << 20)); err != nil {
		t.Fatal(err)
	}
	for i, f := range whole.files {
		if !bytes.Equal(f.bytes, contents[i]) {
			t.Errorf("file %d of %d bytes reads otherwise", i, len(contents[i]))
		}
	}
	// The only page that is in memory is all that the file had.
	page := os.Getpagesize()
	path := filepath.Join(dir, "page")
	if err := os.WriteFile(path, make([]byte, 2*page), 0o600); err != nil {
		t.Fatal(err)
	}
	evict(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil { // read no more than is wanted
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, page), 0); err != nil {
		t.Fatal(err)
	}
	grown := source{from: Host{hostdir.New(dir)}, path: filepath.Base(path), size: uint64(page)}
	wait, err := grown.begin(make([]byte, page+1))
	if wait != nil {
		err = wait()
	}
	var changed *ChangedError
	if !errors.As(err, &changed) {
		t.Errorf("a file that has grown by a page: error %v", err)
	}
	for name, change := range map[string]func(path string, size int64) error{
		"longer":  func(path string, size int64) error { return os.Truncate(path, size+1) },
		"shorter": func(path string, size int64) error { return os.Truncate(path, size-1) },
		"gone":    func(path string, _ int64) error { return os.Remove(path) },
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBatch()
			f := b.files[2*b.askedFor].source
			if err := change(f.where(), int64(f.size)); err != nil {
				t.Fatal(err)
			}
			if name != "gone" {
				evict(t, f.where())
			}
			err := b.read(newBuffers(1 << 20))
			var changed *ChangedError
			if errors.As(err, &changed) && changed.Path == f.where() {
				return
			}
			if name != "gone" || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("error %v", err)
			}
		})
	}
}
