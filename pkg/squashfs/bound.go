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
	if t.root.Attr != nil {
		tables, head = 7, head+int64(disk.XattrTableSize)
	}
	blocks, tails := int64(0), int64(0)
	metadata := t.root.MetadataMax()
	for n := range t.all() {
		if stored(n) {
			blocks += int64(n.Size/MinBlockSize) + 1
			tails++
		}
		// At worst each entry has a header and an index record of its own.
		metadata += n.MetadataMax() + int64(disk.DirIndexSize+disk.DirHeaderSize+disk.DirEntrySize+2*len(n.Name))
	}
	metadata += blocks*disk.BlockSizeSize + tails*int64(disk.FragmentEntrySize) + int64(t.Inodes)*disk.InodeRefSize + disk.IDSize
	// Each metadata block has a header, and lookup tables an index entry.
	metadataBlocks := metadata/disk.MetadataSize + tables
	// There are no more groups than entries, and each begins at a multiple of disk.Padding.
	pads := int64(len(t.entries)) * disk.Padding
	return head + optionsMax + t.Bytes + pads + metadata +
		metadataBlocks*(disk.MetadataHeaderSize+disk.TableRefSize) + padMax + disk.RecordSizeMax(len(t.entries))
}
