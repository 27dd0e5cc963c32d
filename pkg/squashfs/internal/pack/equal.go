package pack

import (
	"context"
	"crypto/sha256"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
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
	sizes     map[uint64]*sizeClass
	sums      map[uint32][sha256.Size]byte // of files hashed beforehand, by number
}

// sizeClass is the files of one size.
type sizeClass struct {
	files int // names
	kept  int // of them, in an earlier image
}

func (c *sizeClass) mixed() bool { return c.kept > 0 && c.kept < c.files }

// identity stands for contents: files with equal ones are equal. Within a
// size, identities are all sums or all locations.
type identity struct {
	size uint64
	sum  [sha256.Size]byte
	at   disk.LocationKey
}

func findEqual(ctx context.Context, groups []*Group, blockSize, workers int) (*equality, error) {
	e := &equality{
		blockSize: blockSize,
		sizes:     make(map[uint64]*sizeClass),
		sums:      make(map[uint32][sha256.Size]byte),
	}
	for _, g := range groups {
		for i := range g.Files {
			f := &g.Files[i]
			c := e.sizes[f.Size]
			if c == nil {
				c = &sizeClass{}
				e.sizes[f.Size] = c
			}
			c.files++
			if f.Kept != nil {
				c.kept++
			}
		}
	}
	return e, e.hash(ctx, groups, workers)
}

// candidate is files that lie in one place.
type candidate struct {
	numbers []uint32
	source  source
	sum     [sha256.Size]byte
}

// hash makes the sums that must be known beforehand.
func (e *equality) hash(ctx context.Context, groups []*Group, workers int) error {
	candidates := e.candidates(groups)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, c := range candidates {
		group.Go(func() (err error) {
			c.sum, err = c.source.sum(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, c := range candidates {
		for _, number := range c.numbers {
			e.sums[number] = c.sum
		}
	}
	return nil
}

func (e *equality) candidates(groups []*Group) (list []*candidate) {
	located := make(map[identity]*candidate)
	for _, g := range groups {
		for i := range g.Files {
			f := &g.Files[i]
			c := e.sizes[f.Size]
			large := f.Size >= uint64(e.blockSize) && c.files > 1 && c.kept == 0
			if !large && !c.mixed() {
				continue
			}
			this := &candidate{numbers: []uint32{f.Number}, source: f.source()}
			if f.Kept != nil {
				id := identity{size: f.Size, at: f.Kept.Key()}
				if other := located[id]; other != nil {
					other.numbers = append(other.numbers, f.Number)
					continue
				}
				located[id] = this
			}
			list = append(list, this)
		}
	}
	return list
}

// identify returns the identity of a file's contents. It is not known (false)
// for one that is equal to no other, and for one that is to be hashed when it
// is read.
func (e *equality) identify(f *File) (identity, bool) {
	if sum, ok := e.sums[f.Number]; ok {
		return identity{size: f.Size, sum: sum}, true
	}
	if f.Kept != nil && e.sizes[f.Size].files > 1 {
		return identity{size: f.Size, at: f.Kept.Key()}, true
	}
	return identity{}, false
}

// hashLater says whether a file is to be hashed when it is read.
func (e *equality) hashLater(f *File) bool {
	c := e.sizes[f.Size]
	return f.Size < uint64(e.blockSize) && c.files > 1 && c.kept == 0
}

// sum is the SHA-256 of the file.
func (s source) sum(ctx context.Context) (sum [sha256.Size]byte, err error) {
	r, err := s.from.Open(s.path)
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, &contextReader{ctx, r})
	if err != nil {
		return sum, err
	}
	if n != int64(s.size) {
		return sum, s.changed()
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
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
