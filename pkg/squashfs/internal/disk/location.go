package disk

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
