package squashfs

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"
)

// batchFiles bounds the files of a batch. Handing over a piece costs about a
// microsecond, opening and reading a small file ten.
const batchFiles = 256

// plan goes through the groups in the order of the image. Those that the
// earlier image has are copied. In the others the large files are cut into
// blocks, and the small ones, which will be parts of fragment blocks, are
// gathered in batches.
func (p *pipeline) plan(t *Tree) error {
	defer close(p.planned)
	for _, g := range p.groups {
		settled, err := p.settle(t, g)
		if err != nil {
			return err
		}
		if old := p.earlier.sameGroup(t, g, settled); old != nil {
			err = p.planCopy(t, g, old)
		} else {
			err = p.planGroup(t, g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle decides for each file of a group whether it is stored there, or with
// an equal one before it. It returns false if that is not known of all of them
// before they are read: those get no content.
func (p *pipeline) settle(t *Tree, g *group) (all bool, err error) {
	all = true
	err = t.visitGroup(g, func(n *node, _ treePath) error {
		n.content = nil
		if p.equal.hashLater(n) {
			all = false
			return nil
		}
		id, shared := p.equal.identify(n)
		if first := p.known[id]; shared && first != nil {
			n.content = first
			p.duplicate(n)
			return nil
		}
		n.content = newContent(n)
		if shared {
			p.known[id] = n.content
		}
		return nil
	})
	return all, err
}

// duplicate counts a file that is stored with an equal one.
func (p *pipeline) duplicate(n *node) {
	p.duplicateFiles.Add(1)
	p.duplicateBytes.Add(int64(n.size))
	p.skipped.Add(int64(n.size))
}

// planGroup plans a group from the host's files.
func (p *pipeline) planGroup(t *Tree, g *group) error {
	if err := send[piece](p.ctx, p.planned, groupStart{g}); err != nil {
		return err
	}
	var small []smallFile
	err := t.visitGroup(g, func(n *node, at treePath) error {
		switch {
		case n.size < uint64(p.blockSize):
			// Duplicates that are known already count where windows are cut: without
			// an earlier image they would not be known yet.
			small = append(small, smallFile{node: n, at: at, rank: len(small)})
			return nil
		case n.content.owner != n:
			return nil
		case p.earlier.hasFile(n):
			return send[piece](p.ctx, p.planned, &copiedFile{node: n})
		}
		return p.planBlocks(n, at.source(n))
	})
	if err != nil {
		return err
	}
	for len(small) > 0 {
		n := t.rules.window(small)
		if err := p.planWindow(small[:n]); err != nil {
			return err
		}
		small = small[n:]
	}
	return send[piece](p.ctx, p.planned, groupEnd{g})
}

// smallFile is a file that is to be a part of a fragment block.
type smallFile struct {
	node *node
	at   treePath
	rank int // among the small files of the group, in the order of paths
}

// window is how many of the small files of a group are in its next window.
func (r *rules) window(files []smallFile) (n int) {
	bytes := int64(0)
	for n < len(files) && n < r.windowFiles && bytes < r.windowBytes {
		bytes += int64(files[n].node.size)
		n++
	}
	return n
}

// planWindow puts the files of a window in order, but those that are stored with
// an equal one.
func (p *pipeline) planWindow(files []smallFile) error {
	type kindred struct {
		smallFile
		path string
		kind likeness.Kind
	}
	var stored []kindred
	for _, f := range files {
		if c := f.node.content; c == nil || c.owner == f.node {
			path := f.at.inImage()
			stored = append(stored, kindred{f, path, likeness.KindOf(path)})
		}
	}
	slices.SortFunc(stored, func(a, b kindred) int {
		return cmp.Or(a.kind.Compare(b.kind), strings.Compare(a.path, b.path))
	})
	files = files[:0]
	for _, f := range stored {
		files = append(files, f.smallFile)
	}
	if err := p.planBatches(files); err != nil {
		return err
	}
	return send[piece](p.ctx, p.planned, windowEnd{})
}

func (p *pipeline) planBatches(files []smallFile) error {
	for len(files) > 0 {
		n, bytes := 0, 0
		for n < len(files) && n < batchFiles && bytes+int(files[n].node.size) <= p.blockSize {
			bytes += int(files[n].node.size)
			n++
		}
		b := &batch{
			future:   newFuture(),
			files:    make([]batchFile, n),
			sketch:   !p.opts.Codec.Stores(),
			askedFor: max(1, askedFor/cap(p.planned)),
		}
		for i, f := range files[:n] {
			b.files[i] = batchFile{smallFile: f, source: f.at.source(f.node), hash: f.node.content == nil}
		}
		if err := p.hand(b); err != nil {
			return err
		}
		files = files[n:]
	}
	return nil
}

// batch is a piece that holds several whole small files.
type batch struct {
	future
	files  []batchFile
	sketch bool   // sketches are wanted
	raw    []byte // a buffer with the files' contents, one after the other

	askedFor int // its share of askedFor
}

type batchFile struct {
	smallFile
	source   source
	hash     bool // sum is wanted
	contents []byte
	sum      [sha256.Size]byte
	sketch   likeness.Sketch
}

// askedFor is how many files, which stay open, a disk is asked for before any is
// waited for: all readers together. A process may have 1024 files open at least.
const askedFor = 256

// read reads the files.
func (b *batch) read(free *buffers) (err error) {
	b.raw = free.get()
	var waiting []*smallRead
	wait := func() {
		for _, r := range waiting {
			if failure := r.wait(); err == nil {
				err = failure
			}
		}
		waiting = waiting[:0]
	}
	at := 0
	for i := range b.files {
		f := &b.files[i]
		end := at + int(f.node.size)
		// What a file has more than it should is written over the beginning of
		// the next one, but then there is an error.
		r, failure := f.source.begin(b.raw[at : end+1])
		if failure != nil {
			err = failure
			break
		}
		f.contents = b.raw[at:end:end]
		at = end
		if r != nil {
			waiting = append(waiting, r)
		}
		if len(waiting) >= b.askedFor {
			if wait(); err != nil {
				return err
			}
		}
	}
	wait()
	return err
}

// work hashes the files that may be equal to another, and sketches all.
func (b *batch) work(*worker) error {
	for i := range b.files {
		f := &b.files[i]
		if f.hash {
			f.sum = sha256.Sum256(f.contents)
		}
		if b.sketch {
			f.sketch = likeness.NewSketch(f.contents)
		}
	}
	return nil
}

// planBlocks cuts a large file into blocks.
func (p *pipeline) planBlocks(n *node, src source) (err error) {
	holes := &holeFinder{}
	if n.holes {
		f, err := os.Open(src.path)
		if err != nil {
			return err
		}
		defer f.Close()
		holes.file = f
	}
	size := int64(n.size)
	for offset := int64(0); offset < size; offset += int64(p.blockSize) {
		length := min(size-offset, int64(p.blockSize))
		b := &block{
			future: newFuture(),
			file:   n.content,
			source: src,
			offset: offset,
			length: int(length),
			last:   offset+length == size,
		}
		if n.holes && holes.covers(offset, offset+length) {
			b.hole = true
			b.finish(nil)
			err = send[piece](p.ctx, p.planned, b)
		} else {
			err = p.hand(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hand puts something that is to be read into the order, and gives it to the
// readers.
func (p *pipeline) hand(r reading) error {
	if err := send[piece](p.ctx, p.planned, r); err != nil {
		return err
	}
	return send(p.ctx, p.reads, r)
}

// holeFinder tells which ranges of a sparse file need not be read. Ranges are
// asked for in order.
type holeFinder struct {
	file *os.File
	data int64 // no data lies between the last range asked for and here
}

// covers says whether the file surely has a hole from start to end. Zeros that
// the file system keeps as data are found when they are read.
func (h *holeFinder) covers(start, end int64) bool {
	if h.data < start {
		data, err := h.file.Seek(start, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO): // nothing but a hole up to the end of the file, lseek(2)
			data = end
		case err != nil: // no answer from this file system
			data = start
		}
		h.data = data
	}
	return h.data >= end
}
