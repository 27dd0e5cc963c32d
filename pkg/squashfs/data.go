package squashfs

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"
)

// How file contents reach the image:
//
//	groups -> plan -> [blocks and batches] -> assemble -> [blocks] -> store
//	              \                              |               |
//	               readers ---- jobs for the pool of workers ----'
//
// plan cuts large files into blocks and gathers small ones in batches;
// assemble drops small files that are duplicates and fills fragment blocks
// with the others, by likeness; store writes blocks one after the other.
// Hashing, comparing, compressing and copying happen in the pool. Readers fill
// pieces and pass them on to the pool; they are more than workers, because they
// mostly wait for a disk. Whoever hands on a piece puts it into the next queue
// first and gives it to readers or the pool second: order comes from the queue,
// whenever the pool is done with the piece, and the length of the queue bounds
// the memory.
//
// What the earlier image has goes straight from plan to store.

// content is the contents of a file, and of those that are equal to it. Who owns
// it is decided before anything is written; where it lies is written down by
// store alone, but for the offset in a fragment block, which comes from assemble
// before.
type content struct {
	owner *node // the file that it is stored for
	location
}

// location is where contents lie in an image.
type location struct {
	start    uint64   // of the first block that takes room, 0 if there is none
	sizes    []uint32 // of each block as the inode has it, 0 for a hole
	sparse   uint64   // bytes in holes
	fragment uint32   // index of the fragment block, or invalidFragment
	offset   uint32   // in the fragment block
}

func newContent(owner *node) *content {
	return &content{owner: owner, location: location{fragment: disk.InvalidFragment}}
}

// blockBytes is how much room the blocks take in the image.
func (l *location) blockBytes() (sum uint64) {
	for _, size := range l.sizes {
		sum += placedBlock{size: size}.length()
	}
	return sum
}

// piece is something on its way through the queues: a *block, a *batch, a
// *copiedGroup, a *copiedFile or a mark.
type piece interface{}

// Marks stand between the pieces.
type (
	groupStart struct{ group *group }
	groupEnd   struct{ group *group }
	windowEnd  struct{}
)

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
	file     *content   // of which it is the next block; nil: a fragment block
	members  []*content // of a fragment block
	source   source     // of the file
	offset   int64      // in the file
	length   int
	last     bool   // the file must end here
	hole     bool   // known to be all zero
	raw      []byte // a buffer, in use from reading to writing
	packed   []byte // a buffer for the compressed form
	stored   []byte // what goes into the image: raw or packed
	diskSize uint32 // as the format has it: with dataStored if raw, 0 for a hole
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
		return fmt.Errorf("block of %q: %w", b.source.path, err)
	}
	if n > 0 {
		b.stored, b.diskSize = b.packed[:n], uint32(n)
	} else {
		b.stored, b.diskSize = raw, uint32(len(raw))|disk.DataStored
	}
	return nil
}

// writtenData is what writeData leaves for the inodes and tables.
type writtenData struct {
	fragments []disk.FragmentEntry
	groups    []groupRecord
	summary   Summary
}

// Queue lengths for each worker, in pieces of up to a block. Pieces before
// assemble wait for a window to be put in order, which takes as long as the
// fastest codecs need for a few blocks.
const (
	plannedPerWorker   = 4
	assembledPerWorker = 3
)

// writeData writes the contents of all files and notes in the nodes where
// they lie.
func (t *Tree) writeData(ctx context.Context, out *sequentialWriter, opts Options) (*writtenData, error) {
	equal, err := findEqual(ctx, t, opts)
	if err != nil {
		return nil, err
	}
	blockSize := opts.Codec.Settings().BlockSize
	stages, ctx := errgroup.WithContext(ctx)
	p := &pipeline{
		ctx:       ctx,
		opts:      opts,
		blockSize: blockSize,
		groups:    t.groups(blockSize),
		earlier:   t.earlier,
		equal:     equal,
		known:     make(map[identity]*content),
		reads:     make(chan reading),
		pool:      make(chan job),
		planned:   make(chan piece, plannedPerWorker*opts.Workers),
		assembled: make(chan piece, assembledPerWorker*opts.Workers),
		buffers:   newBuffers(max(blockSize+1, opts.Codec.Bound())),
	}
	var pool sync.WaitGroup
	for range opts.Workers {
		w := &worker{encoder: opts.Codec.NewEncoder(), buffers: p.buffers, likeness: &likeness.Sorter{}}
		pool.Go(func() {
			for j := range p.pool {
				j.finish(j.work(w))
			}
		})
	}
	var readers sync.WaitGroup
	for range cap(p.planned) { // more would find nothing to read
		readers.Go(p.read)
	}
	stages.Go(func() error { return p.plan(t) })
	stages.Go(p.assemble)
	stages.Go(func() error { return (&storer{pipeline: p, out: out}).store() })
	err = stages.Wait()
	close(p.reads)
	readers.Wait()
	close(p.pool)
	pool.Wait()
	if err != nil {
		return nil, err
	}
	for _, g := range p.groups {
		if g.record.Size > 0 {
			g.record.Key = groupKey(t, g)
			p.result.groups = append(p.result.groups, g.record)
		}
	}
	p.result.summary.DuplicateFiles = int(p.duplicateFiles.Load())
	p.result.summary.DuplicateBytes = p.duplicateBytes.Load()
	opts.Progress(p.skipped.Swap(0))
	return &p.result, nil
}

// pipeline is one run of writeData.
type pipeline struct {
	ctx       context.Context
	opts      Options
	blockSize int
	groups    []*group
	earlier   *Earlier // nil if there is none
	equal     *equality
	known     map[identity]*content // files that plan met
	result    writtenData
	reads     chan reading
	pool      chan job
	planned   chan piece
	assembled chan piece
	buffers   *buffers

	duplicateFiles atomic.Int64
	duplicateBytes atomic.Int64
	skipped        atomic.Int64 // bytes of duplicates, not yet told to Options.Progress
}

// read is what a reader does.
func (p *pipeline) read() {
	for r := range p.reads {
		err := r.read(p.buffers)
		if err == nil {
			err = send[job](p.ctx, p.pool, r)
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
	likeness *likeness.Sorter
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
