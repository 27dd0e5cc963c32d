package pack

import (
	"fmt"
	"io"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/copyrange"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// copiedGroup is a group that the earlier image has.
type copiedGroup struct {
	group *Group
	old   *disk.GroupRecord
}

// copiedFile is a large file that the earlier image has.
type copiedFile struct {
	number uint32
	kept   disk.Location // in the earlier image
	size   uint64
}

func (p *planner) sameGroup(g *Group, settled bool) *disk.GroupRecord {
	if !settled {
		return nil
	}
	return p.earlier.sameGroup(g, p.places)
}

// copyGroup gives the group its position and has it copied there.
func (s *storer) copyGroup(c *copiedGroup) error {
	if err := s.out.Pad(); err != nil {
		return err
	}
	g := &c.group.record
	*g = *c.old
	g.Start, g.FirstFragment = uint64(s.out.Pos), uint32(len(s.result.Fragments))
	for i := range c.old.Fragments {
		f, err := s.earlier.fragmentOf(c.old, c.old.FirstFragment+i)
		if err != nil {
			return err
		}
		f.StartBlock = f.StartBlock - c.old.Start + g.Start
		s.result.Fragments = append(s.result.Fragments, f)
		s.reused(uint64(f.Size &^ disk.DataStored))
	}
	bytes := int64(0)
	for f := range c.group.files() {
		if !s.result.places.owns(f.Number) {
			continue
		}
		l := *f.Kept
		if l.BlockBytes() > 0 {
			l.Start = l.Start - c.old.Start + g.Start
		}
		if l.Fragment != disk.InvalidFragment {
			l.Fragment = l.Fragment - c.old.FirstFragment + g.FirstFragment
		}
		s.result.places.put(f.Number, l)
		s.count(&l)
		bytes += int64(f.Size)
	}
	s.result.Stats.Fragments += int(c.old.Fragments)
	s.tell(bytes)
	s.result.Groups = append(s.result.Groups, *g)
	return s.copyRange(int64(c.old.Start), int64(c.old.Size))
}

// count adds a file's blocks to the statistics.
func (s *storer) count(l *disk.Location) {
	s.reused(l.BlockBytes())
	for _, size := range l.Sizes {
		if size != 0 {
			s.result.Stats.Blocks++
		}
	}
	s.result.Stats.SparseBytes += int64(l.Sparse)
}

// reused counts bytes of blocks that were taken.
func (s *storer) reused(bytes uint64) {
	s.result.Stats.DataBytes += int64(bytes)
	s.result.Stats.ReusedBytes += int64(bytes)
}

// copyChunk is how much is copied at once. It is large because a file system that
// shares blocks does so at once for any length.
const copyChunk = 64 << 20

// copyRange copies bytes of the earlier image to the position of the output: in order, or,
// if that is a file, aside, since nothing waits for them.
func (s *storer) copyRange(from, size int64) error {
	inOrder := !copyrange.IsFile(s.out.W)
	for size > 0 {
		c := &rangeCopy{
			dst:  s.out.W,
			to:   s.out.Pos,
			src:  s.earlier.image,
			from: from,
			size: min(size, copyChunk),
			turn: &s.copying,
		}
		if inOrder {
			if err := c.copy(s.buffers); err != nil {
				return err
			}
		} else {
			s.aside(func() error {
				if err := send(s.ctx, s.turns, struct{}{}); err != nil {
					return err
				}
				defer func() { <-s.turns }()
				return c.copy(s.buffers)
			})
		}
		s.out.Pos += c.size
		from += c.size
		size -= c.size
	}
	return nil
}

// copyFile copies the blocks of a file of the earlier image. Its group's sum
// is made of them, so they are read here.
func (s *storer) copyFile(c *copiedFile) error {
	l := disk.Location{Sizes: c.kept.Sizes, Sparse: c.kept.Sparse, Fragment: disk.InvalidFragment}
	left := int64(l.BlockBytes())
	if left > 0 {
		l.Start = uint64(s.out.Pos)
	}
	s.result.places.put(c.number, l)
	s.count(&l)
	buffer := s.buffers.get()
	defer s.buffers.put(buffer)
	for at := int64(c.kept.Start); left > 0; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		part := buffer[:min(left, int64(len(buffer)))]
		if err := readEarlier(s.earlier.image, part, at); err != nil {
			return err
		}
		if _, err := s.out.Write(part); err != nil {
			return err
		}
		at += int64(len(part))
		left -= int64(len(part))
	}
	s.tell(int64(c.size))
	return nil
}

// rangeCopy is a range of bytes to be copied.
type rangeCopy struct {
	dst  io.WriterAt
	to   int64
	src  io.ReaderAt
	from int64
	size int64
	turn *sync.Mutex // of the kernel's copying
}

func (c *rangeCopy) copy(free *buffers) error {
	// Several would wait for each other in the kernel, which lets one write to a file at a time.
	c.turn.Lock()
	done := copyrange.Copy(c.dst, c.to, c.src, c.from, c.size)
	c.turn.Unlock()
	if done == c.size {
		return nil
	}
	buffer := free.get()
	defer free.put(buffer)
	for done < c.size {
		part := buffer[:min(int64(len(buffer)), c.size-done)]
		if err := readEarlier(c.src, part, c.from+done); err != nil {
			return err
		}
		if _, err := c.dst.WriteAt(part, c.to+done); err != nil {
			return err
		}
		done += int64(len(part))
	}
	return nil
}

// readEarlier fills p from the earlier image.
func readEarlier(src io.ReaderAt, p []byte, at int64) error {
	n, err := src.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading the earlier image: %w", err)
}
