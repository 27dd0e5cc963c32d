package image

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// TestWritten checks that a file counts as written here only as long as nothing has touched it.
func TestWritten(t *testing.T) {
	cache, path := t.TempDir(), filepath.Join(t.TempDir(), "image")
	store := NewStore(codec.Settings{Name: codec.LZ4}, DefaultEpoch)
	knows := func() bool {
		t.Helper()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		section := io.NewSectionReader(io.NewSectionReader(f, 0, 10), 1, 5)
		sum, ok := OpenCatalog(cache).written(identityBehind(section))
		if ok && sum != built(7).Sum {
			t.Errorf("its sum is %x", sum)
		}
		return ok
	}
	for name, touch := range map[string]func() error{
		"nothing": nil,
		"a byte, with the date as it was": func() error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			if _, err := f.WriteAt([]byte("x"), 3); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			return os.Chtimes(path, info.ModTime(), info.ModTime())
		},
		"another file in its place": func() error {
			if err := os.WriteFile(path+"2", []byte("0123456789"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+"2", path)
		},
		"its length": func() error { return os.Truncate(path, 9) },
		"a sum in the catalog that is none": func() error {
			list := filepath.Join(cache, "images.json")
			text, err := os.ReadFile(list)
			if err != nil {
				return err
			}
			return os.WriteFile(list, []byte(strings.Replace(string(text), `"sum": "`, `"sum": "00`, 1)), 0o600)
		},
	} {
		if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := OpenCatalog(cache).Add(path, store, built(7)); err != nil {
			t.Fatal(err)
		}
		if !knows() {
			t.Errorf("%s: the file as it was written is not known", name)
		}
		if touch == nil {
			continue
		}
		time.Sleep(20 * time.Millisecond) // file systems count in ticks of the kernel, of 1 to 10 ms
		if err := touch(); err != nil {
			t.Fatal(err)
		}
		if knows() {
			t.Errorf("%s has changed, and the file is still as it was written", name)
		}
	}
	if _, ok := (*Catalog)(nil).written("1:2:3:4"); ok {
		t.Error("no catalog knows a file")
	}
	if id := identityBehind(io.NewSectionReader(strings.NewReader("no file"), 0, 7)); id != "" {
		t.Errorf("what is no file has the identity %q", id)
	}
}
