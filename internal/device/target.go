package device

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// headSize is the beginning of an image that is written last: partition
	// tables, volume descriptors, boot catalog.
	headSize = 1 << 20

	// tailSize is the end of a device that is cleared: the backup GPT (UEFI
	// 2.10 §5.3.1: 33 sectors), the last two labels of ZFS (512 KiB), the
	// superblocks of md 0.90 and 1.0 and of firmware RAIDs.
	tailSize = 1 << 20

	// stripe is the unit of updates: flash is erased in pieces of this size
	// or larger, so that smaller ones would save nothing.
	stripe = 64 << 10
)

// unfinished stands at the beginning of a device between the first change to
// it and the last one: for people who look, and for the next run.
var unfinished = []byte("livebuild: this disk was not written to the end.\n")

// Unfinished reports whether a device was begun and not finished: comparing it
// with an image is then worth the reading.
func Unfinished(dev *Device) bool {
	b := make([]byte, len(unfinished))
	_, err := dev.ReadAt(b, 0)
	return err == nil && bytes.Equal(b, unfinished)
}

// target is one device of a transfer and what is done with it.
type target struct {
	t     *Transfer
	index int
	dev   *Device
	mode  Mode
	queue chan *chunk // at last one without data, at the end of the image

	head, tail []byte // of the device, as they shall be; head grows to headSize
	tailStart  int64
	buffer     []byte // what was read

	voided bool // head and tail of the device are overwritten
	phase  Phase
	done   int64
	total  int64
	result Result

	started  time.Time
	ended    chan struct{} // run has returned
	failed   chan struct{}
	failOnce sync.Once
	err      error // after failed

	// The step at work, for watch: when it began, in nanoseconds since
	// started, plus one; 0 for none. And where it is.
	step atomic.Int64
	at   atomic.Int64
}

func newTarget(t *Transfer, index int, dev *Device) (*target, error) {
	g := &target{
		t:         t,
		index:     index,
		dev:       dev,
		mode:      t.options.Modes[index],
		queue:     make(chan *chunk, chunksAhead+1),
		tailStart: max(headSize, (dev.Disk.Size-tailSize)/blockSize*blockSize),
		phase:     Writing,
		total:     t.options.Size,
		started:   time.Now(),
		ended:     make(chan struct{}),
		failed:    make(chan struct{}),
	}
	if g.mode == Compare {
		g.phase = Verifying
	}
	var err error
	if g.buffer, err = newBuffer(chunkSize); err != nil {
		return nil, err
	}
	if g.head, err = newBuffer(headSize); err != nil {
		return nil, err
	}
	g.head = g.head[:0]
	if n := dev.Disk.Size - g.tailStart; n > 0 {
		g.tail, err = newBuffer(int(n))
	}
	return g, err
}

// run works on what is sent to the device until everything is done or fails.
// It can be stuck in a system call for as long as the device is; wait does not
// wait for that.
func (g *target) run() {
	defer close(g.ended)
	for {
		select {
		case <-g.failed:
			return
		case <-g.t.ctx.Done():
			g.fail(context.Cause(g.t.ctx))
			return
		case c := <-g.queue:
			if c.data == nil { // the end
				if err := g.finish(c.offset); err != nil {
					g.fail(err)
					return
				}
				g.report(Done)
				return
			}
			err := g.take(c)
			g.t.release(c)
			if err != nil {
				g.fail(err)
				return
			}
		}
	}
}

// fail ends the work on the device.
func (g *target) fail(err error) {
	g.failOnce.Do(func() {
		g.err = err
		close(g.failed)
		g.t.lost()
		go g.drain()
	})
}

// drain takes what is still sent, so that the other devices are not held up.
func (g *target) drain() {
	for {
		select {
		case c := <-g.queue:
			if c.data != nil {
				g.t.release(c)
			}
		case <-g.t.ctx.Done():
			return
		}
	}
}

// wait returns the result when there is one.
func (g *target) wait() Result {
	select {
	case <-g.ended:
	case <-g.failed:
		patience := g.t.options.Stall
		if _, stalled := g.err.(*StalledError); stalled {
			patience = 0
		}
		select {
		case <-g.ended:
		case <-time.After(patience):
			// Stuck in a system call, which keeps its memory.
			return Result{Err: g.err, Duration: time.Since(g.started)}
		}
	}
	select {
	case <-g.failed:
		g.result.Err = g.err
	default:
	}
	g.result.Duration = time.Since(g.started)
	freeBuffer(g.buffer)
	freeBuffer(g.head)
	if g.tail != nil {
		freeBuffer(g.tail)
	}
	return g.result
}

// watch gives up a device on which a step takes too long.
func (g *target) watch() {
	limit := g.t.options.Stall
	tick := time.NewTicker(max(time.Millisecond, min(time.Second, limit/10)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			step := g.step.Load()
			if step != 0 && time.Since(g.started)-time.Duration(step-1) > limit {
				g.fail(&StalledError{g.dev.Disk.Path, g.at.Load(), limit.String()})
				return
			}
		case <-g.failed:
			return
		case <-g.ended:
			return
		}
	}
}

// do does a step that the device may not answer. A device that was given up
// meanwhile gets no further ones.
func (g *target) do(offset int64, f func() error) error {
	select {
	case <-g.failed:
		return g.err
	case <-g.t.ctx.Done():
		return context.Cause(g.t.ctx)
	default:
	}
	g.at.Store(offset)
	g.step.Store(int64(time.Since(g.started)) + 1)
	defer g.step.Store(0)
	return f()
}

func (g *target) write(offset int64, p []byte) error {
	return g.do(offset, func() error { return g.dev.write(offset, p) })
}

