package device

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"
)

// Mode is what a transfer does with what is on the devices.
type Mode int

const (
	// Full writes everything.
	Full Mode = iota
	// Update reads what is there and writes what differs.
	Update
	// Compare writes nothing; what differs is a [DifferenceError].
	Compare
)

// Phase is what a device is at.
type Phase string

// The phases of a device, in order.
const (
	Writing   Phase = "writing"
	Syncing   Phase = "syncing"
	Verifying Phase = "verifying"
	Done      Phase = "done"
	Failed    Phase = "failed"
)

// Progress is how far a device is.
type Progress struct {
	Phase Phase
	Done  int64 // bytes of the image: taken by the device, or read back from it
	Total int64 // bytes of the image; 0 as long as it is not known
}

// Options are how a transfer is made.
type Options struct {
	Modes  []Mode        // of each device
	Verify bool          // read everything back
	Sum    bool          // also make the SHA-256 of what is read back
	Size   int64         // of the image if it is known, else 0
	Stall  time.Duration // how long a device may take for one step; 0 for DefaultStall

	// Apart, if set, is for each device what Compare leaves out.
	Apart [][]Span

	// Besides, if set, is for each device what it has besides the image, or nil.
	Besides []*Besides

	// Source, if set, is the image, so that the first byte that differs can
	// be named and not only its block.
	Source io.ReaderAt
	// Progress, if set, is called from several goroutines with the index of
	// the device.
	Progress func(device int, p Progress)
}

// Span is a part of a device, in bytes.
type Span struct{ Offset, Size int64 }

// DefaultStall is how long a device may be silent. Sticks have been seen to
// take 44 s for a write while they tidy up.
const DefaultStall = 2 * time.Minute

// Result is what became of a device.
type Result struct {
	Written  int64 // bytes of the image
	Equal    int64 // bytes of the image that were there already
	Verified bool
	SHA256   string // of the image as read back; empty without Options.Sum
	Duration time.Duration
	Err      error
}

// Transfer brings one image to several devices at once. It is an io.WriterAt
// to which the image is written, in any order, each byte once; bytes that are
// not written are zeros. Finish does the rest:
//
//   - Before anything else on a device changes, its beginning and its end are
//     overwritten and synced: an interrupted device looks like an empty one.
//   - Everything but the first and the last MiB of the device is written.
//   - It is synced, read back past the page cache, and compared.
//   - What the device has besides the image is written, if that is new.
//   - The end of the device is written: what the image has there, else zeros,
//     so that nothing is left of another partition table or RAID.
//   - The beginning of the image is written, synced, and read back.
//
// A device that fails is left alone from then on; the others go on. A device
// that does not answer delays the others until it has been silent for too long.
type Transfer struct {
	ctx     context.Context
	options Options
	targets []*target
	pool    pool
	sums    sums
	slots   chan struct{} // one for each chunk that devices still need
	none    chan struct{} // closed when no device is left
	stop    context.CancelFunc

	mu      sync.Mutex
	pending map[int64]*chunk // by offset, not filled yet
	sent    map[int64]bool
	alive   int
}

// NewTransfer begins a transfer to devices, which must not be closed before
// Finish has returned.
func NewTransfer(ctx context.Context, devices []*Device, opts Options) (*Transfer, error) {
	if opts.Stall == 0 {
		opts.Stall = DefaultStall
	}
	if opts.Progress == nil {
		opts.Progress = func(int, Progress) {}
	}
	ctx, stop := context.WithCancel(ctx)
	t := &Transfer{
		ctx:     ctx,
		stop:    stop,
		options: opts,
		sums:    sums{seed: maphash.MakeSeed()},
		slots:   make(chan struct{}, chunksAhead),
		none:    make(chan struct{}),
		pending: map[int64]*chunk{},
		sent:    map[int64]bool{},
		alive:   len(devices),
	}
	for i, dev := range devices {
		target, err := newTarget(t, i, dev)
		if err != nil {
			stop()
			return nil, err
		}
		t.targets = append(t.targets, target)
	}
	for _, target := range t.targets {
		go target.run()
		go target.watch()
	}
	return t, nil
}

