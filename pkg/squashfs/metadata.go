package squashfs

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// metadata is a table that is being made: records one after the other, cut
// into blocks of metadataSize bytes, each compressed when it is full. Records
// may straddle blocks.
type metadata struct {
	enc    *codec.Encoder
	packed []byte // room for a compressed block
	table  []byte // finished blocks, each with its header
	block  []byte // the block being filled
	total  int64  // bytes of records
}

func newMetadata(c *codec.Codec) *metadata {
	return &metadata{enc: c.NewEncoder(), packed: make([]byte, c.Bound()), block: make([]byte, 0, metadataSize)}
}

// position is where the next record will begin: its block's place in the
// finished table and its offset in the block.
func (m *metadata) position() (block uint32, offset uint16, err error) {
	if len(m.table) > math.MaxUint32 {
		return 0, 0, fmt.Errorf("metadata table above %d bytes", uint32(math.MaxUint32))
	}
	return uint32(len(m.table)), uint16(len(m.block)), nil
}

func (m *metadata) write(p []byte) error {
	m.total += int64(len(p))
	for len(p) > 0 {
		n := min(len(p), metadataSize-len(m.block))
		m.block = append(m.block, p[:n]...)
		p = p[n:]
		if len(m.block) == metadataSize {
			if err := m.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush ends the block being filled.
func (m *metadata) flush() error {
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
		m.table = append(m.table, storedMetadata(m.block)...)
	}
	m.block = m.block[:0]
	return nil
}

// storedMetadata is p, at most metadataSize bytes, as an uncompressed block.
func storedMetadata(p []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(p))|metadataStored), p...)
}

// writeTo writes the whole table and returns where it begins.
func (m *metadata) writeTo(out *sequentialWriter) (start uint64, err error) {
	if err := m.flush(); err != nil {
		return 0, err
	}
	start = uint64(out.pos)
	return start, out.write(m.table)
}

// writeLookupTable writes records of one size as metadata blocks, behind them
// the list of the blocks' positions in the image, and returns where the list
// is. Fragment, export and ID tables have this form.
func writeLookupTable[T fragmentEntry | inodeRef | uint32](out *sequentialWriter, c *codec.Codec, records []T) (start uint64, err error) {
	m := newMetadata(c)
	perBlock := metadataSize / binary.Size(records[0])
	var index []byte
	for len(records) > 0 {
		n := min(perBlock, len(records))
		index = binary.LittleEndian.AppendUint64(index, uint64(out.pos)+uint64(len(m.table)))
		p, err := binary.Append(nil, binary.LittleEndian, records[:n])
		if err != nil {
			return 0, err
		}
		if err := m.write(p); err != nil {
			return 0, err
		}
		records = records[n:]
	}
	if _, err := m.writeTo(out); err != nil {
		return 0, err
	}
	start = uint64(out.pos)
	return start, out.write(index)
}
