package squashfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoundTrip reads with this package's reader what its writer wrote. The
// reader shares nothing with it but the structures of format.go.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	for _, text := range []string{"none", "gzip:1", "lz4", "zstd:3", "xz"} {
		for _, blockSize := range []int{4 << 10, 128 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%s-%d", text, blockSize), func(t *testing.T) {
				t.Parallel()
				opts := testOptions
				opts.Codec = newCodec(t, text, blockSize)
				image, summary := writeImage(t, dirEntries(t, dir), opts)
				r := openImage(t, image)
				checkRoundTrip(t, r, dir)
				info := r.Info()
				if got, want := info.Codec.Settings(), opts.Codec.Settings(); text != "none" && got.String() != want.String() {
					t.Errorf("settings in the image = %s, want %s", got, want)
				}
				if info.BlockSize != blockSize || !info.MkfsTime.Equal(opts.MkfsTime) || info.Fragments != summary.Fragments {
					t.Errorf("Info = %+v, written with %+v", info, opts)
				}
			})
		}
	}
}

// checkRoundTrip compares an image with the directory that it was made of.
func checkRoundTrip(t *testing.T, r *Reader, dir string) {
	t.Helper()
	if err := r.Check(context.Background()); err != nil {
		t.Errorf("Check: %v", err)
	}
	compareWithHost(t, r, dir, kept{})
	err := r.Walk(func(path string, ino Inode) error {
		if ino.UID != 0 || ino.GID != 0 || !ino.ModTime.Equal(testOptions.ModTime) {
			t.Errorf("%s belongs to %d:%d and is of %s, want 0:0 and %s", path, ino.UID, ino.GID, ino.ModTime, testOptions.ModTime)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Walk: %v", err)
	}
}

// FuzzRoundTrip makes a tree of the bytes, writes it, and compares the image
// with it.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x00f\x10\x00ab\x01dd\x00g\xff\x1fxy\x03l\x05zz\x02\x00h\x00\x80qq"))
	f.Add([]byte("\x05\x00a\x00\x10aa\x00b\x00\x10aa\x00c\x01\x10\x00\x00\x00d\x01\x10\x00\x00\x00e\xff\x0f\x00\x00"))
	f.Add([]byte("\x0a" + strings.Repeat("\x01d\x00x\x07\x00kk", 20)))
	f.Add([]byte("\x0f" + strings.Repeat("\x00s\x03\x00k\x00", 300)))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		p := &treePlan{t: t, data: data}
		settings := p.byte()
		p.grow(dir)

		blockSize := MinBlockSize << (settings & 3)
		opts := testOptions
		opts.Codec = newCodec(t, []string{"none", "gzip:1", "lz4", "zstd:1"}[settings>>2&3], blockSize)
		image, _ := writeImage(t, dirEntries(t, dir), opts)
		checkRoundTrip(t, openImage(t, image), dir)
	})
}

// treePlan reads instructions for making a tree. Bytes that make no sense, or
// a name that is taken, are passed over.
type treePlan struct {
	t     *testing.T
	data  []byte
	files int
}

func (p *treePlan) byte() byte {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return b
}

// name is one of 255 bytes at most, which may be no UTF-8.
func (p *treePlan) name() string {
	p.files++
	c := p.byte()
	if c == 0 || c == '/' {
		c = '_'
	}
	return fmt.Sprintf("%s%d", bytes.Repeat([]byte{c}, 1+int(c)%250), p.files)
}

func (p *treePlan) grow(dir string) {
	const mostFiles = 500
	depth := 0
	for len(p.data) > 0 && p.files < mostFiles {
		switch p.byte() % 4 {
		case 0: // a file: two bytes of size, two to fill it with
			path := filepath.Join(dir, p.name())
			size := int(p.byte()) | int(p.byte())<<8
			contents := bytes.Repeat([]byte{p.byte(), p.byte()}, size/2+1)[:size]
			mustDo(p.t, os.WriteFile(path, contents, 0o600))
		case 1:
			if depth < 20 {
				dir, depth = filepath.Join(dir, p.name()), depth+1
				mustDo(p.t, os.Mkdir(dir, 0o700))
			}
		case 2:
			if depth > 0 {
				dir, depth = filepath.Dir(dir), depth-1
			}
		case 3:
			path := filepath.Join(dir, p.name())
			mustDo(p.t, os.Symlink(strings.Repeat("t", 1+int(p.byte())), path))
		}
	}
}