// WriteAt takes a part of the image. It fails when no device is left.
func (t *Transfer) WriteAt(p []byte, offset int64) (int, error) {
	for n := 0; n < len(p); {
		at := int((offset + int64(n)) % chunkSize)
		part := p[n:min(len(p), n+chunkSize-at)]
		full, err := t.fill(part, offset+int64(n)-int64(at), at)
		if err != nil {
			return n, err
		}
		n += len(part)
		if full == nil {
			continue
		}
		if err := t.send(full); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// ReadFrom takes the image from its beginning to its end from a reader, which
// fills the chunks without a copy in between.
func (t *Transfer) ReadFrom(r io.Reader) (total int64, err error) {
	for {
		c, err := t.pool.get(total)
		if err != nil {
			return total, err
		}
		n, err := io.ReadFull(r, c.data)
		total += int64(n)
		c.spans = []span{{0, n}}
		switch {
		case err == io.EOF:
			t.pool.put(c)
			return total, nil
		case err == io.ErrUnexpectedEOF: // the rest is for Finish
			t.mu.Lock()
			t.pending[c.offset] = c
			t.mu.Unlock()
			return total, nil
		case err != nil:
			return total, err
		}
		t.mu.Lock()
		t.sent[c.offset] = true
		t.mu.Unlock()
		if err := t.send(c); err != nil {
			return total, err
		}
	}
}

// fill puts a part into the chunk at an offset, and returns the chunk if it is
// complete with that.
func (t *Transfer) fill(p []byte, start int64, at int) (*chunk, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent[start] {
		return nil, fmt.Errorf("byte %d of the image is written a second time", start+int64(at))
	}
	c := t.pending[start]
	if c == nil {
		var err error
		if c, err = t.pool.get(start); err != nil {
			return nil, err
		}
		t.pending[start] = c
	}
	if !c.fill(p, at) {
		return nil, nil
	}
	delete(t.pending, start)
	t.sent[start] = true
	return c, nil
}

// send gives a chunk to all devices that are left.
func (t *Transfer) send(c *chunk) error {
	if t.options.Verify {
		t.sums.add(c)
	}
	select {
	case t.slots <- struct{}{}:
	case <-t.none:
		return errNoDevice
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
	c.refs.Store(int32(len(t.targets)))
	for _, target := range t.targets {
		target.queue <- c // has room for all that have a slot, and the end
	}
	return nil
}

// release is called by each device that needs the chunk no longer.
func (t *Transfer) release(c *chunk) {
	if c.refs.Add(-1) == 0 {
		t.pool.put(c)
		<-t.slots
	}
}

// errNoDevice ends the reading or packing; the results say why.
var errNoDevice = fmt.Errorf("no device is left to write to")

// Finish says that the image has so many bytes and that all of them have been
// written, and returns what became of the devices.
func (t *Transfer) Finish(size int64) []Result {
	for start := int64(0); start < size; start += chunkSize {
		t.mu.Lock()
		c, sent := t.pending[start], t.sent[start]
		t.mu.Unlock()
		if sent {
			continue
		}
		var err error
		if c == nil {
			c, err = t.pool.get(start)
		}
		if err == nil {
			c.pad()
			c.data = c.data[:min(chunkSize, roundUp(size-start))]
			err = t.send(c)
		}
		if err != nil {
			return t.Abort(err)
		}
	}
	for _, target := range t.targets {
		target.queue <- &chunk{offset: size}
	}
	return t.wait()
}

// Abort ends the transfer because the image could not be made or read. What was
// begun is not completed: devices that were written to look empty.
func (t *Transfer) Abort(err error) []Result {
	for _, target := range t.targets {
		target.fail(err)
	}
	t.stop()
	return t.wait()
}

func (t *Transfer) wait() []Result {
	results := make([]Result, len(t.targets))
	for i, target := range t.targets {
		results[i] = target.wait()
	}
	t.stop()
	t.pool.close()
	return results
}

// lost is called once for each device that fails.
func (t *Transfer) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.alive--; t.alive == 0 {
		close(t.none)
	}
}
