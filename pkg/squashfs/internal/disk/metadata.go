package disk

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Metadata is a table that is being made: records one after the other, cut
// into blocks of MetadataSize bytes, which are compressed while others are filled.
// Records may straddle blocks.
//
// A record is found by the place of its block among the compressed ones. Where
// it is among the records is known at once; the place is known when all blocks before
// it are compressed, which Settle waits for.
type Metadata struct {
	pool   *Pool
	block  []byte     // the one being filled
	full   []*pressed // behind those of the table
	table  []byte     // compressed blocks
	starts []uint32   // in it, of each of its blocks, and of the one behind them
	total  int64      // bytes of records
}

// NewMetadata returns an empty table whose blocks the pool will compress.
func NewMetadata(pool *Pool) *Metadata {
	return &Metadata{pool: pool, block: make([]byte, 0, MetadataSize), starts: []uint32{0}}
}

// Total is how many bytes of records were added: where the next one will begin
// among them.
func (m *Metadata) Total() int64 { return m.total }

// Ref is the place of what begins at a position among the records. Settle has to be
// called when it was the next position, or later.
func (m *Metadata) Ref(at int64) InodeRef {
	return NewInodeRef(m.starts[at/MetadataSize], uint16(at%MetadataSize))
}

// Add adds a record, or a part of one.
func (m *Metadata) Add(p []byte) {
	m.total += int64(len(p))
	for len(p) > 0 {
		n := min(len(p), MetadataSize-len(m.block))
		m.block = append(m.block, p[:n]...)
		p = p[n:]
		if len(m.block) == MetadataSize {
			m.flush()
		}
	}
}

// flush ends the block being filled.
func (m *Metadata) flush() {
	if len(m.block) > 0 {
		m.full = append(m.full, m.pool.compress(m.block))
		m.block = make([]byte, 0, MetadataSize)
	}
}

// Settle waits for all full blocks.
func (m *Metadata) Settle() error {
	for _, b := range m.full {
		<-b.done
		if b.err != nil {
			return b.err
		}
		m.table = append(m.table, b.data...)
		if len(m.table) > math.MaxUint32 {
			return fmt.Errorf("metadata table above %d bytes", uint32(math.MaxUint32))
		}
		m.starts = append(m.starts, uint32(len(m.table)))
	}
	m.full = nil
	return nil
}

// Finish returns the whole table.
func (m *Metadata) Finish() ([]byte, error) {
	m.flush()
	err := m.Settle()
	return m.table, err
}

// metadataBlock returns a block as it is in a table.
func (p *press) metadataBlock(block []byte) ([]byte, error) {
	n, err := p.encoder.Encode(p.room, block)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return StoredMetadata(block), nil
	}
	return append(binary.LittleEndian.AppendUint16(nil, uint16(n)), p.room[:n]...), nil
}

// StoredMetadata is p, at most MetadataSize bytes, as an uncompressed block.
func StoredMetadata(p []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(p))|MetadataStored), p...)
}

// LookupTable returns records of one size as metadata blocks, which will be at
// position pos of the image, and the list of the blocks' positions that follows
// them. Fragment, export, ID and xattr tables have this form.
func LookupTable[T FragmentEntry | InodeRef | uint32 | XattrID](pool *Pool, pos int64, records []T) (blocks, list []byte, err error) {
	m := NewMetadata(pool)
	if len(records) == 0 {
		return nil, nil, nil
	}
	perBlock := MetadataSize / binary.Size(records[0])
	for len(records) > 0 {
		n := min(perBlock, len(records))
		p, err := binary.Append(nil, binary.LittleEndian, records[:n])
		if err != nil {
			return nil, nil, err
		}
		m.Add(p)
		records = records[n:]
	}
	if blocks, err = m.Finish(); err != nil {
		return nil, nil, err
	}
	for _, start := range m.starts[:len(m.starts)-1] {
		list = binary.LittleEndian.AppendUint64(list, uint64(pos)+uint64(start))
	}
	return blocks, list, nil
}
