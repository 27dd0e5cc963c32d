package disk

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Metadata is a table that is being made: records one after the other, cut
// into blocks of MetadataSize bytes, each compressed when it is full. Records
// may straddle blocks.
type Metadata struct {
	enc    *codec.Encoder
	packed []byte // room for a compressed block
	table  []byte // finished blocks, each with its header
	block  []byte // the block being filled
	total  int64  // bytes of records
}

// NewMetadata returns an empty table whose blocks c will compress.
func NewMetadata(c *codec.Codec) *Metadata {
	return &Metadata{enc: c.NewEncoder(), packed: make([]byte, c.Bound()), block: make([]byte, 0, MetadataSize)}
}

// Position is where the next record will begin: its block's place in the
// finished table and its offset in the block.
func (m *Metadata) Position() (block uint32, offset uint16, err error) {
	if len(m.table) > math.MaxUint32 {
		return 0, 0, fmt.Errorf("metadata table above %d bytes", uint32(math.MaxUint32))
	}
	return uint32(len(m.table)), uint16(len(m.block)), nil
}

// Total is how many bytes of records were added.
func (m *Metadata) Total() int64 { return m.total }

// Add adds a record, or a part of one.
func (m *Metadata) Add(p []byte) error {
	m.total += int64(len(p))
	for len(p) > 0 {
		n := min(len(p), MetadataSize-len(m.block))
		m.block = append(m.block, p[:n]...)
		p = p[n:]
		if len(m.block) == MetadataSize {
			if err := m.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush ends the block being filled.
func (m *Metadata) flush() error {
	if len(m.block) == 0 {
		return nil
	}
	n, err := m.enc.Encode(m.packed, m.block)
	if err != nil {
		return err
	}
	if n > 0 {
		m.table = binary.LittleEndian.AppendUint16(m.table, uint16(n))
		m.table = append(m.table, m.packed[:n]...)
	} else {
		m.table = append(m.table, StoredMetadata(m.block)...)
	}
	m.block = m.block[:0]
	return nil
}

// Finish returns the whole table.
func (m *Metadata) Finish() ([]byte, error) {
	if err := m.flush(); err != nil {
		return nil, err
	}
	return m.table, nil
}

// StoredMetadata is p, at most MetadataSize bytes, as an uncompressed block.
func StoredMetadata(p []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(p))|MetadataStored), p...)
}

// LookupTable returns records of one size as metadata blocks, which will be at
// position pos of the image, and the list of the blocks' positions that follows
// them. Fragment, export, ID and xattr tables have this form.
func LookupTable[T FragmentEntry | InodeRef | uint32 | XattrID](c *codec.Codec, pos int64, records []T) (blocks, list []byte, err error) {
	m := NewMetadata(c)
	if len(records) == 0 {
		return nil, nil, nil
	}
	perBlock := MetadataSize / binary.Size(records[0])
	for len(records) > 0 {
		n := min(perBlock, len(records))
		list = binary.LittleEndian.AppendUint64(list, uint64(pos)+uint64(len(m.table)))
		p, err := binary.Append(nil, binary.LittleEndian, records[:n])
		if err != nil {
			return nil, nil, err
		}
		if err := m.Add(p); err != nil {
			return nil, nil, err
		}
		records = records[n:]
	}
	blocks, err = m.Finish()
	return blocks, list, err
}
