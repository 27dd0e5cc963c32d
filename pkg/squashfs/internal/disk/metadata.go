package disk

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
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
	out    *Writer    // gets compressed blocks at once; nil: they are kept
	block  []byte     // the one being filled
	full   []*pressed // behind those that are settled
	kept   [][]byte   // compressed blocks
	size   int64      // of compressed blocks, in bytes
	starts []uint32   // of each compressed block, and of the one behind them
	total  int64      // bytes of records
	err    error      // the first one
}

// pressedAhead is how many compressed blocks may wait for their place: enough for many workers.
const pressedAhead = 256

// NewMetadata returns an empty table whose blocks the pool will compress.
func NewMetadata(pool *Pool) *Metadata { return newMetadata(pool, nil) }

// newMetadata returns an empty table that is written to out as it is made. If that is nil, it
// is kept for [Writer.Metadata].
func newMetadata(pool *Pool, out *Writer) *Metadata {
	return &Metadata{pool: pool, out: out, block: make([]byte, 0, MetadataSize), starts: []uint32{0}}
}

// Total is how many bytes of records were added: where the next one will begin
// among them.
func (m *Metadata) Total() int64 { return m.total }

// Ref is the place of what begins at a position among the records. Settle has to be
// called when it was the next position, or later.
func (m *Metadata) Ref(at int64) InodeRef {
	return NewInodeRef(m.starts[at/MetadataSize], uint16(at%MetadataSize))
}

// Add adds a record, or a part of one. What goes wrong, Settle and Finish tell.
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
	if len(m.block) == 0 {
		return
	}
	m.full = append(m.full, m.pool.compress(m.block))
	m.block = make([]byte, 0, MetadataSize)
	if len(m.full) >= 2*pressedAhead {
		m.settle(pressedAhead)
	}
}

// Settle waits for all full blocks.
func (m *Metadata) Settle() error {
	m.settle(len(m.full))
	return m.err
}

// settle waits for the next so many full blocks.
func (m *Metadata) settle(count int) {
	for _, b := range m.full[:count] {
		<-b.done
		if m.err != nil {
			continue
		}
		if m.err = b.err; m.err != nil {
			continue
		}
		m.size += int64(len(b.data))
		if m.size > math.MaxUint32 {
			m.err = fmt.Errorf("metadata table above %d bytes", uint32(math.MaxUint32))
			continue
		}
		m.starts = append(m.starts, uint32(m.size))
		if m.out == nil {
			m.kept = append(m.kept, b.data)
		} else if _, err := m.out.Write(b.data); err != nil {
			m.err = fmt.Errorf("writing metadata: %w", err)
		}
	}
	m.full = slices.Delete(m.full, 0, count)
}

// Finish ends the table.
func (m *Metadata) Finish() error {
	m.flush()
	return m.Settle()
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

// LookupTable writes records of one size as metadata blocks, and returns the list of the
// blocks' positions, which belongs behind them. Fragment, export, ID and xattr tables have
// this form.
func LookupTable[T FragmentEntry | InodeRef | uint32 | XattrID](pool *Pool, out *Writer, records []T) (list []byte, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	m, pos := newMetadata(pool, out), out.Pos
	for block := range slices.Chunk(records, MetadataSize/binary.Size(records[0])) {
		p, err := binary.Append(nil, binary.LittleEndian, block)
		if err != nil {
			return nil, err
		}
		m.Add(p)
	}
	if err = m.Finish(); err != nil {
		return nil, err
	}
	for _, start := range m.starts[:len(m.starts)-1] {
		list = binary.LittleEndian.AppendUint64(list, uint64(pos)+uint64(start))
	}
	return list, nil
}
