package hybridiso

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestFilesFromFS writes a directory of the host and reads it back.
func TestFilesFromFS(t *testing.T) {
	dir := hostTree(t)
	files, err := FilesFromFS(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	l, err := Image{VolumeID: "V", Files: files}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var medium recorder
	if _, err := l.Write(t.Context(), &medium, nil); err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(medium.bytes), int64(len(medium.bytes)))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		found++
		want, err := d.Info()
		if err != nil {
			return err
		}
		got, err := fs.Lstat(r.FS(), path)
		if err != nil || got.Mode() != want.Mode() || want.Mode().IsRegular() && got.Size() != want.Size() {
			t.Errorf("%s is %v (%v), want %v", path, got, err, want)
			return nil
		}
		if year := got.ModTime(); !year.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is of %v", path, year)
		}
		switch want.Mode().Type() {
		case fs.ModeSymlink:
			a, _ := fs.ReadLink(r.FS(), path)
			if b, err := os.Readlink(dir + "/" + path); a != b {
				t.Errorf("%s leads to %q, want %q (%v)", path, a, b, err)
			}
		case 0:
			a, errA := fs.ReadFile(r.FS(), path)
			if b, errB := os.ReadFile(dir + "/" + path); errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: other contents (%v, %v)", path, errA, errB)
			}
		}
		return nil
	})
	if err != nil || found < 300 {
		t.Errorf("%d files, %v", found, err)
	}

	pipe := fstest.MapFS{"pipe": {Mode: fs.ModeNamedPipe}}
	if _, err := FilesFromFS(pipe); err == nil || !strings.Contains(err.Error(), "neither file") {
		t.Errorf("FilesFromFS of a pipe = %v", err)
	}
}
