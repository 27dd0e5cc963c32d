package squashfs

import "github.com/livebuild/livebuild/pkg/squashfs/internal/disk"

// MaxSize is a size in bytes that no image of the tree exceeds, whatever it is
// compressed with: what does not shrink is stored as it is.
func (t *Tree) MaxSize() int64 {
	const (
		optionsMax = disk.MetadataHeaderSize + disk.MetadataSize // compressor options
		padMax     = 2 * disk.Padding                            // before the first group, and behind the image
	)
	blocks, tails := int64(0), int64(0)
	inodes, listings := t.root.metadataBound()
	_ = t.visit(func(n *node, _ treePath) error {
		blocks += int64(n.size/MinBlockSize) + 1
		tails++
		return nil
	})
	inodes += blocks * disk.BlockSizeSize
	lookups := tails*int64(disk.FragmentEntrySize) + int64(t.Inodes)*disk.InodeRefSize + disk.IDSize
	metadata := inodes + listings + lookups
	// Each metadata block has a header, and lookup tables an index entry.
	metadataBlocks := metadata/disk.MetadataSize + 5
	// There are no more groups than entries, and each begins at a multiple of padding.
	pads := int64(len(t.entries)) * disk.Padding
	return int64(disk.SuperblockSize) + optionsMax + t.Bytes + pads + metadata +
		metadataBlocks*(disk.MetadataHeaderSize+disk.TableRefSize) + padMax + recordSizeMax(len(t.entries))
}

// metadataBound is the most that the inodes, without block lists, and the
// listings of n and all below it can take.
func (n *node) metadataBound() (inodes, listings int64) {
	switch n.kind {
	case disk.TypeDir:
		inodes = int64(disk.InodeHeaderSize + disk.ExtDirInodeSize)
	case disk.TypeFile:
		inodes = int64(disk.InodeHeaderSize + disk.ExtFileInodeSize)
	case disk.TypeSymlink:
		inodes = int64(disk.InodeHeaderSize + disk.SymlinkInodeSize + len(n.target))
	}
	for i := range n.children {
		c := &n.children[i]
		below, lists := c.metadataBound()
		inodes += below
		// At worst each entry has a header and an index record of its own.
		inodes += int64(disk.DirIndexSize + len(c.name))
		listings += lists + int64(disk.DirHeaderSize+disk.DirEntrySize+len(c.name))
	}
	return inodes, listings
}
