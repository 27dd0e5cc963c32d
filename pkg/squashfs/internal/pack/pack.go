// Package pack brings the contents of files into an image: equal ones once, all-zero
// blocks not at all, small files in fragment blocks with others, like beside like,
// by many workers, and what an earlier image has from there. The bytes are a
// function of the groups of files, their contents and the codec alone: not of the
// workers, nor of what an earlier image has.
//
// No decision about the layout may rest on anything that a packing without an
// earlier image would not know at that point. What an earlier image tells saves
// work, never a place: files that are known to be duplicates of others before they
// are read still count where windows are cut.
//
// How contents reach the image:
//
//	groups -> planner -> [blocks and batches] -> assembler -> [blocks] -> storer
//	               \                               |             |
//	                readers ----- jobs for the pool of workers --'
//
// The planner cuts large files into blocks and gathers small ones in batches; the
// assembler drops small files that are duplicates and fills fragment blocks with
// the others, by likeness; the storer writes blocks one after the other. Hashing,
// comparing and compressing happen in the pool. Readers fill pieces and
// pass them on to the pool; they are more than workers, because they mostly wait
// for a disk. Whoever hands on a piece puts it into the next queue first and gives
// it to readers or the pool second: order comes from the queue, whenever the pool is
// done with the piece, and the length of the queue bounds the memory.
//
// What the earlier image has goes straight from the planner to the storer, which has it
// copied beside all that.
package pack

