package layer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// TestReader lays pieces over a text at random, and reads it at random: it is what copying them into the text,
// one after the other, makes of it.
func TestReader(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		want := bytes.Repeat([]byte("."), rnd.IntN(100))
		r := Over(bytes.NewReader(bytes.Clone(want)))
		for i := range rnd.IntN(12) {
			offset, data := rnd.IntN(110), bytes.Repeat([]byte{byte('a' + i)}, rnd.IntN(30))
			if rnd.IntN(2) == 0 {
				r.Put(int64(offset), data)
			} else {
				r.PutFrom(int64(offset), int64(len(data)), strings.NewReader(string(data)+"and more"))
			}
			if offset < len(want) {
				copy(want[offset:], data)
			}
			for at := 1; at < len(r.pieces); at++ {
				if r.pieces[at-1].end() > r.pieces[at].offset {
					t.Fatalf("seed %d: pieces overlap: %+v", seed, r.pieces)
				}
			}
		}
		for range 20 {
			offset, length := rnd.IntN(110), rnd.IntN(110)
			got, expected := make([]byte, length), make([]byte, length)
			n, err := r.ReadAt(got, int64(offset))
			m, errWant := bytes.NewReader(want).ReadAt(expected, int64(offset))
			if n != m || !errors.Is(err, errWant) || !bytes.Equal(got[:n], expected[:m]) {
				t.Fatalf("seed %d: %d bytes at %d are %q (%v), want %q (%v)", seed, length, offset, got[:n], err, expected[:m], errWant)
			}
		}
	}
}

func TestReaderErrors(t *testing.T) {
	b := make([]byte, 8)
	r := Over(Zeros(8)).PutFrom(2, 4, strings.NewReader("ab"))
	if n, err := r.ReadAt(b, 0); n != 4 || err != io.ErrUnexpectedEOF || string(b[:4]) != "\x00\x00ab" {
		t.Errorf("a piece that is too short: %d, %v, %q", n, err, b)
	}
	broken := errors.New("broken")
	r = Over(Zeros(8)).PutFrom(2, 4, io.NewSectionReader(readerAt{iotest.ErrReader(broken)}, 0, 4))
	if n, err := r.ReadAt(b, 1); n != 1 || !errors.Is(err, broken) {
		t.Errorf("a piece that cannot be read: %d, %v", n, err)
	}
	if n, err := r.ReadAt(b[:2], 0); n != 2 || err != nil {
		t.Errorf("beside it: %d, %v", n, err)
	}
	if n, err := r.ReadAt(b, -1); n != 0 || err == nil {
		t.Errorf("before the beginning: %d, %v", n, err)
	}
}

// readerAt fails as r does.
type readerAt struct{ r io.Reader }

func (r readerAt) ReadAt(b []byte, _ int64) (int, error) { return r.r.Read(b) }
