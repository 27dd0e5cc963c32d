package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sort"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Size is what the table of an image with these extents outside of the store takes, in bytes. Loose
// ones are those without sums.
func Size(extents, loose []hybridiso.Extent) int64 {
	size := pieceSizeFor(sum(extents), len(extents))
	sums := int64(0)
	for _, e := range extents {
		sums += (e.Size + size - 1) / size
	}
	return alignUp(int64(headerSize) + int64(len(extents)+len(loose))*int64(extentSize) + sums*sha256.Size + sha256.Size)
}

// Recorder is an io.WriterAt that makes the sums of what is outside of the store as it is written.
// What a piece holds has to be written in order.
type Recorder struct {
	w      io.WriterAt
	pieces []Piece        // of all extents, in order
	open   map[int]*state // pieces that are being written
	done   bool           // nobody wants to know any more
	err    error
}

// state is how far a piece is written.
type state struct {
	hash hash.Hash
	done int64
}

// NewRecorder returns a recorder for what is written to w in front of the store. The extents are
// those of the whole image, in order; the store begins at a byte of it.
func NewRecorder(w io.WriterAt, extents []hybridiso.Extent, store int64) *Recorder {
	r := &Recorder{w: w}
	r.expect(extents)
	n := sort.Search(len(r.pieces), func(i int) bool { return r.pieces[i].Offset >= store })
	r.pieces = r.pieces[:n] // the places of the others are not known yet
	return r
}

// expect begins with a list of extents.
func (r *Recorder) expect(extents []hybridiso.Extent) {
	r.pieces, r.open = nil, map[int]*state{}
	size := pieceSizeFor(sum(extents), len(extents))
	for _, e := range extents {
		r.pieces = append(r.pieces, cut(e.Offset, e.Size, size)...)
	}
}

// sum is how many bytes extents have.
func sum(extents []hybridiso.Extent) (total int64) {
	for _, e := range extents {
		total += e.Size
	}
	return total
}

// WriteAt writes, and takes note.
func (r *Recorder) WriteAt(p []byte, offset int64) (int, error) {
	n, err := r.w.WriteAt(p, offset)
	if !r.done {
		r.note(p[:n], offset)
	}
	return n, err
}

// ReadAt reads back what was written, if that can be.
func (r *Recorder) ReadAt(p []byte, offset int64) (int, error) {
	if back, ok := r.w.(io.ReaderAt); ok {
		return back.ReadAt(p, offset)
	}
	return 0, errors.New("what the image is written to cannot be read back")
}

// Outer returns what is written to, into which the kernel may be able to copy what is not recorded.
func (r *Recorder) Outer() (w io.WriterAt, offset int64) { return r.w, 0 }

func (r *Recorder) note(p []byte, offset int64) {
	end := offset + int64(len(p))
	first := sort.Search(len(r.pieces), func(i int) bool { return r.pieces[i].End() > offset })
	for i := first; i < len(r.pieces) && r.pieces[i].Offset < end; i++ {
		piece := &r.pieces[i]
		s := r.open[i]
		if s == nil {
			s = &state{hash: sha256.New()}
			r.open[i] = s
		}
		from := max(offset, piece.Offset)
		if from != piece.Offset+s.done {
			r.err = fmt.Errorf("byte %d of the image is written out of order", from)
			return
		}
		part := p[from-offset : min(end, piece.End())-offset]
		s.hash.Write(part)
		if s.done += int64(len(part)); s.done == piece.Size {
			piece.Sum = [sha256.Size]byte(s.hash.Sum(nil))
			delete(r.open, i)
		}
	}
}

// Whole is what a table is about.
type Whole struct {
	Size    int64              // of the image, in bytes
	Extents []hybridiso.Extent // outside of the store
	Loose   []hybridiso.Extent // what follows from the store, table included
	Store   [sha256.Size]byte  // squashfs.Summary.Sum
}

// Table is the table of an image, padded. What is not written yet the function ends has to write, which
// then goes nowhere, and is not recorded any more when it is written indeed.
func (r *Recorder) Table(of Whole, ends func(io.WriterAt) error) ([]byte, error) {
	written := map[Piece]Piece{} // without their sums
	for _, p := range r.pieces {
		if p.Sum != ([sha256.Size]byte{}) {
			written[Piece{Offset: p.Offset, Size: p.Size}] = p
		}
	}
	w := r.w
	r.w = nowhere{}
	r.expect(of.Extents)
	err := ends(r)
	if err == nil {
		err = r.err
	}
	for i, p := range r.pieces {
		if p.Sum != ([sha256.Size]byte{}) {
			continue
		}
		before, ok := written[p]
		if !ok && err == nil {
			err = fmt.Errorf("the %d bytes at %d were not written", p.Size, p.Offset)
		}
		r.pieces[i] = before
	}
	r.w, r.done = w, true
	if err != nil {
		return nil, fmt.Errorf("making the index: %w", err)
	}
	return r.encode(of)
}

// nowhere takes everything.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func (r *Recorder) encode(of Whole) ([]byte, error) {
	h := header{
		Magic:     magic,
		Version:   version,
		PieceSize: uint32(pieceSizeFor(sum(of.Extents), len(of.Extents))),
		ImageSize: uint64(of.Size),
		Extents:   uint32(len(of.Extents) + len(of.Loose)),
		Sums:      uint32(len(r.pieces)),
		Loose:     uint32(len(of.Loose)),
		Record:    of.Store,
	}
	var list []extent
	for _, e := range slices.Concat(of.Extents, of.Loose) {
		list = append(list, extent{uint64(e.Offset), uint64(e.Size)})
	}
	var b bytes.Buffer
	for _, structure := range []any{h, list} {
		if err := binary.Write(&b, binary.LittleEndian, structure); err != nil {
			return nil, err
		}
	}
	for _, p := range r.pieces {
		b.Write(p.Sum[:])
	}
	own := sha256.Sum256(b.Bytes())
	b.Write(own[:])
	b.Write(make([]byte, alignUp(int64(b.Len()))-int64(b.Len())))
	return b.Bytes(), nil
}
