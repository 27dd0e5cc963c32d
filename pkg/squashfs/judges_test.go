package squashfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// The judges of these tests are other people's readers: unsquashfs
// (squashfs-tools), rdsquashfs (squashfs-tools-ng) and the kernel.

var testOptions = Options{MkfsTime: time.Unix(315532800, 0), ModTime: time.Unix(1, 0)}

func newCodec(t testing.TB, text string, blockSize int) *codec.Codec {
	t.Helper()
	settings, err := codec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if blockSize == 0 {
		blockSize = MaxBlockSize
	}
	c, err := codec.New(settings, blockSize)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dirEntries are the entries of an image that holds what dir holds.
func dirEntries(t testing.TB, dir string) []Entry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]Entry, len(list))
	for i, d := range list {
		entries[i] = Entry{Name: d.Name(), Path: filepath.Join(dir, d.Name())}
	}
	return entries
}

// writeImage packs entries into a file in a temporary folder.
func writeImage(t testing.TB, entries []Entry, opts Options) (path string, summary Summary) {
	t.Helper()
	tree, err := Scan(context.Background(), entries, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "image.squashfs")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var done int64
	opts.Progress = func(n int64) { done += n }
	summary, err = tree.Write(context.Background(), f, opts)
	if err != nil {
		t.Fatal(err)
	}
	if done != tree.Bytes {
		t.Errorf("progress adds up to %d bytes, want %d", done, tree.Bytes)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if summary.Size > tree.MaxSize() {
		t.Errorf("image of %d bytes, MaxSize is %d", summary.Size, tree.MaxSize())
	}
	if summary.Size != info.Size() {
		t.Errorf("Summary.Size = %d, the file has %d bytes", summary.Size, info.Size())
	}
	if err := openImage(t, path).Check(context.Background()); err != nil {
		t.Errorf("the reader of this package: %v", err)
	}
	return path, summary
}

func hashFile(t testing.TB, path string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// mountImage mounts an image with the kernel's own squashfs.
func mountImage(t testing.TB, image string) string {
	t.Helper()
	dir := t.TempDir()
	judge.Root(t)
	judge.Run(t, "mount", "mount", "-t", "squashfs", "-o", "loop,ro", image, dir)
	t.Cleanup(func() { judge.Run(t, "mount", "umount", dir) })
	return dir
}

func unsquash(t testing.TB, image string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "root")
	judge.Run(t, "squashfs-tools", "unsquashfs", "-no-progress", "-quiet", "-dest", dir, image)
	return dir
}

func rdsquash(t testing.TB, image string) string {
	t.Helper()
	dir := t.TempDir()
	judge.Run(t, "squashfs-tools-ng", "rdsquashfs", "--quiet", "--chmod", "--unpack-path", "/", "--unpack-root", dir, image)
	return dir
}

// compareTrees reports every difference in names, types, permissions, link
// targets and contents. The roots' own permissions are not compared.
func compareTrees(t testing.TB, want, got string) {
	t.Helper()
	var compare func(rel string)
	compare = func(rel string) {
		w, err := os.Lstat(want + rel)
		if err != nil {
			t.Fatal(err)
		}
		g, err := os.Lstat(got + rel)
		if err != nil {
			t.Errorf("missing: %v", err)
			return
		}
		if rel != "" && w.Mode() != g.Mode() {
			t.Errorf("%q has mode %v, want %v", rel, g.Mode(), w.Mode())
		}
		switch w.Mode().Type() {
		case fs.ModeDir:
			wantNames, gotNames := names(t, want+rel), names(t, got+rel)
			if fmt.Sprintf("%q", wantNames) != fmt.Sprintf("%q", gotNames) {
				t.Errorf("directory %q holds %q, want %q", rel, gotNames, wantNames)
				return
			}
			for _, name := range wantNames {
				compare(rel + "/" + name)
			}
		case fs.ModeSymlink:
			wantTarget, err := os.Readlink(want + rel)
			if err != nil {
				t.Fatal(err)
			}
			if target, err := os.Readlink(got + rel); err != nil || target != wantTarget {
				t.Errorf("link %q points to %q (%v), want %q", rel, target, err, wantTarget)
			}
		default:
			if w.Size() != g.Size() {
				t.Errorf("%q has %d bytes, want %d", rel, g.Size(), w.Size())
			} else if !sameContents(t, want+rel, got+rel) {
				t.Errorf("%q has other contents", rel)
			}
		}
	}
	compare("")
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.Name()
	}
	return out
}

func sameContents(t testing.TB, a, b string) bool {
	t.Helper()
	fa, err := os.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, errA := io.ReadFull(fa, bufA)
		m, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return errA == errB && (errA == io.EOF || errA == io.ErrUnexpectedEOF)
		}
	}
}
