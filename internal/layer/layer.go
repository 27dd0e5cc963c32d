// Package layer reads something as if it had other bytes in some places, where it is left as it is.
package layer

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"sort"
)

// Reader reads what lies under it, and in some places the pieces that are laid over that. It may be
// used by several goroutines; pieces are put before.
type Reader struct {
	under  io.ReaderAt
	pieces []piece // in their order; no two overlap
}

// piece is what is read from offset on, in bytes.
type piece struct {
	offset, size int64
	r            io.ReaderAt
	skip         int64 // of r, before the piece
}

func (p piece) end() int64 { return p.offset + p.size }

// part returns the piece between two offsets, which are not outside of it.
func (p piece) part(from, to int64) piece {
	return piece{from, to - from, p.r, p.skip + from - p.offset}
}

// Over returns a reader of r, without pieces yet.
func Over(r io.ReaderAt) *Reader { return &Reader{under: r} }

// Put lays bytes over what is there from an offset on, earlier pieces too. They are not copied.
func (r *Reader) Put(offset int64, data []byte) *Reader {
	return r.PutFrom(offset, int64(len(data)), bytes.NewReader(data))
}

// PutFrom lays the first size bytes of a file over what is there from an offset on, earlier
// pieces too. They are read when the reader is.
func (r *Reader) PutFrom(offset, size int64, from io.ReaderAt) *Reader {
	if size <= 0 {
		return r
	}
	p := piece{offset: offset, size: size, r: from}
	first := r.behind(p.offset)
	last := first // behind the pieces that p overlaps
	for last < len(r.pieces) && r.pieces[last].offset < p.end() {
		last++
	}
	instead := []piece{p}
	if first < last {
		if q := r.pieces[first]; q.offset < p.offset {
			instead = slices.Insert(instead, 0, q.part(q.offset, p.offset))
		}
		if q := r.pieces[last-1]; q.end() > p.end() {
			instead = append(instead, q.part(p.end(), q.end()))
		}
	}
	r.pieces = slices.Replace(r.pieces, first, last, instead...)
	return r
}

// behind returns the index of the first piece that ends behind an offset.
func (r *Reader) behind(offset int64) int {
	return sort.Search(len(r.pieces), func(i int) bool { return r.pieces[i].end() > offset })
}

// ReadAt reads as much as lies under the pieces, which make nothing longer. A piece that turns out
// to be shorter than it was said to be is an [io.ErrUnexpectedEOF].
func (r *Reader) ReadAt(b []byte, offset int64) (int, error) {
	n, err := r.under.ReadAt(b, offset)
	end := offset + int64(n)
	for _, p := range r.pieces[r.behind(offset):] {
		if p.offset >= end {
			break
		}
		p = p.part(max(p.offset, offset), min(p.end(), end))
		read, err := p.r.ReadAt(b[p.offset-offset:p.end()-offset], p.skip)
		if int64(read) < p.size {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return int(p.offset-offset) + read, err
		}
	}
	return n, err
}

// Zeros returns so many bytes of zeros, to lay pieces over.
func Zeros(size int64) io.ReaderAt { return zeros(size) }

type zeros int64

func (z zeros) ReadAt(b []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	n := int(max(0, min(int64(len(b)), int64(z)-offset)))
	clear(b[:n])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
