package pack

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"
)

// equality tells which files have the same contents. Only files of the same
// size can, so a file of a size of its own is never read for it. Of the others:
//
//   - Files of an earlier image are equal if they lie in the same place there,
//     for it was packed by the same rules.
//   - Files of a size that both the earlier image and the origin have are read
//     and hashed before anything is packed, those of the earlier image once
//     for each location.
//   - So are files of a block or more: a duplicate costs a second read, but no
//     compression.
//   - Smaller files are hashed when they are read for their fragment block.
type equality struct {
	blockSize int
	sizes     map[uint64]sizeClass
	places    *places
	sums      []digest // of files hashed beforehand, where their places say
	keys      *keys
	digester  *digester // of the planner
}

// sizeClass is the files of one size.
type sizeClass struct {
	files int // names
	kept  int // of them, in an earlier image
}

func (c sizeClass) mixed() bool { return c.kept > 0 && c.kept < c.files }

func findEqual(ctx context.Context, groups []*Group, blockSize, workers int, p *places) (*equality, error) {
	e := &equality{
		blockSize: blockSize,
		sizes:     make(map[uint64]sizeClass),
		places:    p,
		keys:      newKeys(),
	}
	e.digester = newDigester(e.keys)
	for _, g := range groups {
		for f := range g.files() {
			c := e.sizes[f.Size]
			c.files++
			if f.Kept != nil {
				c.kept++
			}
			e.sizes[f.Size] = c
		}
	}
	return e, e.hash(ctx, groups, workers)
}

// hash makes the sums that must be known beforehand.
func (e *equality) hash(ctx context.Context, groups []*Group, workers int) error {
	beforehand := 0
	for size, c := range e.sizes {
		if e.beforehand(size, c) {
			beforehand += c.files
		}
	}
	located := newFirsts(beforehand)
	e.sums = make([]digest, 0, beforehand)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, g := range groups {
		for f := range g.files() {
			if ctx.Err() != nil {
				return group.Wait()
			}
			if !e.beforehand(f.Size, e.sizes[f.Size]) {
				continue
			}
			if f.Kept != nil {
				if first := located.of(e.digester.location(f.Size, f.Kept), f.Number); first != f.Number {
					e.places.rows[f.Number] = e.places.rows[first]
					continue
				}
			}
			e.places.rows[f.Number] = row{hashed, uint32(len(e.sums))}
			e.sums = append(e.sums, digest{}) // there is room: the sums stay where they are
			sum, source := &e.sums[len(e.sums)-1], f.source()
			group.Go(func() (err error) {
				*sum, err = source.sum(ctx, e.keys)
				return err
			})
		}
	}
	return group.Wait()
}

// beforehand says whether files of a size are to be hashed before anything is packed.
func (e *equality) beforehand(size uint64, c sizeClass) bool {
	large := size >= uint64(e.blockSize) && c.files > 1 && c.kept == 0
	return large || c.mixed()
}

// later says whether files of a size are to be hashed when they are read.
func (e *equality) later(size uint64, c sizeClass) bool {
	return size < uint64(e.blockSize) && c.files > 1 && c.kept == 0
}

// hashedLater is how many files are hashed when they are read.
func (e *equality) hashedLater() (files int) {
	for size, c := range e.sizes {
		if e.later(size, c) {
			files += c.files
		}
	}
	return files
}

// known is how many files there are that may be equal to others, and are not hashed later.
func (e *equality) known() (files int) {
	for size, c := range e.sizes {
		if c.files > 1 && !e.later(size, c) {
			files += c.files
		}
	}
	return files
}

// identify returns the digest of a file's contents. Within a size, they are all of contents or
// all of locations. It is not known (false) for one that is equal to no other, and for one that
// is to be hashed when it is read.
func (e *equality) identify(f *File) (digest, bool) {
	if r := e.places.rows[f.Number]; r.what == hashed {
		return e.sums[r.value], true
	}
	if f.Kept != nil && e.sizes[f.Size].files > 1 {
		return e.digester.location(f.Size, f.Kept), true
	}
	return digest{}, false
}

// hashLater says whether a file is to be hashed when it is read.
func (e *equality) hashLater(f *File) bool { return e.later(f.Size, e.sizes[f.Size]) }

// sum is the digest of the file.
func (s source) sum(ctx context.Context, k *keys) (sum digest, err error) {
	r, err := s.from.Open(s.path)
	if err != nil {
		return sum, err
	}
	defer r.Close()
	d := newDigester(k)
	d.begin(&k.contents)
	n, err := io.Copy(d.hash, &contextReader{ctx, r})
	if err != nil {
		return sum, err
	}
	if n != int64(s.size) {
		return sum, s.changed()
	}
	return d.end(), nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
