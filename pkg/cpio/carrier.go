package cpio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Carrier is an archive of one file, behind something else, whose content others write. Between
// the two are zeros, so that the content begins at a multiple of some bytes: file systems
// share blocks that do, and block devices begin with one.
//
// An unpacker of Linux passes over the zeros, as over those before any archive.
type Carrier struct {
	Name   string
	Mode   uint32
	Behind int64 // where the archive may begin, in bytes of the file that it lies in
	Unit   int64 // of which the place of the content is a multiple, in bytes, itself one of [Align]
}

// SizeError says that a file is too large for an archive.
type SizeError struct {
	Name string
	Size int64 // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, and a file in an initrd has at most %d: its size is a number of 32 bits", e.Name, e.Size, int64(MaxSize))
}

// Offset is where the content begins.
func (c Carrier) Offset() int64 {
	return (c.Behind + headSize(c.Name) + c.Unit - 1) / c.Unit * c.Unit
}

// Size is where the archive ends if its file has that many bytes.
func (c Carrier) Size(size int64) int64 { return aligned(c.Offset()+size) + headSize(Trailer) }

// Finish writes what is around a content of so many bytes, and returns where the archive ends. The
// error is a *SizeError if there can be no such archive.
func (c Carrier) Finish(w io.WriterAt, size int64) (end int64, err error) {
	if size > MaxSize {
		return 0, &SizeError{c.Name, size}
	}
	rest := append(make([]byte, aligned(size)-size), appendHeader(nil, Trailer, 0, 0, 0)...)
	if _, err := w.WriteAt(rest, c.Offset()+size); err != nil {
		return 0, err
	}
	head := append(make([]byte, c.Offset()-headSize(c.Name)-c.Behind), appendHeader(nil, c.Name, c.Mode, size, 1)...)
	_, err = w.WriteAt(head, c.Behind)
	return c.Size(size), err
}

// ErrNotCarried says that no [Carrier] was found.
var ErrNotCarried = errors.New("no archive with the file")

// searched is how much is read at a time, in bytes.
const searched = 1 << 20

// Find looks for a [Carrier] of that name and unit, whose content begins with magic, within the first
// limit bytes of a file of size bytes, and returns where its content lies. What is before it need not
// be an archive that can be read: only the places where a content can begin are looked at. The error wraps
// [ErrNotCarried] if there is none.
func Find(r io.ReaderAt, size int64, name string, unit int64, begins []byte, limit int64) (*io.SectionReader, error) {
	before := headSize(name)
	buf := make([]byte, min(searched+before, size))
	for at := int64(0); at < min(size, limit); at += searched {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil && err != io.EOF {
			return nil, err
		}
		// A content begins behind its header, at the next place within what was read.
		for place := (at + before + unit - 1) / unit * unit; place+int64(len(begins)) <= size && place-at-before < searched; place += unit {
			head := place - at - before
			if head+before > int64(n) {
				break
			}
			h, err := readHeader(buf[head:n], head)
			if err != nil || h.nameSize != int64(len(name)+1) || h.mode&ModeKind != ModeRegular ||
				!bytes.Equal(buf[head+headerSize:head+headerSize+h.nameSize], append([]byte(name), 0)) || h.size > size-place {
				continue
			}
			first := make([]byte, len(begins))
			if _, err := r.ReadAt(first, place); err != nil && err != io.EOF {
				return nil, err
			}
			if bytes.Equal(first, begins) {
				return io.NewSectionReader(r, place, h.size), nil
			}
		}
	}
	return nil, fmt.Errorf("%w %s at a multiple of %d bytes", ErrNotCarried, name, unit)
}
