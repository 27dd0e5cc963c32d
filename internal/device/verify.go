package device

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// verify reads the body back and compares it with the hashes of the image.
func (g *target) verify(size int64) error {
	var sum hash.Hash
	if g.t.options.Sum {
		sum = sha256.New()
	}
	g.done = 0
	g.report(Verifying)
	for offset := int64(0); offset < size; offset += chunkSize {
		length := min(chunkSize, roundUp(size-offset), g.dev.Disk.Size-offset)
		data := g.buffer[:length]
		g.fillEnds(offset, data)
		if start, end := g.body(offset, length); start < end {
			body := data[start-offset : end-offset]
			if err := g.read(start, body); err != nil {
				return err
			}
			if at := g.t.sums.firstDifference(start, body); at >= 0 {
				return g.difference(at, data[at-offset:])
			}
		}
		if sum != nil {
			sum.Write(data[:min(length, size-offset)])
		}
		g.done = min(size, offset+length)
		g.report(Verifying)
	}
	if sum != nil {
		g.result.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// fillEnds puts what is written last into a piece of the image.
func (g *target) fillEnds(offset int64, data []byte) {
	head := g.head
	if g.built != nil {
		head = g.built
	}
	if offset < int64(len(head)) {
		copy(data, head[offset:])
	}
	if end := offset + int64(len(data)); end > g.tailStart {
		from := max(offset, g.tailStart)
		copy(data[from-offset:], g.tail[from-g.tailStart:])
	}
}

// difference names the byte, or as much as is known of its place, in a block
// that is not what it should be.
func (g *target) difference(offset int64, there []byte) error {
	there = there[:min(blockSize, len(there))]
	if g.t.options.Source != nil {
		want := make([]byte, len(there)) // zeros behind the end
		_, _ = g.t.options.Source.ReadAt(want, offset)
		if i := firstDifference(there, want); i >= 0 {
			return &DifferenceError{g.dev.Disk.Path, offset + int64(i), 1}
		}
	}
	return &DifferenceError{g.dev.Disk.Path, offset, blockSize}
}
