package squashfs

import (
	"crypto/sha256"
	"fmt"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// storer writes pieces in their order and notes where they lie.
type storer struct {
	*pipeline
	out    *sequentialWriter
	copies []*rangeCopy // under way
}

func (s *storer) store() error {
	for x := range s.assembled {
		var err error
		switch x := x.(type) {
		case groupStart:
			err = s.startGroup(x.group)
		case groupEnd:
			err = s.endGroup(x.group)
		case *block:
			err = s.block(x)
		case *copiedFile:
			err = s.copyFile(x)
		case *copiedGroup:
			err = s.copyGroup(x)
		default:
			panic(fmt.Sprintf("squashfs: %T among the assembled pieces", x))
		}
		if err != nil {
			return err
		}
	}
	for _, c := range s.copies {
		if err := c.wait(s.ctx); err != nil {
			return err
		}
	}
	return s.ctx.Err()
}

func (s *storer) startGroup(g *group) error {
	if err := s.out.pad(); err != nil {
		return err
	}
	g.record = groupRecord{Start: uint64(s.out.pos), FirstFragment: uint32(len(s.result.fragments))}
	s.out.hash = sha256.New()
	return nil
}

func (s *storer) endGroup(g *group) error {
	if err := s.out.pad(); err != nil {
		return err
	}
	g.record.Size = uint64(s.out.pos) - g.record.Start
	g.record.Fragments = uint32(len(s.result.fragments)) - g.record.FirstFragment
	g.record.Sum = [sha256.Size]byte(s.out.hash.Sum(nil))
	s.out.hash = nil
	return nil
}

// block writes a block once it is compressed.
func (s *storer) block(b *block) error {
	if err := b.wait(s.ctx); err != nil {
		return err
	}
	start := uint64(s.out.pos)
	switch {
	case b.file == nil:
		for _, c := range b.members {
			c.fragment = uint32(len(s.result.fragments))
		}
		s.result.fragments = append(s.result.fragments, disk.FragmentEntry{StartBlock: start, Size: b.diskSize})
		s.result.summary.Fragments++
	case b.hole:
		b.file.sizes = append(b.file.sizes, 0)
		b.file.sparse += uint64(b.length)
		s.result.summary.SparseBytes += int64(b.length)
	default:
		if b.file.start == 0 {
			b.file.start = start
		}
		b.file.sizes = append(b.file.sizes, b.diskSize)
		s.result.summary.Blocks++
	}
	if err := s.out.write(b.stored); err != nil {
		return err
	}
	s.result.summary.DataBytes += int64(len(b.stored))
	s.progress(int64(b.length))
	s.buffers.put(b.raw)
	s.buffers.put(b.packed)
	return nil
}

// progress tells that so many bytes of files are dealt with, and the
// duplicates met since the last time.
func (s *storer) progress(bytes int64) {
	s.opts.Progress(bytes + s.skipped.Swap(0))
}
