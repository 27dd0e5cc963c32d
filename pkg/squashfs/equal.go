package squashfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// equality tells which files have the same contents. Only files of the same
// size can, so a file of a size of its own is never read for it. Of the others:
//
//   - Files of an earlier image are equal if they lie in the same place there,
//     for it was packed by the same rules.
//   - Files of a size that both the earlier image and the host have are read
//     and hashed before anything is packed, those of the earlier image once
//     for each place.
//   - So are files of a block or more: a duplicate costs a second read, but no
//     compression.
//   - Smaller files are hashed when they are read for their fragment block.
type equality struct {
	blockSize int
	sizes     map[uint64]*sizeClass
	sums      map[*node][sha256.Size]byte // of files hashed beforehand
}

// sizeClass is the files of one size.
type sizeClass struct {
	files int // names
	kept  int // of them, in an earlier image
}

// identity stands for contents: files with equal ones are equal. Within a
// size, identities are all sums or all locations.
type identity struct {
	size uint64
	sum  [sha256.Size]byte
	at   locationKey
}

// locationKey is a location as the key of a map. Files of one size that share
// blocks need not be equal in an image of another maker: one can have a hole
// where the other has its second block.
type locationKey struct {
	start            uint64
	sizes            string
	fragment, offset uint32
}

func (l *location) key() locationKey {
	sizes := make([]byte, 0, len(l.sizes)*disk.BlockSizeSize)
	for _, size := range l.sizes {
		sizes = binary.LittleEndian.AppendUint32(sizes, size)
	}
	return locationKey{start: l.start, sizes: string(sizes), fragment: l.fragment, offset: l.offset}
}

func (c *sizeClass) mixed() bool { return c.kept > 0 && c.kept < c.files }

func findEqual(ctx context.Context, t *Tree, opts Options) (*equality, error) {
	e := &equality{
		blockSize: opts.Codec.Settings().BlockSize,
		sizes:     make(map[uint64]*sizeClass),
		sums:      make(map[*node][sha256.Size]byte),
	}
	count := func(n *node, _ treePath) error {
		c := e.sizes[n.size]
		if c == nil {
			c = &sizeClass{}
			e.sizes[n.size] = c
		}
		c.files++
		if n.kept != nil {
			c.kept++
		}
		return nil
	}
	if err := t.visit(count); err != nil {
		return nil, err
	}
	return e, e.hash(ctx, t, opts.Workers)
}

// hash makes the sums that must be known beforehand.
func (e *equality) hash(ctx context.Context, t *Tree, workers int) error {
	type candidate struct {
		nodes []*node // in one place
		src   source
		sum   [sha256.Size]byte
	}
	var candidates []*candidate
	places := make(map[identity]*candidate)
	collect := func(n *node, at treePath) error {
		c := e.sizes[n.size]
		large := n.size >= uint64(e.blockSize) && c.files > 1 && c.kept == 0
		if !large && !c.mixed() {
			return nil
		}
		this := &candidate{nodes: []*node{n}, src: at.source(n)}
		if n.kept != nil {
			id := identity{size: n.size, at: n.kept.key()}
			if known := places[id]; known != nil {
				known.nodes = append(known.nodes, n)
				return nil
			}
			places[id] = this
		}
		candidates = append(candidates, this)
		return nil
	}
	if err := t.visit(collect); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, c := range candidates {
		group.Go(func() (err error) {
			c.sum, err = c.src.sum(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, c := range candidates {
		for _, n := range c.nodes {
			e.sums[n] = c.sum
		}
	}
	return nil
}

// identify returns the identity of a file's contents. It is not known (false)
// for one that is equal to no other, and for one that is to be hashed when it
// is read.
func (e *equality) identify(n *node) (identity, bool) {
	if sum, ok := e.sums[n]; ok {
		return identity{size: n.size, sum: sum}, true
	}
	c := e.sizes[n.size]
	if n.kept != nil && c.files > 1 {
		return identity{size: n.size, at: n.kept.key()}, true
	}
	return identity{}, false
}

// hashLater says whether a file is to be hashed when it is read.
func (e *equality) hashLater(n *node) bool {
	c := e.sizes[n.size]
	return n.size < uint64(e.blockSize) && c.files > 1 && c.kept == 0
}

// sum is the SHA-256 of the file.
func (s source) sum(ctx context.Context) (sum [sha256.Size]byte, err error) {
	r, err := s.open()
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
		return sum, &ChangedError{Path: s.path, Size: int64(s.size)}
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
