package squashfs

import (
	"cmp"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"
)

// assemble passes pieces on and puts small files into fragment blocks, each
// content once and like beside like.
func (p *pipeline) assemble() error {
	defer close(p.assembled)
	a := &assembler{pipeline: p, known: make(map[identity]*content)}
	for x := range p.planned {
		var err error
		switch x := x.(type) {
		case *batch:
			err = a.batch(x)
		case windowEnd:
			err = a.endWindow()
		default:
			err = send(p.ctx, p.assembled, x)
		}
		if err != nil {
			return err
		}
	}
	return p.ctx.Err()
}

type assembler struct {
	*pipeline
	known    map[identity]*content // of files hashed when they were read
	batches  []*batch              // of the window
	window   []*batchFile          // their files
	fragment *block                // being filled, or nil
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

// endWindow stores the files of the window.
func (a *assembler) endWindow() error {
	o := &ordering{future: newFuture(), files: a.dropEqual(), reach: a.opts.Codec.Reach(), blockSize: a.blockSize}
	if a.opts.Codec.Stores() {
		o.finish(nil) // blocks that are stored as they are gain nothing
	} else if err := send[job](a.ctx, a.pool, o); err != nil {
		return err
	}
	if err := o.wait(a.ctx); err != nil {
		return err
	}
	for _, f := range o.files {
		if err := a.append(f.node.content, f.contents); err != nil {
			return err
		}
	}
	for _, b := range a.batches {
		a.buffers.put(b.raw)
	}
	clear(a.batches)
	clear(a.window)
	a.batches, a.window = a.batches[:0], a.window[:0]
	return a.endFragment()
}

// dropEqual returns the files of the window that are not equal to earlier
// ones. As in settle, the first in the order of paths is stored, so that the
// image does not depend on what was known before the files were read.
func (a *assembler) dropEqual() []*batchFile {
	byPath := slices.SortedFunc(slices.Values(a.window), func(x, y *batchFile) int { return cmp.Compare(x.rank, y.rank) })
	for _, f := range byPath {
		if !f.hash {
			continue
		}
		key := identity{size: f.node.size, sum: f.sum}
		if f.node.content = a.known[key]; f.node.content != nil {
			a.duplicate(f.node)
			continue
		}
		f.node.content = newContent(f.node)
		a.known[key] = f.node.content
	}
	return slices.DeleteFunc(slices.Clone(a.window), func(f *batchFile) bool { return f.node.content.owner != f.node })
}

// ordering is the job of finding the order of a window's files.
type ordering struct {
	future
	files     []*batchFile
	reach     int // of the compressor, in bytes
	blockSize int
}

func (o *ordering) work(w *worker) error {
	sizes := make([]int, len(o.files))
	sketches := make([]likeness.Sketch, len(o.files))
	for i, f := range o.files {
		sizes[i], sketches[i] = len(f.contents), f.sketch
	}
	ordered := make([]*batchFile, len(o.files))
	for i, from := range w.likeness.Order(sizes, sketches, o.reach, o.blockSize) {
		ordered[i] = o.files[from]
	}
	o.files = ordered
	return nil
}

// append puts a file's contents into the fragment block being filled, or into
// a new one.
func (a *assembler) append(c *content, p []byte) error {
	if a.fragment != nil && a.fragment.length+len(p) > a.blockSize {
		if err := a.endFragment(); err != nil {
			return err
		}
	}
	if a.fragment == nil {
		a.fragment = &block{future: newFuture(), raw: a.buffers.get()}
	}
	c.offset = uint32(a.fragment.length)
	a.fragment.members = append(a.fragment.members, c)
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
	if err := send[piece](a.ctx, a.assembled, b); err != nil {
		return err
	}
	return send[job](a.ctx, a.pool, b)
}
