package imagefile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

// FuzzContents looks at what may be any image, by its head and in one pass, which
// must say the same.
func FuzzContents(f *testing.F) {
	head := make([]byte, 40<<10)
	copy(head[descriptorStart:], "\x01CD001\x01")
	copy(head[510:], mbrMagic)
	f.Add(head)
	f.Add([]byte("<html>"))
	for _, m := range slices.Concat(formats, weakFormats, otherTables) {
		seed := make([]byte, 4200)
		for _, at := range m.magic {
			copy(seed[at.offset:], at.text)
		}
		f.Add(seed)
	}
	for _, s := range slices.Concat(bootSectors, superblocks) {
		seed := make([]byte, superblockEnd)
		for _, at := range s.magic {
			copy(seed[at.offset:], at.text)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		if len(image) == 0 || formatOf(image) != Plain || skippable(image) > 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		_, whole := file.Contents()
		keep := &keeper{file: file}
		for part := range slices.Chunk(image, 1000) {
			if _, err := keep.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if once := keep.end(); fmt.Sprint(once) != fmt.Sprint(whole) {
			t.Errorf("in one pass: %v, and otherwise: %v", once, whole)
		}
	})
}

// FuzzParseSums reads files of checksums.
func FuzzParseSums(f *testing.F) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	f.Add([]byte(sum+"  a.iso\n"), "a.iso")
	f.Add([]byte("SHA256 (a.iso) = "+sum+"\n"), "a.iso")
	f.Add([]byte("SHA2-256(a.iso)= "+sum+"\n"), "a.iso")
	f.Add([]byte("\xff\xfea\x00\n\x00"), "a")
	f.Add([]byte(sum), "")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		text, ok := decodeText(b)
		if !ok {
			return
		}
		mentions(text, name)
		for _, s := range parseSums(text) {
			if s.algorithm != "" && len(s.sum) != s.algorithm.digits() {
				t.Errorf("a %s of %d digits", s.algorithm, len(s.sum))
			}
		}
	})
}

// FuzzParts reads a file through its parts as it is read in one piece.
func FuzzParts(f *testing.F) {
	f.Add([]byte("an image in parts"), uint16(4), int64(3), uint16(9))
	f.Add([]byte("an image in parts"), uint16(17), int64(0), uint16(17))
	f.Add([]byte("x"), uint16(1), int64(1), uint16(1))
	f.Fuzz(func(t *testing.T, image []byte, each uint16, offset int64, length uint16) {
		if each == 0 || length == 0 || len(image) == 0 || len(image)/int(each) > 50 || offset < 0 {
			return
		}
		folder := t.TempDir()
		n := 0
		for part := range slices.Chunk(image, int(each)) {
			if err := os.WriteFile(filepath.Join(folder, PartName("x.iso", n, 51)), part, 0o600); err != nil {
				t.Fatal(err)
			}
			n++
		}
		p, err := openParts(filepath.Join(folder, PartName("x.iso", 0, 51)))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		got, want := make([]byte, length), make([]byte, length)
		gotN, gotErr := p.ReadAt(got, offset)
		wantN, wantErr := bytes.NewReader(image).ReadAt(want, offset)
		// At the end of what is there either may be said: io.ReaderAt.
		if gotN != wantN || !bytes.Equal(got, want) || (gotErr == nil) != (wantErr == nil) && offset+int64(length) != int64(len(image)) {
			t.Errorf("read %d bytes, %v; want %d, %v", gotN, gotErr, wantN, wantErr)
		}
	})
}
