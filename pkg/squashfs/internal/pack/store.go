package pack

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// storer writes pieces in their order and notes where they lie.
type storer struct {
	*crew
	in         <-chan piece
	out        *disk.Writer
	earlier    *Earlier // nil if there is none
	progress   func(int64)
	duplicates *tally
	result     *Result

	aside func(func() error) // does something beside what the stages do; the first error ends all
	turns chan struct{}      // for copying: room for as many as copy at once

	copying sync.Mutex // held while the kernel copies
}

func (s *storer) store() error {
	for x := range s.in {
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
			panic(fmt.Sprintf("pack: %T among the assembled pieces", x))
		}
		if err != nil {
			return err
		}
	}
	return s.ctx.Err()
}

func (s *storer) startGroup(g *Group) error {
	if err := s.out.Pad(); err != nil {
		return err
	}
	g.record = disk.GroupRecord{Start: uint64(s.out.Pos), FirstFragment: uint32(len(s.result.Fragments))}
	s.out.Hash = sha256.New()
	return nil
}

func (s *storer) endGroup(g *Group) error {
	if err := s.out.Pad(); err != nil {
		return err
	}
	g.record.Size = uint64(s.out.Pos) - g.record.Start
	g.record.Fragments = uint32(len(s.result.Fragments)) - g.record.FirstFragment
	g.record.Sum = [sha256.Size]byte(s.out.Hash.Sum(nil))
	s.out.Hash = nil
	if g.record.Size > 0 {
		g.record.Key = g.key(s.result.places)
		s.result.Groups = append(s.result.Groups, g.record)
	}
	return nil
}

// block writes a block once it is compressed.
func (s *storer) block(b *block) error {
	if err := b.wait(s.ctx); err != nil {
		return err
	}
	start := uint64(s.out.Pos)
	switch {
	case b.file == nil:
		for _, number := range b.members {
			offset := s.result.places.rows[number].value
			s.result.places.put(number, disk.Location{Fragment: uint32(len(s.result.Fragments)), Offset: offset})
		}
		s.result.Fragments = append(s.result.Fragments, disk.FragmentEntry{StartBlock: start, Size: b.diskSize})
		s.result.Stats.Fragments++
	case b.hole:
		b.file.Sizes = append(b.file.Sizes, 0)
		b.file.Sparse += uint64(b.length)
		s.result.Stats.SparseBytes += int64(b.length)
	default:
		if b.file.Start == 0 {
			b.file.Start = start
		}
		b.file.Sizes = append(b.file.Sizes, b.diskSize)
		s.result.Stats.Blocks++
	}
	if b.file != nil && b.last {
		s.result.places.put(b.file.owner, b.file.Location)
	}
	if _, err := s.out.Write(b.stored); err != nil {
		return err
	}
	s.result.Stats.DataBytes += int64(len(b.stored))
	s.tell(int64(b.length))
	s.buffers.put(b.raw)
	s.buffers.put(b.packed)
	return nil
}

// tell tells that so many bytes of files are dealt with, and the duplicates met
// since the last time.
func (s *storer) tell(bytes int64) {
	s.progress(bytes + s.duplicates.untold.Swap(0))
}
