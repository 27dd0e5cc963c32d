// Package copyrange copies parts of one file to another by the kernel, as far as
// that can do it.
package copyrange

import (
	"io"
	"os"
)

// OuterWriter is an io.WriterAt that writes to another one, at an offset, as
// io.SectionReader does for reading.
type OuterWriter interface {
	Outer() (w io.WriterAt, offset int64)
}

// IsFile says whether w writes to a file.
func IsFile(w io.WriterAt) bool {
	f, _ := writerFile(w, 0)
	return f != nil
}

// Copy copies size bytes at from in src to the position to of dst, if both are
// files, and returns how many of them it has copied. Whatever is wrong with the
// others comes up when they are read and written.
//
// On file systems that share blocks (Btrfs, XFS) nothing is copied at all, if both
// positions are multiples of their block size; others save a copy to memory and
// back.
func Copy(dst io.WriterAt, to int64, src io.ReaderAt, from, size int64) (done int64) {
	w, to := writerFile(dst, to)
	r, from := readerFile(src, from)
	if w == nil || r == nil {
		return 0
	}
	return copyFiles(w, to, r, from, size)
}

// writerFile returns the file that w writes to, if it is one, and the position
// in it.
func writerFile(w io.WriterAt, pos int64) (*os.File, int64) {
	for {
		switch x := w.(type) {
		case *os.File:
			return x, pos
		case OuterWriter:
			var offset int64
			w, offset = x.Outer()
			pos += offset
		default:
			return nil, 0
		}
	}
}

// readerFile returns the file that r reads from, if it is one, and the
// position in it.
func readerFile(r io.ReaderAt, pos int64) (*os.File, int64) {
	for {
		switch x := r.(type) {
		case *os.File:
			return x, pos
		case *io.SectionReader:
			var offset int64
			r, offset, _ = x.Outer()
			pos += offset
		default:
			return nil, 0
		}
	}
}
