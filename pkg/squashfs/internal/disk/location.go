package disk

import (
	"encoding/binary"
)

// Location is where the contents of a file lie in an image.
type Location struct {
	Start    uint64   // of the first block that takes room, 0 if there is none
	Sizes    []uint32 // of each block as the inode has it, 0 for a hole
	Sparse   uint64   // bytes in holes
	Fragment uint32   // index of the fragment block, or InvalidFragment
	Offset   uint32   // in the fragment block
}

// BlockBytes is how much room the blocks take in the image.
func (l *Location) BlockBytes() (sum uint64) {
	for _, size := range l.Sizes {
		sum += uint64(size &^ DataStored)
	}
	return sum
}

// LocationKey is a Location as the key of a map. Files of one size that share
// blocks need not be equal in an image of another maker: one can have a hole
// where the other has its second block.
type LocationKey struct {
	start            uint64
	sizes            string
	fragment, offset uint32
}

// Key returns the location as a key.
func (l *Location) Key() LocationKey {
	sizes := make([]byte, 0, len(l.Sizes)*BlockSizeSize)
	for _, size := range l.Sizes {
		sizes = binary.LittleEndian.AppendUint32(sizes, size)
	}
	return LocationKey{start: l.Start, sizes: string(sizes), fragment: l.Fragment, offset: l.Offset}
}
