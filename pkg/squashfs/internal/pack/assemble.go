package pack

import (
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"
)

// assembler passes pieces on and puts small files into fragment blocks, each
// content once and like beside like.
type assembler struct {
	*crew
	in         <-chan piece
	out        chan<- piece
	codec      *codec.Codec
	first      *firsts // of equal files that were hashed when they were read
	places     *places
	duplicates *tally

	batches  []*batch     // of the window
	window   []*batchFile // their files
	fragment *block       // being filled, or nil
}

func (a *assembler) assemble() error {
	defer close(a.out)
	for x := range a.in {
		var err error
		switch x := x.(type) {
		case *batch:
			err = a.batch(x)
		case windowEnd:
			err = a.endWindow()
		case groupEnd:
			if err = a.endFragment(); err == nil {
				err = send[piece](a.ctx, a.out, x)
			}
		default:
			err = send(a.ctx, a.out, x)
		}
		if err != nil {
			return err
		}
	}
	return a.ctx.Err()
}

// batch adds the files of a batch to the window.
func (a *assembler) batch(b *batch) error {
	if err := b.wait(a.ctx); err != nil {
		return err
	}
	a.batches = append(a.batches, b)
	for i := range b.files {
		a.window = append(a.window, &b.files[i])
	}
	return nil
}

// endWindow stores the files of the window, the first ones in the block that the last window of the
// group has left unfilled.
func (a *assembler) endWindow() error {
	o := &ordering{
		future:    newFuture(),
		files:     a.dropEqual(),
		reach:     a.codec.Reach(),
		blockSize: a.codec.Settings().BlockSize,
	}
	if a.fragment != nil {
		o.filled = a.fragment.length
	}
	if a.codec.Stores() {
		o.finish(nil) // blocks that are stored as they are gain nothing
	} else if err := send[job](a.ctx, a.jobs, o); err != nil {
		return err
	}
	if err := o.wait(a.ctx); err != nil {
		return err
	}
	for _, f := range o.files {
		if err := a.append(f.number, f.bytes); err != nil {
			return err
		}
	}
	for _, b := range a.batches {
		a.buffers.put(b.raw)
	}
	clear(a.batches)
	clear(a.window)
	a.batches, a.window = a.batches[:0], a.window[:0]
	return nil
}

// dropEqual returns the files of the window that are not equal to earlier
// ones. As in settle, the first in the order of paths, which is that of the window, is stored, so that the
// image does not depend on what was known before the files were read.
func (a *assembler) dropEqual() []*batchFile {
	for _, f := range a.window {
		if f.decided {
			continue
		}
		owner := a.first.of(f.sum, f.number)
		if owner != f.number {
			a.duplicates.add(f.source.size)
		}
		a.places.share(f.number, owner)
	}
	return slices.DeleteFunc(slices.Clone(a.window), func(f *batchFile) bool { return !a.places.owns(f.number) })
}

// ordering is the job of finding the order of a window's files.
type ordering struct {
	future
	files     []*batchFile
	filled    int // bytes of the block that the first of them go to
	reach     int // of the compressor, in bytes
	blockSize int
}

func (o *ordering) work(w *worker) error {
	sizes := make([]int, len(o.files))
	sketches := make([]likeness.Sketch, len(o.files))
	for i, f := range o.files {
		sizes[i], sketches[i] = len(f.bytes), f.sketch
	}
	ordered := make([]*batchFile, len(o.files))
	for i, from := range w.sorter.Order(sizes, sketches, o.filled, o.reach, o.blockSize) {
		ordered[i] = o.files[from]
	}
	o.files = ordered
	return nil
}

// append puts a file's contents into the fragment block being filled, or into
// a new one.
func (a *assembler) append(number uint32, p []byte) error {
	if a.fragment != nil && a.fragment.length+len(p) > a.codec.Settings().BlockSize {
		if err := a.endFragment(); err != nil {
			return err
		}
	}
	if a.fragment == nil {
		a.fragment = &block{future: newFuture(), raw: a.buffers.get()}
	}
	a.places.rows[number].value = uint32(a.fragment.length)
	a.fragment.members = append(a.fragment.members, number)
	a.fragment.length += copy(a.fragment.raw[a.fragment.length:], p)
	return nil
}

// endFragment hands on the fragment block being filled, if there is one.
func (a *assembler) endFragment() error {
	b := a.fragment
	if b == nil {
		return nil
	}
	a.fragment = nil
	if err := send[piece](a.ctx, a.out, b); err != nil {
		return err
	}
	return send[job](a.ctx, a.jobs, b)
}
