package inspection

import (
	"context"
	"math/bits"

	"github.com/livebuild/livebuild/pkg/squashfs"
)

// visitShare takes what is at a path of a squashfs, and the bytes that it takes there: those of
// a file, without what is divided among others; all else takes none.
type visitShare func(name string, ino squashfs.Inode, size int64) error

// weigh visits all that is in a squashfs, each folder before what it holds. It reads every file
// twice: who has a part in what, and what that comes to.
func weigh(ctx context.Context, r *squashfs.Reader, visit visitShare) error {
	w := &weights{runs: map[runID]*shared{}, pieces: map[pieceID]*piece{}, fragments: map[int]*fragment{}}
	first := func(_ string, ino squashfs.Inode) error {
		if !ino.Mode.IsRegular() {
			return context.Cause(ctx)
		}
		blocks, err := r.Blocks(ino)
		if err != nil {
			return err
		}
		w.add(blocks)
		return context.Cause(ctx)
	}
	if err := r.Walk(first); err != nil {
		return err
	}
	return r.Walk(func(name string, ino squashfs.Inode) error {
		size := int64(0)
		if ino.Mode.IsRegular() {
			blocks, err := r.Blocks(ino)
			if err != nil {
				return err
			}
			size = w.share(blocks)
		}
		if err := visit(name, ino, size); err != nil {
			return err
		}
		return context.Cause(ctx)
	})
}

// weights are who has which part in the blocks of a squashfs.
type weights struct {
	runs      map[runID]*shared
	pieces    map[pieceID]*piece
	fragments map[int]*fragment
}

// runID is the data blocks of a file: files of equal contents have the same.
type runID struct{ offset, size int64 }

// pieceID is a tail in a fragment block.
type pieceID struct{ fragment, offset, size int }

// shared is something that several files have.
type shared struct {
	size         int64
	owners, next int64
}

// part is what the next owner has of it. The parts of all add up to the size.
func (s *shared) part() int64 {
	s.next++
	return portion(s.size, s.next, s.owners) - portion(s.size, s.next-1, s.owners)
}

// portion is size × part ÷ whole, of which a part is no more than the whole.
func portion(size, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(size), uint64(min(part, whole)))
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(quotient)
}

type piece struct {
	shared
	from int64 // bytes of other pieces before it in the fragment
}

type fragment struct{ size, used int64 }

func runOf(b squashfs.Blocks) (runID, bool) {
	for _, d := range b.Data {
		if d.Size > 0 {
			return runID{d.Offset, b.Size()}, true
		}
	}
	return runID{}, false
}

// add counts a file among the owners of its blocks.
func (w *weights) add(b squashfs.Blocks) {
	if id, ok := runOf(b); ok {
		if w.runs[id] == nil {
			w.runs[id] = &shared{size: id.size}
		}
		w.runs[id].owners++
	}
	if b.Tail > 0 {
		f := w.fragments[b.FragmentNumber]
		if f == nil {
			f = &fragment{size: int64(b.Fragment.Size)}
			w.fragments[b.FragmentNumber] = f
		}
		id := pieceID{b.FragmentNumber, b.FragmentOffset, b.Tail}
		if w.pieces[id] == nil {
			w.pieces[id] = &piece{from: f.used}
			f.used += int64(b.Tail)
		}
		w.pieces[id].owners++
	}
}

// share is what a file has of its blocks, after all were added.
func (w *weights) share(b squashfs.Blocks) int64 {
	size := int64(0)
	if id, ok := runOf(b); ok && w.runs[id] != nil { // it is, unless the medium changed meanwhile
		size = w.runs[id].part()
	}
	if p := w.pieces[pieceID{b.FragmentNumber, b.FragmentOffset, b.Tail}]; b.Tail > 0 && p != nil {
		f := w.fragments[b.FragmentNumber]
		p.size = portion(f.size, p.from+int64(b.Tail), f.used) - portion(f.size, p.from, f.used)
		size += p.part()
	}
	return size
}
