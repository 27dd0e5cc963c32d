package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"sort"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Remote is an image that is not here, of which some pieces are brought.
type Remote interface {
	// ReadAt reads; what is wanted it waits for, and pieces that are not wanted it has not got.
	io.ReaderAt
	Size() int64 // bytes
	// Want begins to bring pieces, out of all those that there are.
	Want(ctx context.Context, all []index.Piece, wanted func(index.Piece) bool)
	Failed() error // why some of them did not come
	Close() error
}

// OpenRemote opens an image that is not here, to pack a closure from it. What can be taken from it
// comes while packing goes on, and is proved meanwhile: until [Earlier.Confirm] it is not known whether
// the new image is right. The error is an *UnfitError if nothing can be taken.
func (s *Store) OpenRemote(ctx context.Context, name string, remote Remote, src Sources, known *Catalog, workers int) (*Earlier, error) {
	if s.err != nil {
		return nil, s.err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	e := &Earlier{Path: name, remote: remote}
	if err := e.openRemote(ctx, s.codec, src, known, workers); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &UnfitError{Path: name, Err: err}
	}
	return e, nil
}

// tablesAhead bounds what is read at once of an image that is not here, in bytes: the tables of any
// usual one.
const tablesAhead = 32 << 20

func (e *Earlier) openRemote(ctx context.Context, c *codec.Codec, src Sources, known *Catalog, workers int) error {
	section, err := medium.FindStore(e.remote, e.remote.Size())
	if err != nil {
		return err
	}
	r, err := squashfs.Open(section, section.Size())
	if err != nil {
		return err
	}
	recorded, err := r.Recorded(section.Size())
	if err != nil {
		return err
	}
	if tables := recorded[len(recorded)-2]; tables.Size <= tablesAhead { // in one go: they are kept
		if _, err := section.ReadAt(make([]byte, tables.Size), tables.Offset); err != nil {
			return err
		}
	}
	held := medium.Store{Reader: r}
	same, _, err := common(held, src.Closure)
	if err != nil {
		return err
	}
	if len(same) == 0 {
		return errNothing
	}
	groups, err := groupsOf(held, same, recorded)
	if err != nil {
		return err
	}
	e.keep(same)
	// From now on only what is wanted can be read of the groups.
	_, start, _ := section.Outer()
	var pieces []index.Piece
	for _, g := range groups.list {
		pieces = append(pieces, index.Piece{Offset: start + g.Offset, Size: g.Size, Sum: g.Sum})
	}
	e.remote.Want(ctx, pieces, func(p index.Piece) bool { return groups.has(p.Offset - start) })
	e.squashfs, err = squashfs.OpenEarlierPart(ctx, section, section.Size(), c, workers, func(offset, _ int64) bool { return groups.has(offset) })
	if err != nil {
		return err
	}
	if known != nil && known.Has(e.squashfs.Sum()) {
		return nil
	}
	e.proof, e.proving = errgroup.WithContext(ctx)
	e.proof.Go(func() error { return prove(e.proving, held, same, groups, src.Files, workers) })
	return nil
}

// groups are those of an image, of which some hold nothing but paths that are the same. The others
// are packed afresh: their bytes are going to be different ones.
type groups struct {
	list  []squashfs.Recorded // in order
	mixed []bool              // by group: it holds something else, too
}

// at returns the number of the group that a block lies in.
func (g *groups) at(offset int64) (int, bool) {
	i := sort.Search(len(g.list), func(i int) bool { return g.list[i].Offset+g.list[i].Size > offset })
	return i, i < len(g.list) && g.list[i].Offset <= offset
}

// has says whether the group at an offset is of use.
func (g *groups) has(offset int64) bool {
	i, ok := g.at(offset)
	return ok && !g.mixed[i]
}

// groupsOf finds out which groups the image has, and what is in them.
func groupsOf(s medium.Store, same []store.PathInfo, recorded []squashfs.Recorded) (*groups, error) {
	g := &groups{}
	for _, part := range recorded {
		if part.Name == "group" {
			g.list = append(g.list, part)
		}
	}
	g.mixed = make([]bool, len(g.list))
	kept := map[string]bool{}
	for _, info := range same {
		kept[path.Base(info.Path)] = true
	}
	root, err := s.Root()
	if err != nil {
		return nil, err
	}
	for entry, err := range s.Entries(root) {
		if err != nil {
			return nil, err
		}
		top, err := s.Inode(entry)
		if err != nil {
			return nil, err
		}
		err = s.WalkFrom(top, func(at string, ino squashfs.Inode) error {
			return eachBlock(s, ino, func(offset int64) error {
				i, ok := g.at(offset)
				if !ok {
					return fmt.Errorf("%s/%s lies in no group", entry.Name, at)
				}
				g.mixed[i] = g.mixed[i] || !kept[entry.Name]
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// eachBlock calls a function with where each block of a file lies.
func eachBlock(s medium.Store, ino squashfs.Inode, f func(offset int64) error) error {
	if !ino.Mode.IsRegular() {
		return nil
	}
	blocks, err := s.Blocks(ino)
	if err != nil {
		return err
	}
	for _, b := range append(blocks.Data, blocks.Fragment) {
		if b.Size == 0 {
			continue
		}
		if err := f(b.Offset); err != nil {
			return err
		}
	}
	return nil
}

// errMixed says that a file lies in a group that is left where it is.
var errMixed = errors.New("is in a mixed group")

// prove computes the NAR hash of each path, from what is taken of the image, and for the rest of it from
// the store: that has the right bytes, so the hash is right if and only if those of the image are.
func prove(ctx context.Context, s medium.Store, paths []store.PathInfo, g *groups, files *storefs.FS, workers int) error {
	good, err := verified(ctx, paths, workers, func(ctx context.Context, info store.PathInfo) ([32]byte, error) {
		return s.NarHashFrom(ctx, path.Base(info.Path), func(at string, ino squashfs.Inode) (io.ReadCloser, error) {
			err := eachBlock(s, ino, func(offset int64) error {
				if !g.has(offset) {
					return errMixed
				}
				return nil
			})
			if errors.Is(err, errMixed) {
				return files.Open(path.Join(info.Path, at))
			}
			return nil, err
		})
	})
	if err == nil && len(good) != len(paths) {
		err = fmt.Errorf("%d of its %d store paths are not what it says", len(paths)-len(good), len(paths))
	}
	return err
}

// Confirm waits until it is proved that what was taken from the image is what it claims to be. The error
// is an *UnfitError if it is not, or did not come: what was packed from it is nothing worth then.
func (e *Earlier) Confirm() error {
	if e == nil || e.remote == nil {
		return nil
	}
	var err error
	if e.proof != nil {
		err = e.proof.Wait()
	}
	if failed := e.remote.Failed(); failed != nil {
		err = failed
	}
	if err != nil {
		return &UnfitError{Path: e.Path, Err: err}
	}
	return nil
}

// Lost says that a packing failed, or would, because what it takes from the image did not come.
func (e *Earlier) Lost() bool { return e != nil && e.remote != nil && e.remote.Failed() != nil }

// closeRemote ends what goes on, and closes the image.
func (e *Earlier) closeRemote() error {
	err := e.remote.Close()
	if e.proof != nil {
		_ = e.proof.Wait() // Confirm has said it, if anybody asked
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}
