package squashfs

import "github.com/livebuild/livebuild/pkg/squashfs/internal/disk"

// MaxSize is a size in bytes that no image of the tree exceeds, whatever it is
// compressed with: what does not shrink is stored as it is.
func (t *Tree) MaxSize() int64 {
	const (
		optionsMax = disk.MetadataHeaderSize + disk.MetadataSize // compressor options
		padMax     = 2 * disk.Padding                            // before the first group, and behind the image
	)
	tables, head := int64(5), int64(disk.SuperblockSize)
	if t.root.attr != nil {
		tables, head = 7, head+int64(disk.XattrTableSize)
	}
	blocks, tails := int64(0), int64(0)
	metadata := t.root.metadataBound()
	t.root.visit(func(n *node) {
		blocks += int64(n.size/MinBlockSize) + 1
		tails++
	})
	metadata += blocks*disk.BlockSizeSize + tails*int64(disk.FragmentEntrySize) + int64(t.Inodes)*disk.InodeRefSize + disk.IDSize
	// Each metadata block has a header, and lookup tables an index entry.
	metadataBlocks := metadata/disk.MetadataSize + tables
	// There are no more groups than entries, and each begins at a multiple of disk.Padding.
	pads := int64(len(t.entries)) * disk.Padding
	return head + optionsMax + t.Bytes + pads + metadata +
		metadataBlocks*(disk.MetadataHeaderSize+disk.TableRefSize) + padMax + disk.RecordSizeMax(len(t.entries))
}

// metadataBound is the most that the inodes, without block lists, the listings, IDs
// and extended attributes of n and all below it can take.
func (n *node) metadataBound() (bytes int64) {
	bytes = int64(disk.InodeHeaderSize)
	switch n.kind {
	case disk.TypeDir:
		bytes += int64(disk.ExtDirInodeSize)
	case disk.TypeFile:
		bytes += int64(disk.ExtFileInodeSize)
	default: // links, and what is smaller
		bytes += int64(disk.SymlinkInodeSize + len(n.target))
	}
	if n.attr != nil {
		bytes += 2*disk.IDSize + disk.XattrIndexSize + int64(disk.XattrIDSize)
		for _, x := range n.attr.xattrs {
			bytes += int64(disk.XattrEntrySize + disk.XattrIndexSize + len(x.Name) + len(x.Value))
		}
	}
	for i := range n.children {
		c := &n.children[i]
		bytes += c.metadataBound()
		// At worst each entry has a header and an index record of its own.
		bytes += int64(disk.DirIndexSize + disk.DirHeaderSize + disk.DirEntrySize + 2*len(c.name))
	}
	return bytes
}
