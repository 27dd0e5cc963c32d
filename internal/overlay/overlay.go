// Package overlay shows a medium with some of its files changed, while the medium
// itself is only read.
//
// A file of an ISO 9660 volume or of a FAT file system is changed in the room that
// it has, its last block or cluster included; nothing is moved.
package overlay

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/livebuild/livebuild/internal/layer"
)

// Disk is a medium with changes. It may be read by several goroutines; changes
// are made before.
type Disk struct {
	medium  sectors
	changed *layer.Reader
	until   []int64
	lifted  atomic.Bool
}

// New returns the medium of that size in bytes, without changes yet.
func New(r io.ReaderAt, size int64) *Disk {
	m := sectors{r, (size + sectorSize - 1) / sectorSize * sectorSize}
	return &Disk{medium: m, changed: layer.Over(m)}
}

// sectorSize is what the size of a disk is a multiple of.
const sectorSize = 512

// Size returns the size of the disk: that of the medium, in whole sectors.
func (d *Disk) Size() int64 { return d.medium.size }

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
	if d.Lifted() {
		return d.medium.ReadAt(b, offset)
	}
	return d.changed.ReadAt(b, offset)
}

// sectors is a medium as a disk has it, with zeros behind its end.
type sectors struct {
	r    io.ReaderAt
	size int64 // whole sectors, in bytes
}

func (s sectors) ReadAt(b []byte, offset int64) (int, error) {
	n, err := s.r.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		whole := int(min(max(0, s.size-offset), int64(len(b))))
		clear(b[min(n, whole):whole])
		if n = whole; n == len(b) {
			err = nil
		}
	}
	return n, err
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
			d.changed.Put(field.offset, field.encode(int64(len(data))))
		}
	}
	for _, e := range f.extents {
		n := min(e.Size, int64(len(data)))
		if n == 0 {
			break
		}
		d.changed.Put(e.Offset, data[:n])
		data = data[n:]
	}
	return nil
}
