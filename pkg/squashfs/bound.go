package squashfs

// MaxSize is a size in bytes that no image of the tree exceeds, whatever it is
// compressed with: what does not shrink is stored as it is.
func (t *Tree) MaxSize() int64 {
	const (
		optionsMax = metadataHeaderSize + metadataSize // compressor options
		padMax     = 2 * padding                       // before the first group, and behind the image
	)
	blocks, tails := int64(0), int64(0)
	inodes, listings := t.root.metadataBound()
	_ = t.visit(func(n *node, _ treePath) error {
		blocks += int64(n.size/MinBlockSize) + 1
		tails++
		return nil
	})
	inodes += blocks * blockSizeSize
	lookups := tails*int64(fragmentEntrySize) + int64(t.Inodes)*inodeRefSize + idSize
	metadata := inodes + listings + lookups
	// Each metadata block has a header, and lookup tables an index entry.
	metadataBlocks := metadata/metadataSize + 5
	// There are no more groups than entries, and each begins at a multiple of padding.
	pads := int64(len(t.entries)) * padding
	return int64(superblockSize) + optionsMax + t.Bytes + pads + metadata +
		metadataBlocks*(metadataHeaderSize+tableRefSize) + padMax + recordSizeMax(len(t.entries))
}

// metadataBound is the most that the inodes, without block lists, and the
// listings of n and all below it can take.
func (n *node) metadataBound() (inodes, listings int64) {
	switch n.kind {
	case typeDir:
		inodes = int64(inodeHeaderSize + extDirInodeSize)
	case typeFile:
		inodes = int64(inodeHeaderSize + extFileInodeSize)
	case typeSymlink:
		inodes = int64(inodeHeaderSize + symlinkInodeSize + len(n.target))
	}
	for i := range n.children {
		c := &n.children[i]
		below, lists := c.metadataBound()
		inodes += below
		// At worst each entry has a header and an index record of its own.
		inodes += int64(dirIndexSize + len(c.name))
		listings += lists + int64(dirHeaderSize+dirEntrySize+len(c.name))
	}
	return inodes, listings
}