func (g *target) read(offset int64, p []byte) error {
	return g.do(offset, func() error { return g.dev.read(offset, p) })
}

func (g *target) sync() error { return g.do(0, g.dev.sync) }

func (g *target) report(phase Phase) {
	g.phase = phase
	done := g.done
	if g.total > 0 { // the last block is written whole
		done = min(done, g.total)
	}
	g.t.options.Progress(g.index, Progress{phase, done, g.total})
}

// take deals with a chunk of the image.
func (g *target) take(c *chunk) error {
	data := c.data
	if end := c.offset + int64(len(data)); end > g.dev.Disk.Size {
		// Only zeros, to fill the last block, may be behind the end.
		fits := max(0, g.dev.Disk.Size-c.offset)
		if len(bytes.TrimRight(data[fits:], "\x00")) > 0 || int64(len(data))-fits >= blockSize {
			return &TooSmallError{g.dev.Disk.Path, g.dev.Disk.Size, max(g.total, end)}
		}
		data = data[:fits]
	}
	if g.mode == Compare {
		if err := g.compare(c.offset, data); err != nil {
			return err
		}
	} else {
		g.keep(c.offset, data)
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
		g.result.Written += int64(len(data))
		if err := g.void(); err != nil {
			return err
		}
		return g.write(offset, data)
	}
	old := g.buffer[:len(data)]
	if err := g.read(offset, old); err != nil {
		ioErr, ok := err.(*IOError)
		if !ok || ioErr.Gone() {
			return err
		}
		// What cannot be read may still be written, and is verified then.
		g.result.Written += int64(len(data))
		if err := g.void(); err != nil {
			return err
		}
		return g.write(offset, data)
	}
	for start := 0; start < len(data); {
		end := min(start+stripe, len(data))
		if bytes.Equal(data[start:end], old[start:end]) {
			g.result.Equal += int64(end - start)
			start = end
			continue
		}
		for end < len(data) {
			next := min(end+stripe, len(data))
			if bytes.Equal(data[end:next], old[end:next]) {
				break
			}
			end = next
		}
		if err := g.void(); err != nil {
			return err
		}
		if err := g.write(offset+int64(start), data[start:end]); err != nil {
			return err
		}
		g.result.Written += int64(end - start)
		start = end
	}
	return nil
}

// compare compares a piece of the image with what the device has there.
func (g *target) compare(offset int64, data []byte) error {
	there := g.buffer[:len(data)]
	if err := g.read(offset, there); err != nil {
		return err
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

// void makes the device look empty, before anything else on it changes: the
// end first, since firmware that finds no GPT at the beginning restores it from
// the backup at the end (EDK II, PartitionDxe).
func (g *target) void() error {
	if g.voided {
		return nil
	}
	g.voided = true
	empty, err := newBuffer(max(headSize, len(g.tail)))
	if err != nil {
		return err
	}
	defer freeBuffer(empty)
	if len(g.tail) > 0 {
		if err := g.write(g.tailStart, empty[:len(g.tail)]); err != nil {
			return err
		}
	}
	copy(empty, unfinished)
	if err := g.write(0, empty[:min(headSize, g.dev.Disk.Size)]); err != nil {
		return err
	}
	return g.sync()
}

// finish does what comes after the body.
func (g *target) finish(size int64) error {
	g.total = size
	if g.mode == Compare {
		g.result.Verified = true
		return nil
	}
	same := false
	if g.mode == Update && !g.voided {
		var err error
		if same, err = g.endsEqual(); err != nil {
			return err
		}
	}
	late := int64(len(g.head)) + max(0, size-g.tailStart)
	if same {
		g.result.Equal += late
	} else {
		g.result.Written += late
		if err := g.void(); err != nil {
			return err
		}
		g.report(Syncing)
		if err := g.sync(); err != nil {
			return err
		}
	}
	// Nothing that is not verified gets a beginning.
	if g.t.options.Verify {
		if err := g.verify(size); err != nil {
			return err
		}
	}
	if !same {
		if err := g.writeEnds(); err != nil {
			return err
		}
	}
	g.result.Verified = g.t.options.Verify
	g.result.Written = min(g.result.Written, size)
	g.result.Equal = min(g.result.Equal, size-g.result.Written)
	return nil
}

// endsEqual reports whether head and tail of the device are as they shall be.
func (g *target) endsEqual() (bool, error) {
	head := g.buffer[:len(g.head)]
	if err := g.read(0, head); err != nil {
		return false, err
	}
	if !bytes.Equal(head, g.head) {
		return false, nil
	}
	tail := g.buffer[:len(g.tail)]
	if err := g.read(g.tailStart, tail); err != nil {
		return false, err
	}
	return bytes.Equal(tail, g.tail), nil
}

// writeEnds writes what makes the device an image.
func (g *target) writeEnds() error {
	g.report(Syncing)
	if len(g.tail) > 0 {
		if err := g.write(g.tailStart, g.tail); err != nil {
			return err
		}
	}
	if err := g.sync(); err != nil {
		return err
	}
	if err := g.write(0, g.head); err != nil {
		return err
	}
	if err := g.sync(); err != nil {
		return err
	}
	if !g.t.options.Verify {
		return nil
	}
	for _, end := range []struct {
		offset int64
		want   []byte
	}{{g.tailStart, g.tail}, {0, g.head}} {
		there := g.buffer[:len(end.want)]
		if err := g.read(end.offset, there); err != nil {
			return err
		}
		if i := firstDifference(there, end.want); i >= 0 {
			return &DifferenceError{g.dev.Disk.Path, end.offset + int64(i), 1}
		}
	}
	return nil
}

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
	if offset < int64(len(g.head)) {
		copy(data, g.head[offset:])
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
