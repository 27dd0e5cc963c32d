package overlay

import (
	"encoding/binary"

	"github.com/livebuild/livebuild/internal/medium"
)

// File is a file of a medium, with the room that it has.
type File struct {
	medium.TreeFile

	extents []medium.Extent // with the room behind the end
	sizes   []sizeField     // what records the size
}

// sizeField records a file's size.
type sizeField struct {
	offset int64 // on the medium
	both   bool  // in both byte orders (ECMA-119 §7.3.3), else little-endian
}

func (s sizeField) encode(size int64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(size))
	if s.both {
		b = binary.BigEndian.AppendUint32(b, uint32(size))
	}
	return b
}

// Where a directory entry has the size of its file: ECMA-119 §9.1 (data length), and
// FAT 1.03, "FAT Directory Structure" (DIR_FileSize).
const (
	isoSizeAt = 10
	fatSizeAt = 28
)

// Of returns a file of one of the medium's file systems. On ISO 9660 volumes, files of several
// extents cannot become larger.
func Of(t *medium.Tree, f medium.TreeFile) File {
	file := File{TreeFile: f, extents: append([]medium.Extent(nil), f.Extents...)}
	n := len(file.extents)
	if n == 0 || n > 1 && !t.EFI {
		return file
	}
	last, unit := &file.extents[n-1], t.Unit()
	last.Size = (last.Size + unit - 1) / unit * unit
	file.sizes = []sizeField{{f.Record + isoSizeAt, true}}
	if t.EFI {
		file.sizes = []sizeField{{f.Record + fatSizeAt, false}}
	}
	return file
}

// Room returns how large the file can become, in bytes.
func (f File) Room() (room int64) {
	for _, e := range f.extents {
		room += e.Size
	}
	return room
}
