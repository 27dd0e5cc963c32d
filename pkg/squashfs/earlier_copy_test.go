package squashfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
)

// brittle is an image that cannot be read any more once it is broken. It is no file to
// those that copy.
type brittle struct {
	io.ReaderAt
	broken atomic.Bool
}

var errBroken = errors.New("the disk is gone")

func (b *brittle) ReadAt(p []byte, at int64) (int, error) {
	if b.broken.Load() {
		return 0, errBroken
	}
	return b.ReaderAt.ReadAt(p, at)
}

// TestEarlierGoesAway takes groups from an image that can be read until it is copied. Nothing waits for what is
// copied into a file but the end: there must be an error, and no image.
func TestEarlierGoesAway(t *testing.T) {
	s := newShelf(t, "a")
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", 0)
	path, packed := s.pack(t, opts, nil)
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, breaks := range map[string]bool{"stays": false, "goes": true} {
		for _, toFile := range []bool{true, false} {
			src := &brittle{ReaderAt: bytes.NewReader(image)}
			earlier, err := OpenEarlier(context.Background(), src, packed.Size, opts.Codec, 2)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := Scan(context.Background(), s.entries, nil, earlier)
			if err != nil {
				t.Fatal(err)
			}
			var w io.WriterAt = &memoryImage{}
			if toFile {
				f := createImage(t, t.TempDir())
				defer f.Close()
				w = f
			}
			src.broken.Store(breaks)
			_, err = tree.Write(context.Background(), w, opts)
			if breaks != errors.Is(err, errBroken) || !breaks && err != nil {
				t.Errorf("%s, to a file %v: error %v", name, toFile, err)
			}
			got := make([]byte, len(image))
			switch w := w.(type) {
			case *memoryImage:
				copy(got, w.p)
			case *os.File:
				if _, err := w.ReadAt(got, 0); err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			if same := bytes.Equal(got, image); same == breaks {
				t.Errorf("%s, to a file %v: the same image %v", name, toFile, same)
			}
			if breaks && !bytes.Equal(got[:HeadSize()], make([]byte, HeadSize())) {
				t.Errorf("to a file %v: what was not finished is an image", toFile)
			}
		}
	}
}
