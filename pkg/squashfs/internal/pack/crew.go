package pack

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"
)

// crew does the work that stages hand on: readers and the pool.
type crew struct {
	ctx     context.Context
	reads   chan reading
	jobs    chan job
	buffers *buffers

	backwards bool // see Options
}

// held is how many jobs a worker takes to itself at once when it works backwards.
const held = 3

// waiting are the jobs that a worker does next, of which it has the first.
func (c *crew) waiting(first job) []job {
	jobs := []job{first}
	for more := c.backwards; more && len(jobs) < held; {
		select {
		case next, ok := <-c.jobs:
			if more = ok; ok {
				jobs = append(jobs, next)
			}
		default:
			more = false
		}
	}
	slices.Reverse(jobs)
	return jobs
}

// piece is something on its way through the queues.
type piece interface{ isPiece() }

// Marks stand between the pieces.
type (
	groupStart struct{ group *Group }
	groupEnd   struct{ group *Group }
	windowEnd  struct{}
)

func (groupStart) isPiece()   {}
func (groupEnd) isPiece()     {}
func (windowEnd) isPiece()    {}
func (*block) isPiece()       {}
func (*batch) isPiece()       {}
func (*copiedGroup) isPiece() {}
func (*copiedFile) isPiece()  {}

// job is something that the pool works on.
type job interface {
	work(*worker) error
	finish(error)
}

// reading is a job on something that has to be read first.
type reading interface {
	job
	read(*buffers) error
}

// future is the part of a job that tells when the pool is done with it.
type future struct {
	done chan struct{} // closed when err is set
	err  error
}

func newFuture() future { return future{done: make(chan struct{})} }

func (f *future) finish(err error) {
	f.err = err
	close(f.done)
}

func (f *future) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// block is a piece of a large file, or a fragment block, on its way.
type block struct {
	future
	file     *content // of which it is the next block; nil: a fragment block
	members  []uint32 // of a fragment block: the numbers of the files
	source   source   // of the file
	offset   int64    // in the file
	length   int
	last     bool   // the file must end here
	hole     bool   // known to be all zero
	raw      []byte // a buffer, in use from reading to writing
	packed   []byte // a buffer for the compressed form
	stored   []byte // what goes into the image: raw or packed
	diskSize uint32 // as the format has it: with disk.DataStored if raw, 0 for a hole
}

// read reads the block of a file.
func (b *block) read(free *buffers) error {
	b.raw = free.get()
	return b.source.read(b.raw[:b.length+1], b.offset, b.last)
}

// work compresses the block.
func (b *block) work(w *worker) error {
	raw := b.raw[:b.length]
	if b.file != nil && isZero(raw) {
		b.hole = true
		return nil
	}
	b.packed = w.buffers.get()
	n, err := w.encoder.Encode(b.packed, raw)
	if err != nil {
		return fmt.Errorf("block of %q: %w", b.source.where(), err)
	}
	if n > 0 {
		b.stored, b.diskSize = b.packed[:n], uint32(n)
	} else {
		b.stored, b.diskSize = raw, uint32(len(raw))|disk.DataStored
	}
	return nil
}

// tally counts files that are stored with an equal one.
type tally struct {
	files  atomic.Int64
	bytes  atomic.Int64
	untold atomic.Int64 // of bytes, not yet told to Options.Progress
}

func (t *tally) add(size uint64) {
	t.files.Add(1)
	t.bytes.Add(int64(size))
	t.untold.Add(int64(size))
}

// read is what a reader does.
func (c *crew) read() {
	for r := range c.reads {
		err := r.read(c.buffers)
		if err == nil {
			err = send[job](c.ctx, c.jobs, r)
		}
		if err != nil {
			r.finish(err)
		}
	}
}

// worker is what one goroutine of the pool has to itself.
type worker struct {
	encoder  *codec.Encoder
	buffers  *buffers
	sorter   *likeness.Sorter
	digester *digester
}

func newWorker(c *codec.Codec, buffers *buffers, keys *keys) *worker {
	return &worker{encoder: c.NewEncoder(), buffers: buffers, sorter: &likeness.Sorter{}, digester: newDigester(keys)}
}

// send puts something into a queue.
func send[T any](ctx context.Context, queue chan<- T, x T) error {
	select {
	case queue <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var zeros [64 << 10]byte

func isZero(p []byte) bool {
	for len(p) > len(zeros) {
		if !bytes.Equal(p[:len(zeros)], zeros[:]) {
			return false
		}
		p = p[len(zeros):]
	}
	return bytes.Equal(p, zeros[:len(p)])
}

// buffers hands out and takes back buffers of one size.
type buffers struct {
	size int
	free chan []byte
}

// buffersKept is how many free buffers are kept: about as many as are in use
// at a time with two workers.
const buffersKept = 48

func newBuffers(size int) *buffers {
	return &buffers{size: size, free: make(chan []byte, buffersKept)}
}

func (b *buffers) get() []byte {
	select {
	case p := <-b.free:
		return p
	default:
		return make([]byte, b.size)
	}
}

func (b *buffers) put(p []byte) {
	if p == nil {
		return
	}
	select {
	case b.free <- p:
	default:
	}
}