import (
	"context"
	"crypto/sha256"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Entry is an entry of the root directory.
type Entry struct {
	Name string // in the image
	From Origin // where its files are read
	Path string // of the entry there
	Kept bool   // all of it is as the earlier image has it
}

// File is a regular file that is not empty.
type File struct {
	Entry  *Entry
	Below  string // the path from the entry on, with a leading slash; "" if it is the entry
	Number uint32 // from 1, no two files have the same
	Size   uint64 // in bytes
	Sparse bool   // its origin keeps fewer bytes than Size: look for holes

	Kept *disk.Location // where the earlier image has it, or nil
}

// path is where the file is in the image.
func (f *File) path() string { return f.Entry.Name + f.Below }

func (f *File) source() source {
	return source{from: f.Entry.From, path: f.Entry.Path + f.Below, size: f.Size}
}

// Group is entries that are laid down together. A group begins with a fragment
// block of its own and at a multiple of disk.Padding, so that its bytes are a
// function of its own entries, but for which of its files are stored with equal
// ones of earlier groups.
type Group struct {
	Entries []*Entry
	Files   []File // entry by entry, and in each in the order of the image

	record disk.GroupRecord // where the group is, once it is written
}

// key identifies what a group holds, provided that entries of the same name are
// the same: their names, and which files are stored in it.
func (g *Group) key(contents []*content) (key [sha256.Size]byte) {
	h := sha256.New()
	files := g.Files
	for _, e := range g.Entries {
		h.Write([]byte(e.Name))
		h.Write([]byte{0}) // which no name contains
		stored := []byte{}
		for ; len(files) > 0 && files[0].Entry == e; files = files[1:] {
			if c := contents[files[0].Number]; c != nil && c.owner == files[0].Number {
				stored = append(stored, 'x')
			} else {
				stored = append(stored, '-')
			}
		}
		h.Write(stored)
		h.Write([]byte{0})
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Limits end a window: the small files of a group that are brought in order by
// likeness, so that their contents are in memory at the same time. A group has more
// than one if it consists of one large entry; they follow the order of paths, so
// that whoever reads a folder finds its files near each other.
type Limits struct {
	WindowBytes int64 // a window ends with the file that reaches so many,
	WindowFiles int   // or with so many files
}

// Options say how files are packed.
type Options struct {
	Codec     *codec.Codec
	Limits    Limits
	Workers   int         // compressors at work, 1 or more; the bytes do not depend on it
	Backwards bool        // workers take up from the last on what waits; the bytes do not depend on it, either
	Progress  func(int64) // bytes of files dealt with since the last call
	Earlier   *Earlier    // nil if there is none
}

// Stats counts what became of the files.
type Stats struct {
	DataBytes      int64 // data and fragment blocks
	Blocks         int   // data blocks stored
	Fragments      int   // fragment blocks
	DuplicateFiles int   // files stored with an earlier equal one
	DuplicateBytes int64 // their sizes added up
	SparseBytes    int64 // bytes in all-zero blocks, which take no room
	ReusedBytes    int64 // of DataBytes: taken from the earlier image
}

// Result is what inodes and tables need.
type Result struct {
	Fragments []disk.FragmentEntry
	Groups    []disk.GroupRecord // those that take room
	Stats     Stats

	contents []*content
}

// Location is where the file of a number lies.
func (r *Result) Location(number uint32) disk.Location {
	if c := r.contents[number]; c != nil {
		return c.Location
	}
	return disk.Location{Fragment: disk.InvalidFragment}
}

// content is the contents of a file, and of those that are equal to it. Who owns
// it is decided before anything is written; where it lies is written down by the
// storer alone, but for the offset in a fragment block, which comes from the
// assembler before.
type content struct {
	owner uint32 // the number of the file that it is stored for
	disk.Location
}

func newContent(owner uint32) *content {
	return &content{owner: owner, Location: disk.Location{Fragment: disk.InvalidFragment}}
}

// Queue lengths for each worker, in pieces of up to a block. Pieces before the
// assembler wait for a window to be put in order, which takes as long as the
// fastest codecs need for a few blocks.
const (
	plannedPerWorker   = 4
	assembledPerWorker = 3
)

// Write writes the contents of all files of the groups. Their numbers are not above
// max. When all places are known, it calls then, which may write behind them: what is copied
// from an earlier image may be on its way still. The error is that of then, names a file
// that cannot be read, or is a *ChangedError.
func Write(ctx context.Context, w *disk.Writer, groups []*Group, max int, opts Options, then func(context.Context, *Result) error) error {
	blockSize := opts.Codec.Settings().BlockSize
	equal, err := findEqual(ctx, groups, blockSize, opts.Workers)
	if err != nil {
		return err
	}
	result := &Result{contents: make([]*content, max+1)}
	duplicates := &tally{}
	planned := make(chan piece, plannedPerWorker*opts.Workers)
	assembled := make(chan piece, assembledPerWorker*opts.Workers)

	stages, ctx := errgroup.WithContext(ctx)
	crew := newCrew(ctx, opts.Codec)
	crew.backwards = opts.Backwards
	stop := crew.start(opts.Workers, cap(planned), opts.Codec)
	stages.Go(func() error {
		p := &planner{
			crew:       crew,
			out:        planned,
			codec:      opts.Codec,
			limits:     opts.Limits,
			earlier:    opts.Earlier,
			equal:      equal,
			first:      make(map[identity]*content),
			contents:   result.contents,
			duplicates: duplicates,
		}
		return p.plan(groups)
	})
	stages.Go(func() error {
		a := &assembler{
			crew:       crew,
			in:         planned,
			out:        assembled,
			codec:      opts.Codec,
			first:      make(map[identity]*content),
			contents:   result.contents,
			duplicates: duplicates,
		}
		return a.assemble()
	})
	stages.Go(func() error {
		s := &storer{
			crew:       crew,
			in:         assembled,
			out:        w,
			earlier:    opts.Earlier,
			progress:   opts.Progress,
			duplicates: duplicates,
			fragments:  &result.Fragments,
			stats:      &result.Stats,
			aside:      stages.Go,
			turns:      make(chan struct{}, opts.Workers),
		}
		if err := s.store(); err != nil {
			return err
		}
		s.tell(0)
		result.complete(groups, duplicates)
		return then(ctx, result)
	})
	err = stages.Wait()
	stop()
	return err
}

// complete adds what is known when all contents have their places.
func (r *Result) complete(groups []*Group, duplicates *tally) {
	for _, g := range groups {
		if g.record.Size > 0 {
			g.record.Key = g.key(r.contents)
			r.Groups = append(r.Groups, g.record)
		}
	}
	r.Stats.DuplicateFiles = int(duplicates.files.Load())
	r.Stats.DuplicateBytes = duplicates.bytes.Load()
}

// newCrew returns a crew for blocks of a codec.
func newCrew(ctx context.Context, c *codec.Codec) *crew {
	return &crew{
		ctx:     ctx,
		reads:   make(chan reading),
		jobs:    make(chan job),
		buffers: newBuffers(max(c.Settings().BlockSize+1, c.Bound())),
	}
}

// start sets workers and readers to work. The function that it returns lets them go
// when nothing is handed to them any more.
func (c *crew) start(workers, readers int, by *codec.Codec) (stop func()) {
	var pool, reading sync.WaitGroup
	for range workers {
		w := newWorker(by, c.buffers)
		pool.Go(func() {
			for j := range c.jobs {
				for _, j := range c.waiting(j) {
					j.finish(j.work(w))
				}
			}
		})
	}
	for range readers { // more than there are pieces planned would find nothing to read
		reading.Go(c.read)
	}
	return func() {
		close(c.reads)
		reading.Wait()
		close(c.jobs)
		pool.Wait()
	}
}
