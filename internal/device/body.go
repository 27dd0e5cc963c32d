package device

import (
	"bytes"
	"errors"
)

// stripe is the unit of updates: flash is erased in pieces of this size or
// larger, so that smaller ones would save nothing.
const stripe = 64 << 10

// take deals with a chunk of the image.
func (g *target) take(c *chunk) error {
	data := c.data
	if g.besides != nil && c.offset+int64(len(bytes.TrimRight(data, "\x00"))) > g.besides.Limit {
		return &TooSmallError{g.dev.Disk.Path, g.besides.Limit, max(g.total, c.offset+int64(len(data)))}
	}
	if end := c.offset + int64(len(data)); end > g.dev.Disk.Size {
		// Only zeros, to fill the last block, may be behind the end.
		fits := max(0, g.dev.Disk.Size-c.offset)
		if len(bytes.TrimRight(data[fits:], "\x00")) > 0 || int64(len(data))-fits >= blockSize {
			return &TooSmallError{g.dev.Disk.Path, g.dev.Disk.Size, max(g.total, end)}
		}
		data = data[:fits]
	}
	g.keep(c.offset, data)
	if g.mode == Compare {
		from := int64(0)
		if g.besides != nil { // the head is compared in finish
			from = min(max(headSize-c.offset, 0), int64(len(data)))
		}
		if err := g.compare(c.offset+from, data[from:]); err != nil {
			return err
		}
	} else {
		start, end := g.body(c.offset, int64(len(data)))
		if start < end {
			if err := g.put(start, data[start-c.offset:end-c.offset]); err != nil {
				return err
			}
		}
	}
	g.done += int64(len(data))
	g.report(g.phase)
	return nil
}

// body is the part of a piece of the image that is not written last.
func (g *target) body(offset, length int64) (start, end int64) {
	return max(offset, headSize), min(offset+length, g.tailStart)
}

// keep keeps what is written last.
func (g *target) keep(offset int64, data []byte) {
	if offset < headSize {
		n := min(headSize, int(offset)+len(data))
		if n > len(g.head) {
			g.head = g.head[:n]
		}
		copy(g.head[offset:], data)
	}
	if end := offset + int64(len(data)); end > g.tailStart {
		from := max(offset, g.tailStart)
		copy(g.tail[from-g.tailStart:], data[from-offset:])
	}
}

// put writes a piece of the body, or what differs of it.
func (g *target) put(offset int64, data []byte) error {
	if g.mode != Update {
		return g.replace(offset, data)
	}
	old := g.buffer[:len(data)]
	err := g.read(offset, old)
	var failed *IOError
	if errors.As(err, &failed) && !failed.Gone() {
		// What cannot be read may still be written, and is verified then.
		return g.replace(offset, data)
	}
	if err != nil {
		return err
	}
	for start := 0; start < len(data); {
		same, end := run(data, old, start)
		if same {
			g.result.Equal += int64(end - start)
		} else if err := g.replace(offset+int64(start), data[start:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// run returns where the stripes end, from start on, that are all the same in
// two slices of one length, or all different.
func run(a, b []byte, start int) (same bool, end int) {
	equal := func(at int) bool {
		next := min(at+stripe, len(a))
		return bytes.Equal(a[at:next], b[at:next])
	}
	same = equal(start)
	for end = start + stripe; end < len(a) && equal(end) == same; {
		end += stripe
	}
	return same, min(end, len(a))
}

// replace writes something that the device does not have.
func (g *target) replace(offset int64, data []byte) error {
	if err := g.void(); err != nil {
		return err
	}
	g.result.Written += int64(len(data))
	return g.write(offset, data)
}

// compare compares a piece of the image with what the device has there.
func (g *target) compare(offset int64, data []byte) error {
	there := g.buffer[:len(data)]
	if err := g.read(offset, there); err != nil {
		return err
	}
	if apart := g.t.options.Apart; apart != nil {
		for _, span := range apart[g.index] {
			start := min(max(span.Offset-offset, 0), int64(len(data)))
			end := min(max(span.Offset+span.Size-offset, start), int64(len(data)))
			copy(there[start:end], data[start:end])
		}
	}
	if i := firstDifference(there, data); i >= 0 {
		return &DifferenceError{g.dev.Disk.Path, offset + int64(i), 1}
	}
	g.result.Equal += int64(len(data))
	return nil
}

// firstDifference returns the first index at which two slices of one length
// differ, or -1.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
