package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Extent is a run of bytes of a file in the file system.
type Extent struct {
	Offset, Size int64 // in bytes
}

// tableChunk is how much of the allocation table is read at once, in bytes: a
// multiple of three and of eight, so that no element is cut.
const tableChunk = 12 << 10

// Elements of the table that do not name a cluster (page 15).
const (
	freeCluster   = 0
	badCluster    = 0x0FFFFFF7
	minEndOfChain = 0x0FFFFFF8
)

// element returns what the table has for a cluster: the next of its file, or
// one of the marks as FAT32 has them.
func (r *Reader) element(cluster uint32) (uint32, error) {
	at := int64(cluster) * int64(r.info.Bits) / 8
	r.mu.Lock()
	defer r.mu.Unlock()
	if start := at / tableChunk * tableChunk; r.chunk == nil || start != r.chunkStart {
		chunk := make([]byte, min(tableChunk, r.tableLength-start))
		if err := r.readAt(chunk, r.tableStart+start); err != nil {
			return 0, fmt.Errorf("reading allocation table: %w", err)
		}
		r.chunk, r.chunkStart = chunk, start
	}
	p := r.chunk[at-r.chunkStart:]
	var e, end uint32
	switch r.info.Bits {
	case 12:
		e, end = uint32(binary.LittleEndian.Uint16(p)), 0xFF7
		if cluster%2 == 1 {
			e >>= 4
		}
		e &= 0xFFF
	case 16:
		e, end = uint32(binary.LittleEndian.Uint16(p)), 0xFFF7
	default:
		return binary.LittleEndian.Uint32(p) & 0x0FFFFFFF, nil
	}
	if e >= end {
		e |= 0x0FFFF000
	}
	return e, nil
}

// isCluster says whether a number is that of a cluster.
func (r *Reader) isCluster(c uint32) bool {
	return c >= firstCluster && int64(c) < r.info.Clusters+firstCluster
}

// place is where a cluster is.
func (r *Reader) place(c uint32) int64 {
	return r.dataStart + int64(c-firstCluster)*int64(r.info.ClusterSize)
}

// chain follows the clusters of a file. One that leads back into itself is an
// error, found by Brent's method: a cluster is kept that is met again.
type chain struct {
	r       *Reader
	next    uint32 // or a mark
	kept    uint32
	steps   int64 // since it was kept
	keepFor int64
}

func (r *Reader) chain(first uint32) *chain {
	return &chain{r: r, next: first, keepFor: 1}
}

var errLoop = errors.New("its clusters go round in a circle")

// cluster returns the next cluster, 0 behind the last.
func (c *chain) cluster() (uint32, error) {
	this := c.next
	switch {
	case this >= minEndOfChain:
		return 0, nil
	case this == badCluster:
		return 0, errors.New("leads to a bad cluster")
	case this == freeCluster:
		return 0, errors.New("leads to a free cluster")
	case !c.r.isCluster(this):
		return 0, fmt.Errorf("leads to cluster %d, there are %d", this, c.r.info.Clusters)
	case this == c.kept:
		return 0, errLoop
	}
	if c.steps++; c.steps == c.keepFor {
		c.kept, c.steps, c.keepFor = this, 0, 2*c.keepFor
	}
	var err error
	c.next, err = c.r.element(this)
	return this, err
}

// extents returns where the first size bytes of the file lie that begins with
// cluster first. The list grows with what the table has.
func (r *Reader) extents(first uint32, size int64) ([]Extent, error) {
	if size == 0 {
		return nil, nil
	}
	if size > r.size {
		return nil, fmt.Errorf("%d bytes are more than the file system has", size)
	}
	var list []Extent
	chain := r.chain(first)
	for left := size; left > 0; {
		c, err := chain.cluster()
		if err != nil {
			return nil, err
		}
		if c == 0 {
			return nil, fmt.Errorf("its clusters end %d bytes before its end", left)
		}
		part := min(left, int64(r.info.ClusterSize))
		left -= part
		if n := len(list); n > 0 && list[n-1].Offset+list[n-1].Size == r.place(c) {
			list[n-1].Size += part
			continue
		}
		list = append(list, Extent{Offset: r.place(c), Size: part})
	}
	return list, nil
}
