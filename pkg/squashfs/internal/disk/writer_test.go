package disk

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// sheet is written to in order, and notes how often.
type sheet struct {
	p      []byte
	writes int
	full   bool
}

var errFull = errors.New("full")

func (s *sheet) WriteAt(p []byte, at int64) (int, error) {
	if s.writes++; s.full {
		return 0, errFull
	}
	if at != int64(len(s.p)) {
		return 0, errors.New("out of order")
	}
	s.p = append(s.p, p...)
	return len(p), nil
}

// TestGather writes pieces of all sizes, gathered and not: the same bytes, positions and hash.
func TestGather(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	gathered, direct := &sheet{}, &sheet{}
	w := &Writer{W: gathered, Hash: crc32.NewIEEE()}
	plain := &Writer{W: direct, Hash: crc32.NewIEEE()}
	writers := []*Writer{w, plain}
	for round := range 3 {
		for i := range 400 {
			p := bytes.Repeat([]byte{byte(i)}, random.IntN(3000))
			if i == 200 {
				p = bytes.Repeat([]byte{1}, 3*gatherSize)
			}
			if i == 100 {
				w.Gather()
			}
			for _, w := range writers {
				if _, err := w.Write(p); err != nil {
					t.Fatal(err)
				}
				if i%50 == 0 {
					if err := w.Pad(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if w.Pos != plain.Pos {
				t.Fatalf("at %d, want %d", w.Pos, plain.Pos)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(gathered.p, direct.p) || !bytes.Equal(w.Hash.Sum(nil), plain.Hash.Sum(nil)) {
			t.Fatalf("round %d: other bytes", round)
		}
	}
	if gathered.writes*2 > direct.writes {
		t.Errorf("%d writes instead of %d", gathered.writes, direct.writes)
	}
}

// TestGatherFails says at the latest at the end that something was not written.
func TestGatherFails(t *testing.T) {
	for _, size := range []int{1, gatherSize - 1, gatherSize, 2 * gatherSize} {
		w := &Writer{W: &sheet{full: true}}
		w.Gather()
		_, err := w.Write(make([]byte, size))
		if err == nil {
			err = w.Flush()
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%d bytes onto what is full: %v", size, err)
		}
	}
}
