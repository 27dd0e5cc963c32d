package squashfs

import (
	"encoding/binary"
	"fmt"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// lookupTable is a table of records of one size, found by number: metadata
// blocks, and behind them a list of the blocks' positions.
type lookupTable struct {
	name       string
	count      uint64
	recordSize int
	blocks     []uint64 // positions of the blocks, and of the list as the last one's end
}

// openLookupTable reads the list of positions at index. The list ends where
// the next table begins, at end.
func (r *Reader) openLookupTable(name string, index, count uint64, recordSize int, end uint64) (lookupTable, error) {
	perBlock := uint64(disk.MetadataSize / recordSize)
	blocks := (count + perBlock - 1) / perBlock
	length := blocks * disk.TableRefSize
	if index > end || end-index != length {
		return lookupTable{}, fmt.Errorf("%s: list of %d blocks at %d does not end with the table at %d", name, blocks, index, end)
	}
	p := make([]byte, length)
	if err := r.readAt(p, index); err != nil {
		return lookupTable{}, fmt.Errorf("reading %s: %w", name, err)
	}
	t := lookupTable{name: name, count: count, recordSize: recordSize, blocks: make([]uint64, blocks, blocks+1)}
	if _, err := binary.Decode(p, binary.LittleEndian, t.blocks); err != nil {
		return lookupTable{}, fmt.Errorf("reading %s: %w", name, err)
	}
	t.blocks = append(t.blocks, index)
	if t.blocks[0] < r.data.start {
		return lookupTable{}, fmt.Errorf("%s: block at %d, before the data at %d", name, t.blocks[0], r.data.start)
	}
	for i := range blocks {
		const longest = disk.MetadataHeaderSize + disk.MetadataSize
		if a, b := t.blocks[i], t.blocks[i+1]; a >= b || b-a > longest {
			return lookupTable{}, fmt.Errorf("%s: block at %d cannot end at %d", name, a, b)
		}
	}
	return t, nil
}

// start is where the table's first block is; an empty table, which takes no
// room, is at end.
func (t *lookupTable) start(end uint64) uint64 {
	if len(t.blocks) == 0 {
		return end
	}
	return t.blocks[0]
}

// blockOf is the metadata block that has record i.
func (t *lookupTable) blockOf(i uint64) uint64 {
	return t.blocks[i*uint64(t.recordSize)/disk.MetadataSize]
}

// row decodes record i of t into v.
func (r *Reader) row(t *lookupTable, i uint64, v any) error {
	if i >= t.count {
		return fmt.Errorf("%s: record %d of %d", t.name, i, t.count)
	}
	at := i * uint64(t.recordSize)
	block, offset := at/disk.MetadataSize, at%disk.MetadataSize
	b, err := r.metadataBlock(t.blocks[block], t.blocks[block+1])
	if err != nil {
		return fmt.Errorf("reading %s: %w", t.name, err)
	}
	if uint64(len(b.data)) < offset+uint64(t.recordSize) {
		return fmt.Errorf("%s: block at %d ends before record %d", t.name, t.blocks[block], i)
	}
	_, err = binary.Decode(b.data[offset:], binary.LittleEndian, v)
	return err
}

func (r *Reader) readIDs(t lookupTable) ([]uint32, error) {
	ids := make([]uint32, t.count)
	for i := range ids {
		if err := r.row(&t, uint64(i), &ids[i]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
