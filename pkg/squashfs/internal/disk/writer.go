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
}

var zeros [Padding]byte

func (w *Writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.Hash != nil {
		w.Hash.Write(p)
	}
	n, err := w.W.WriteAt(p, w.Pos)
	w.Pos += int64(n)
	return n, err
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
