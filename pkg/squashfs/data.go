package squashfs

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// How file contents reach the image:
//
//	files in order -> plan -> [blocks and batches] -> assemble -> [blocks] -> store
//	                              \                       |
//	                               `---- work for the pool of workers
//
// plan cuts large files into blocks and gathers small ones in batches;
// assemble drops small files that are duplicates and fills fragment blocks
// with the others; store writes blocks one after the other. Reading, hashing
// and compressing happen in the pool. Whoever hands on a piece puts it into
// the next queue first and gives it to the pool second: order comes from the
// queue, whenever the pool is done with the piece, and the length of the queue
// bounds the memory.

// content is where a file's bytes lie in the image.
type content struct {
	start    uint64   // of the first block
	sizes    []uint32 // of each block as the inode has it, 0 for a hole
	sparse   uint64   // bytes in holes
	fragment uint32   // index of the fragment block, or invalidFragment
	offset   uint32   // in the fragment block
}

// piece is something that the pool works on.
type piece interface {
	work(*worker) error
	finish(error)
}

// future is the part of a piece that tells when the pool is done with it.
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
	source   source   // of the file
	offset   int64    // in the file
	length   int
	last     bool   // the file must end here
	hole     bool   // known to be all zero
	raw      []byte // a buffer, in use from reading to writing
	packed   []byte // a buffer for the compressed form
	stored   []byte // what goes into the image: raw or packed
	diskSize uint32 // as the format has it: with dataStored if raw, 0 for a hole
}

// work reads the block, unless it is here already, and compresses it.
func (b *block) work(w *worker) error {
	if b.raw == nil {
		b.raw = w.buffers.get()
		if err := b.source.read(b.raw[:b.length+1], b.offset, b.last); err != nil {
			return err
		}
	}
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
		b.stored, b.diskSize = raw, uint32(len(raw))|dataStored
	}
	return nil
}

// writtenData is what writeData leaves for the inodes and tables.
type writtenData struct {
	fragments []fragmentEntry
	summary   Summary
}

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
		equal:     equal,
		pool:      make(chan piece),
		planned:   make(chan piece, 2*opts.Workers),
		assembled: make(chan *block, 2*opts.Workers),
		buffers:   &buffers{size: max(blockSize+1, opts.Codec.Bound()), free: make(chan []byte, 16*opts.Workers)},
	}
	var pool sync.WaitGroup
	for range opts.Workers {
		w := &worker{encoder: opts.Codec.NewEncoder(), buffers: p.buffers}
		pool.Go(func() {
			for x := range p.pool {
				x.finish(x.work(w))
			}
		})
	}
	stages.Go(func() error { return p.plan(t) })
	stages.Go(p.assemble)
	stages.Go(func() error { return p.store(out) })
	err = stages.Wait()
	close(p.pool)
	pool.Wait()
	if err != nil {
		return nil, err
	}
	equal.share()
	p.result.summary.DuplicateFiles += equal.files
	p.result.summary.DuplicateBytes += equal.bytes
	opts.Progress(p.skipped.Swap(0))
	return &p.result, nil
}

// pipeline is one run of writeData.
type pipeline struct {
	ctx       context.Context
	opts      Options
	blockSize int
	equal     *equalFiles
	result    writtenData
	pool      chan piece
	planned   chan piece
	assembled chan *block
	buffers   *buffers
	skipped   atomic.Int64 // bytes of duplicates, not yet told to Options.Progress
}

// worker is what one goroutine of the pool has to itself.
type worker struct {
	encoder *codec.Encoder
	buffers *buffers
}

// send puts a piece into a queue.
func send[T any](ctx context.Context, queue chan<- T, x T) error {
	select {
	case queue <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// store writes blocks in the order in which they were assembled.
func (p *pipeline) store(out *sequentialWriter) error {
	for b := range p.assembled {
		if err := b.wait(p.ctx); err != nil {
			return err
		}
		start := uint64(out.pos)
		switch {
		case b.file == nil:
			p.result.fragments = append(p.result.fragments, fragmentEntry{StartBlock: start, Size: b.diskSize})
			p.result.summary.Fragments++
		case b.hole:
			b.file.sizes = append(b.file.sizes, 0)
			b.file.sparse += uint64(b.length)
			p.result.summary.SparseBytes += int64(b.length)
		default:
			if b.file.start == 0 {
				b.file.start = start
			}
			b.file.sizes = append(b.file.sizes, b.diskSize)
			p.result.summary.Blocks++
		}
		if err := out.write(b.stored); err != nil {
			return err
		}
		p.opts.Progress(int64(b.length) + p.skipped.Swap(0))
		p.buffers.put(b.raw)
		p.buffers.put(b.packed)
	}
	return p.ctx.Err()
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
