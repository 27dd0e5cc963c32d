package disk

import (
	"hash"
	"io"
	"math"
)

// Writer writes an image at a position that only grows.
type Writer struct {
	W    io.WriterAt
	Pos  int64
	Hash hash.Hash // of what is written, if it is set

	gathered []byte // what is still to be written before Pos; nil if nothing is gathered
}

// gatherSize is how much of what is gathered is written at once, in bytes.
const gatherSize = 256 << 10

// Gather has small writes gathered until Flush, since each waits for others that write to the same file:
// Linux lets one write at a time.
func (w *Writer) Gather() {
	w.gathered = make([]byte, 0, gatherSize+Padding)
}

// Flush writes what is gathered, and ends that.
func (w *Writer) Flush() error {
	p := w.gathered
	w.gathered = nil
	if len(p) == 0 {
		return nil
	}
	_, err := w.W.WriteAt(p, w.Pos-int64(len(p)))
	return err
}

var zeros [Padding]byte

func (w *Writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.Hash != nil {
		w.Hash.Write(p)
	}
	if w.gathered != nil {
		return w.gather(p)
	}
	n, err := w.W.WriteAt(p, w.Pos)
	w.Pos += int64(n)
	return n, err
}

// gather is Write of what is gathered.
func (w *Writer) gather(p []byte) (int, error) {
	w.gathered = append(w.gathered, p...)
	w.Pos += int64(len(p))
	if len(w.gathered) < gatherSize {
		return len(p), nil
	}
	_, err := w.W.WriteAt(w.gathered, w.Pos-int64(len(w.gathered)))
	w.gathered = w.gathered[:0]
	return len(p), err
}

// Pad writes zeros up to a multiple of Padding.
func (w *Writer) Pad() error {
	_, err := w.Write(zeros[:AlignUp(w.Pos)-w.Pos])
	return err
}

// Metadata writes a table and returns where it begins.
func (w *Writer) Metadata(m *Metadata) (start uint64, err error) {
	if err := m.Finish(); err != nil {
		return 0, err
	}
	start = uint64(w.Pos)
	for _, block := range m.kept {
		if _, err := w.Write(block); err != nil {
			return 0, err
		}
	}
	return start, nil
}

// AlignUp rounds n up to a multiple of Padding.
func AlignUp(n int64) int64 {
	if n > math.MaxInt64-Padding {
		return n
	}
	return (n + Padding - 1) / Padding * Padding
}
