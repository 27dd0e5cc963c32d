package squashfs

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/copyrange"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// copiedGroup is a group that the earlier image has.
type copiedGroup struct {
	group *group
	old   *groupRecord
	files []*node // that are stored in it
	bytes int64   // of these
}

// copiedFile is a large file of a kept entry.
type copiedFile struct{ node *node }

// planCopy plans a group that the earlier image has as old.
func (p *pipeline) planCopy(t *Tree, g *group, old *groupRecord) error {
	c := &copiedGroup{group: g, old: old}
	err := t.visitGroup(g, func(n *node, _ treePath) error {
		if n.content.owner == n {
			c.files = append(c.files, n)
			c.bytes += int64(n.size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return send[piece](p.ctx, p.planned, c)
}

// copyGroup gives the group its place and has the pool copy it there.
func (s *storer) copyGroup(c *copiedGroup) error {
	if err := s.out.pad(); err != nil {
		return err
	}
	g := &c.group.record
	*g = *c.old
	g.Start, g.FirstFragment = uint64(s.out.pos), uint32(len(s.result.fragments))
	for i := range c.old.Fragments {
		f, err := s.earlier.fragment(c.old, c.old.FirstFragment+i)
		if err != nil {
			return err
		}
		f.StartBlock = f.StartBlock - c.old.Start + g.Start
		s.result.fragments = append(s.result.fragments, f)
		s.reused(placedBlock{size: f.Size}.length())
	}
	for _, n := range c.files {
		n.content.location = *n.kept
		if n.kept.blockBytes() > 0 {
			n.content.start = n.kept.start - c.old.Start + g.Start
		}
		if n.kept.fragment != disk.InvalidFragment {
			n.content.fragment = n.kept.fragment - c.old.FirstFragment + g.FirstFragment
		}
		s.count(&n.content.location)
	}
	s.result.summary.Fragments += int(c.old.Fragments)
	s.progress(c.bytes)
	return s.copyRange(int64(c.old.Start), int64(c.old.Size))
}

// count adds a file's blocks to the summary.
func (s *storer) count(c *location) {
	s.reused(c.blockBytes())
	for _, size := range c.sizes {
		if size != 0 {
			s.result.summary.Blocks++
		}
	}
	s.result.summary.SparseBytes += int64(c.sparse)
}

// reused counts bytes of blocks that were taken.
func (s *storer) reused(bytes uint64) {
	s.result.summary.DataBytes += int64(bytes)
	s.result.summary.ReusedBytes += int64(bytes)
}

// copyChunk is how much one job copies. It is large because a file system that
// shares blocks does so at once for any length.
const copyChunk = 64 << 20

// copyRange copies bytes of the earlier image to the position of the output:
// some time before store is done if that is a file, otherwise in order.
func (s *storer) copyRange(from, size int64) error {
	inOrder := !copyrange.IsFile(s.out.w)
	for size > 0 {
		c := &rangeCopy{
			future: newFuture(),
			dst:    s.out.w,
			to:     s.out.pos,
			src:    s.earlier.r.src,
			from:   from,
			size:   min(size, copyChunk),
		}
		if inOrder {
			if err := c.work(&worker{buffers: s.buffers}); err != nil {
				return err
			}
		} else {
			if err := send[job](s.ctx, s.pool, c); err != nil {
				return err
			}
			s.copies = append(s.copies, c)
		}
		s.out.pos += c.size
		from += c.size
		size -= c.size
	}
	return nil
}

// copyFile copies the blocks of a file of the earlier image. Its group's sum
// is made of them, so they are read here.
func (s *storer) copyFile(c *copiedFile) error {
	content, kept := c.node.content, c.node.kept
	content.sizes, content.sparse = kept.sizes, kept.sparse
	if kept.blockBytes() > 0 {
		content.start = uint64(s.out.pos)
	}
	s.count(&content.location)
	buffer := s.buffers.get()
	defer s.buffers.put(buffer)
	src := io.NewSectionReader(s.earlier.r.src, int64(kept.start), int64(kept.blockBytes()))
	for {
		n, err := io.ReadFull(src, buffer)
		if err := s.out.write(buffer[:n]); err != nil {
			return err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the earlier image: %w", err)
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	if end, err := src.Seek(0, io.SeekCurrent); err != nil || uint64(end) != kept.blockBytes() {
		return fmt.Errorf("reading the earlier image: %w", io.ErrUnexpectedEOF)
	}
	s.progress(int64(c.node.size))
	return nil
}

// rangeCopy is the job of copying a range of bytes.
type rangeCopy struct {
	future
	dst  io.WriterAt
	to   int64
	src  io.ReaderAt
	from int64
	size int64
}

func (c *rangeCopy) work(w *worker) error {
	done := copyrange.Copy(c.dst, c.to, c.src, c.from, c.size)
	buffer := w.buffers.get()
	defer w.buffers.put(buffer)
	for done < c.size {
		part := buffer[:min(int64(len(buffer)), c.size-done)]
		if n, err := c.src.ReadAt(part, c.from+done); n < len(part) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("reading the earlier image: %w", err)
		}
		if _, err := c.dst.WriteAt(part, c.to+done); err != nil {
			return err
		}
		done += int64(len(part))
	}
	return nil
}
