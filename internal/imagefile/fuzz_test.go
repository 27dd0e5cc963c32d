package imagefile

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// FuzzReader reads what may be compressed, or damaged: it ends, with the same
// result each time.
func FuzzReader(f *testing.F) {
	content := bytes.Repeat([]byte("an image "), 300)
	for name, compressor := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
		"xz":   func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
	} {
		var b bytes.Buffer
		w, err := compressor(&b)
		if err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		if _, err := w.Write(content); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, stored []byte) {
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, stored, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		r, err := file.Reader()
		if err != nil {
			return
		}
		defer r.Close()
		const enough = 16 << 20 // of what a few bytes may stand for
		n, err := io.Copy(io.Discard, io.LimitReader(r, enough))
		if file.Format == Plain && (err != nil || n != int64(len(stored))) {
			t.Errorf("read %d bytes of %d, %v", n, len(stored), err)
		}
	})
}

// FuzzFindSum reads files of checksums.
func FuzzFindSum(f *testing.F) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	f.Add(sum+"  a.iso\n", "a.iso", false)
	f.Add("SHA256 (a.iso) = "+sum+"\n", "a.iso", false)
	f.Add(sum, "", true)
	f.Fuzz(func(t *testing.T, text, name string, own bool) {
		if got := findSum(text, name, own); got != "" && !sha256Form.MatchString(got) {
			t.Errorf("found %q", got)
		}
	})
}
