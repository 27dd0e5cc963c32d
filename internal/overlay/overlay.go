// Package overlay shows a medium with some of its files changed, while the medium
// itself is only read.
//
// A file of an ISO 9660 volume or of a FAT file system is changed in the room that
// it has, its last block or cluster included; nothing is moved.
package overlay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// Disk is a medium with changes. It may be read by several goroutines; changes
// are made before.
type Disk struct {
	r       io.ReaderAt
	size    int64
	changes []change // sorted by offset
	until   []int64
	lifted  atomic.Bool
}

type change struct {
	offset int64
	data   []byte
}

func (c change) end() int64 { return c.offset + int64(len(c.data)) }

// New returns the medium of that size in bytes, without changes yet.
func New(r io.ReaderAt, size int64) *Disk { return &Disk{r: r, size: size} }

// sectorSize is what the size of a disk is a multiple of.
const sectorSize = 512

// Size returns the size of the disk: that of the medium, in whole sectors.
func (d *Disk) Size() int64 { return (d.size + sectorSize - 1) / sectorSize * sectorSize }

// Until has all changes vanish as soon as the byte at an offset is read.
func (d *Disk) Until(offset int64) { d.until = append(d.until, offset) }

// Lifted reports whether the changes have vanished.
func (d *Disk) Lifted() bool { return d.lifted.Load() }

// Restore has the changes appear again.
func (d *Disk) Restore() { d.lifted.Store(false) }

// ReadAt reads the medium with the changes. Behind its end are zeros up to a
// whole sector.
func (d *Disk) ReadAt(b []byte, offset int64) (int, error) {
	for _, at := range d.until {
		if offset <= at && at-offset < int64(len(b)) {
			d.lifted.Store(true)
		}
	}
	n, err := d.r.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		whole := int(min(max(0, d.Size()-offset), int64(len(b))))
		clear(b[min(n, whole):whole])
		if n = whole; n == len(b) {
			err = nil
		}
	}
	if d.Lifted() {
		return n, err
	}
	for _, c := range d.changes {
		if c.offset >= offset+int64(n) {
			break
		}
		if c.end() > offset {
			copy(b[max(0, c.offset-offset):n], c.data[max(0, offset-c.offset):])
		}
	}
	return n, err
}

// put adds a change. Of two at the same place the later counts.
func (d *Disk) put(offset int64, data []byte) {
	c := change{offset, data}
	at, _ := slices.BinarySearchFunc(d.changes, c, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), -1)
	})
	d.changes = slices.Insert(d.changes, at, c)
}

// RoomError says that a file is too small for its new content.
type RoomError struct {
	Path        string
	Size, Limit int64 // in bytes
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("%s has room for %d bytes, not for %d", e.Path, e.Limit, e.Size)
}

// Replace gives a file another content. What is shorter is made as long as
// before with line feeds, for it is text. The error is a [RoomError] or one of reading.
func (d *Disk) Replace(f File, content []byte) error {
	if int64(len(content)) > f.Room() {
		return &RoomError{f.Path, int64(len(content)), f.Room()}
	}
	data := slices.Clone(content)
	for int64(len(data)) < f.Size {
		data = append(data, '\n')
	}
	if int64(len(data)) > f.Size {
		for _, field := range f.sizes {
			d.put(field.offset, field.encode(int64(len(data))))
		}
	}
	for _, e := range f.extents {
		n := min(e.Size, int64(len(data)))
		if n == 0 {
			break
		}
		d.put(e.Offset, data[:n])
		data = data[n:]
	}
	return nil
}
