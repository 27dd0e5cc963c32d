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
	"iter"
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
	Number uint32 // from 1, no two files have the same
	Size   uint64 // in bytes
	Sparse bool   // its origin keeps fewer bytes than Size: look for holes

	// Below returns the path from the entry on, with a leading slash; "" if it is the entry.
	Below func() string

	Kept *disk.Location // where the earlier image has it, or nil
}

func (f *File) source() source {
	return source{from: f.Entry.From, path: f.Entry.Path + f.Below(), size: f.Size}
}

// Group is entries that are laid down together. A group begins with a fragment
// block of its own and at a multiple of disk.Padding, so that its bytes are a
// function of its own entries, but for which of its files are stored with equal
// ones of earlier groups.
type Group struct {
	Entries []*Entry

	// Files yields the files of each entry, in the order of the image and the same ones each
	// time. A file is good until the next one: millions of them are never in memory at once.
	Files []iter.Seq[*File]

	record disk.GroupRecord // where the group is, once it is written
}

// files yields the files of all entries.
func (g *Group) files() iter.Seq[*File] {
	return func(yield func(*File) bool) {
		for _, files := range g.Files {
			for f := range files {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// key identifies what a group holds, provided that entries of the same name are
// the same: their names, and which files are stored in it.
func (g *Group) key(p *places) (key [sha256.Size]byte) {
	h := sha256.New()
	var line []byte
	for i, e := range g.Entries {
		line = append(append(line[:0], e.Name...), 0) // which no name contains
		for f := range g.Files[i] {
			if p.owns(f.Number) {
				line = append(line, 'x')
			} else {
				line = append(line, '-')
			}
			if len(line) == cap(line) {
				h.Write(line)
				line = line[:0]
			}
		}
		h.Write(append(line, 0))
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

	places *places
}

// Location is where the file of a number lies.
func (r *Result) Location(number uint32) disk.Location { return r.places.location(number) }

// content is the contents of a file with blocks, while these are written.
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
	result := &Result{places: newPlaces(max)}
	equal, err := findEqual(ctx, groups, blockSize, opts.Workers, result.places)
	if err != nil {
		return err
	}
	duplicates := &tally{}
	planned := make(chan piece, plannedPerWorker*opts.Workers)
	assembled := make(chan piece, assembledPerWorker*opts.Workers)

	stages, ctx := errgroup.WithContext(ctx)
	crew := newCrew(ctx, opts.Codec)
	crew.backwards = opts.Backwards
	stop := crew.start(opts.Workers, cap(planned), opts.Codec, equal.keys)
	stages.Go(func() error {
		p := &planner{
			crew:       crew,
			out:        planned,
			codec:      opts.Codec,
			limits:     opts.Limits,
			earlier:    opts.Earlier,
			equal:      equal,
			first:      newFirsts(equal.known()),
			places:     result.places,
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
			first:      newFirsts(equal.hashedLater()),
			places:     result.places,
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
			result:     result,
			aside:      stages.Go,
			turns:      make(chan struct{}, opts.Workers),
		}
		if err := s.store(); err != nil {
			return err
		}
		s.tell(0)
		result.Stats.DuplicateFiles = int(duplicates.files.Load())
		result.Stats.DuplicateBytes = duplicates.bytes.Load()
		return then(ctx, result)
	})
	err = stages.Wait()
	stop()
	return err
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
func (c *crew) start(workers, readers int, by *codec.Codec, keys *keys) (stop func()) {
	var pool, reading sync.WaitGroup
	for range workers {
		w := newWorker(by, c.buffers, keys)
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
