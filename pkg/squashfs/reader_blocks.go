package squashfs

// Block is a data or fragment block as it lies in an image.
type Block struct {
	Offset int64 // in bytes from the start of the image
	Size   int   // in the image, in bytes; 0 for a block of zeros, which lies nowhere
	Stored bool  // as it is, not compressed
}

// Blocks is where the contents of a regular file lie in an image.
type Blocks struct {
	// Data are the blocks of the file in order, one behind the other. Each holds
	// Info.BlockSize bytes of it, the last one what is left before the tail.
	// Files of equal contents may have the same blocks.
	Data []Block

	// Tail is how many bytes of the file, its last ones, are in a fragment block,
	// which other files have a part in, too. All that follows is 0 if it is.
	Tail           int
	Fragment       Block
	FragmentNumber int // of the block, from 0
	FragmentOffset int // of the tail in the block, in bytes, once that is decompressed
}

// Size is how many bytes the blocks take that are not shared as a fragment is.
func (b Blocks) Size() int64 {
	sum := int64(0)
	for _, d := range b.Data {
		sum += int64(d.Size)
	}
	return sum
}

// Blocks returns where the contents of the regular file ino lie.
func (r *Reader) Blocks(ino Inode) (Blocks, error) {
	l, err := r.parts(ino)
	if err != nil {
		return Blocks{}, err
	}
	b := Blocks{Data: make([]Block, len(l.blocks))}
	for i, p := range l.blocks {
		b.Data[i] = p.block()
	}
	if l.tail == 0 {
		return b, nil
	}
	fragment, err := r.placedFragment(l.fragment)
	if err != nil {
		return Blocks{}, err
	}
	b.Tail = int(l.tail)
	b.Fragment = fragment.block()
	b.FragmentNumber = int(ino.file.fragment)
	b.FragmentOffset = int(l.offset)
	return b, nil
}

func (b placedBlock) block() Block {
	if b.length() == 0 {
		return Block{}
	}
	return Block{Offset: int64(b.start), Size: int(b.length()), Stored: b.stored()}
}
