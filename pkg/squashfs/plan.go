package squashfs

import (
	"crypto/sha256"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// batchFiles bounds the files of a batch. Handing over a piece costs about a
// microsecond, opening and reading a small file ten.
const batchFiles = 256

// batch is a piece that holds several whole small files.
type batch struct {
	future
	files  []batchFile
	length int    // of all files
	raw    []byte // a buffer with their contents, one after the other
}

type batchFile struct {
	node   *node
	source source
	hash   bool // sum is wanted
	sum    [sha256.Size]byte
}

// work reads the files, and hashes those that may be equal to another.
func (b *batch) work(w *worker) error {
	b.raw = w.buffers.get()
	at := 0
	for i := range b.files {
		f := &b.files[i]
		end := at + int(f.node.size)
		if err := f.source.read(b.raw[at:end+1], 0, true); err != nil {
			return err
		}
		if f.hash {
			f.sum = sha256.Sum256(b.raw[at:end])
		}
		at = end
	}
	return nil
}

// plan goes through the files in the order of the image, cuts the large ones
// into blocks and gathers the small ones, which will be parts of fragments, in
// batches.
func (p *pipeline) plan(t *Tree) error {
	defer close(p.planned)
	next := &batch{future: newFuture()}
	err := t.visit(func(n *node, path string) error {
		src := source{path: path, data: n.data, size: n.size}
		if n.size >= uint64(p.blockSize) {
			if p.equal.isLater(n) {
				p.skipped.Add(int64(n.size))
				return nil
			}
			n.content = &content{fragment: invalidFragment}
			return p.planBlocks(n, src)
		}
		if next.length+int(n.size) > p.blockSize || len(next.files) == batchFiles {
			if err := p.hand(next); err != nil {
				return err
			}
			next = &batch{future: newFuture()}
		}
		next.files = append(next.files, batchFile{node: n, source: src, hash: p.equal.sizes[n.size] > 1})
		next.length += int(n.size)
		return nil
	})
	if err != nil {
		return err
	}
	return p.hand(next)
}

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

// hand puts a piece into the order and gives it to the pool.
func (p *pipeline) hand(x piece) error {
	if err := send(p.ctx, p.planned, x); err != nil {
		return err
	}
	return send(p.ctx, p.pool, x)
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
