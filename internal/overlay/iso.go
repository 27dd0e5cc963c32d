package overlay

import (
	"encoding/binary"
	"io"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

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

const (
	isoBlock = 2048

	// recordLength is where a directory record has the length of its data
	// (ECMA-119 §9.1).
	recordLength = 10
)

// ISO returns the regular files of the ISO 9660 volume that begins at an offset of
// a medium of size bytes, with the names of Rock Ridge, if it has those. Files of several
// extents cannot become larger.
func ISO(r io.ReaderAt, base, size int64) ([]File, error) {
	entries, err := hybridiso.ReadTree(io.NewSectionReader(r, base, size-base))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range entries {
		if !e.Mode.IsRegular() || e.Size == 0 {
			continue
		}
		f := File{Path: e.Path, Size: e.Size}
		for _, extent := range e.Extents {
			f.extents = append(f.extents, Extent{base + extent.Offset, extent.Size})
		}
		if len(f.extents) == 1 {
			f.extents[0].Size = (e.Size + isoBlock - 1) / isoBlock * isoBlock
			f.sizes = []sizeField{{base + e.Record + recordLength, true}}
		}
		files = append(files, f)
	}
	return files, nil
}
