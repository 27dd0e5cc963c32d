package squashfs

import (
	"context"
	"crypto/sha256"
	"io"

	"golang.org/x/sync/errgroup"
)

// equalFiles tells which files may be stored with an earlier one.
//
// Only files of the same size can be equal, so only those are hashed: small
// ones when their batch is read, large ones here, before any block of theirs
// is compressed. A duplicate costs a second read of a file, but no
// compression.
type equalFiles struct {
	sizes map[uint64]int  // how many files have a size
	first map[*node]*node // a large file to the earlier one that it is equal to
	files int             // in first
	bytes int64           // their sizes added up
}

func findEqual(ctx context.Context, t *Tree, opts Options) (*equalFiles, error) {
	e := &equalFiles{sizes: make(map[uint64]int), first: make(map[*node]*node)}
	count := func(n *node, _ string) error {
		e.sizes[n.size]++
		return nil
	}
	if err := t.visit(count); err != nil {
		return nil, err
	}

	type candidate struct {
		node *node
		src  source
		sum  [sha256.Size]byte
	}
	var candidates []*candidate
	collect := func(n *node, path string) error {
		if n.size >= uint64(opts.Codec.Settings().BlockSize) && e.sizes[n.size] > 1 {
			candidates = append(candidates, &candidate{node: n, src: source{path: path, data: n.data, size: n.size}})
		}
		return nil
	}
	if err := t.visit(collect); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Workers)
	for _, c := range candidates {
		group.Go(func() (err error) {
			c.sum, err = c.src.sum(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}

	known := make(map[contentKey]*node)
	for _, c := range candidates {
		key := contentKey{c.node.size, c.sum}
		if first, ok := known[key]; ok {
			e.first[c.node] = first
			e.files++
			e.bytes += int64(c.node.size)
		} else {
			known[key] = c.node
		}
	}
	return e, nil
}

// isLater says whether n, a large file, is stored with an earlier one.
func (e *equalFiles) isLater(n *node) bool { return e.first[n] != nil }

// share gives the large duplicates the contents of the files they are equal
// to, once those are written.
func (e *equalFiles) share() {
	for later, first := range e.first {
		later.content = first.content
	}
}

// sum is the SHA-256 of the file.
func (s source) sum(ctx context.Context) (sum [sha256.Size]byte, err error) {
	r, err := s.open()
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &contextReader{ctx, r}); err != nil {
		return sum, err
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
