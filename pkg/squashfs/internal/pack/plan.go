package pack

import (
	"io"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// planner goes through the groups in the order of the image. Those that the
// earlier image has are copied. In the others the large files are cut into
// blocks, and the small ones, which will be parts of fragment blocks, are
// gathered in batches.
type planner struct {
	*crew
	out        chan<- piece
	codec      *codec.Codec
	limits     Limits
	earlier    *Earlier // nil if there is none
	equal      *equality
	first      *firsts // of equal files
	places     *places
	duplicates *tally
}

func (p *planner) blockSize() int { return p.codec.Settings().BlockSize }

func (p *planner) send(x piece) error { return send(p.ctx, p.out, x) }

func (p *planner) plan(groups []*Group) error {
	defer close(p.out)
	for _, g := range groups {
		settled := p.settle(g)
		var err error
		if old := p.sameGroup(g, settled); old != nil {
			err = p.send(&copiedGroup{group: g, old: old})
		} else {
			err = p.planGroup(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle decides for each file of a group whether it is stored there, or with
// an equal one before it. It returns false if that is not known of all of them
// before they are read: those stay undecided.
func (p *planner) settle(g *Group) (all bool) {
	all = true
	for f := range g.files() {
		if p.equal.hashLater(f) {
			all = false
			continue
		}
		owner := f.Number
		if d, shared := p.equal.identify(f); shared {
			if owner = p.first.of(d, f.Number); owner != f.Number {
				p.duplicates.add(f.Size)
			}
		}
		p.places.share(f.Number, owner)
	}
	return all
}

// planGroup plans a group from its files' origins: large files before small ones.
func (p *planner) planGroup(g *Group) error {
	if err := p.send(groupStart{g}); err != nil {
		return err
	}
	for f := range g.files() {
		var err error
		switch {
		case f.Size < uint64(p.blockSize()) || !p.places.owns(f.Number):
		case p.earlier.hasFile(f):
			err = p.send(&copiedFile{number: f.Number, kept: *f.Kept, size: f.Size})
		default:
			err = p.planBlocks(f)
		}
		if err != nil {
			return err
		}
	}
	var window []smallFile
	bytes := int64(0)
	for f := range g.files() {
		if f.Size >= uint64(p.blockSize()) {
			continue
		}
		// Duplicates that are known already count where windows are cut: without
		// an earlier image they would not be known yet.
		window = append(window, smallFile{
			number:  f.Number,
			decided: p.places.decided(f.Number),
			source:  f.source(),
		})
		bytes += int64(f.Size)
		if len(window) == p.limits.WindowFiles || bytes >= p.limits.WindowBytes {
			if err := p.planWindow(window); err != nil {
				return err
			}
			window, bytes = nil, 0
		}
	}
	if err := p.planWindow(window); err != nil {
		return err
	}
	return p.send(groupEnd{g})
}

// smallFile is a file that is to be a part of a fragment block.
type smallFile struct {
	number  uint32
	source  source
	decided bool // it is known whether another file has the same
}

// planWindow plans the files of a window but those that are stored with an equal one.
func (p *planner) planWindow(files []smallFile) error {
	files = slices.DeleteFunc(files, func(f smallFile) bool { return f.decided && !p.places.owns(f.number) })
	if len(files) == 0 {
		return nil
	}
	for len(files) > 0 {
		n := batchOf(files, p.blockSize())
		if err := p.hand(newBatch(files[:n], !p.codec.Stores(), max(1, askedFor/cap(p.out)))); err != nil {
			return err
		}
		files = files[n:]
	}
	return p.send(windowEnd{})
}

// hand puts something that is to be read into the order, and gives it to the
// readers.
func (p *planner) hand(r interface {
	reading
	piece
}) error {
	if err := p.send(r); err != nil {
		return err
	}
	return send[reading](p.ctx, p.reads, r)
}

// planBlocks cuts a large file into blocks.
func (p *planner) planBlocks(f *File) (err error) {
	src, c := f.source(), newContent(f.Number)
	var holes *holeFinder
	if f.Sparse {
		if holes, err = src.findHoles(); err != nil {
			return err
		}
		defer holes.close()
	}
	size, blockSize := int64(f.Size), int64(p.blockSize())
	var stream io.ReadCloser
	if size > blockSize {
		if stream, err = src.stream(); err != nil {
			return err
		}
		if stream != nil {
			defer stream.Close()
		}
	}
	for offset := int64(0); offset < size; offset += blockSize {
		length := min(size-offset, blockSize)
		b := &block{
			future: newFuture(),
			file:   c,
			source: src,
			offset: offset,
			length: int(length),
			last:   offset+length == size,
		}
		switch {
		case holes.covers(offset, offset+length):
			b.hole = true
			b.finish(nil)
			err = p.send(b)
		case stream != nil:
			err = p.readBlock(b, stream)
		default:
			err = p.hand(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readBlock reads a block of a file that can be read in its order only.
func (p *planner) readBlock(b *block, stream io.Reader) error {
	b.raw = p.buffers.get()
	room := b.length
	if b.last {
		room++
	}
	if err := b.source.readFrom(stream, b.raw[:room], b.length); err != nil {
		return err
	}
	if err := p.send(b); err != nil {
		return err
	}
	return send[job](p.ctx, p.jobs, b)
}
