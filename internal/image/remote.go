package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
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
func (s *Store) OpenRemote(ctx context.Context, name string, remote Remote, closure *store.Closure, known *Catalog, workers int) (*Earlier, error) {
	if s.err != nil {
		return nil, s.err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	e := &Earlier{Path: name, remote: remote}
	if err := e.openRemote(ctx, s.codec, closure, known, workers); err != nil {
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

func (e *Earlier) openRemote(ctx context.Context, c *codec.Codec, closure *store.Closure, known *Catalog, workers int) error {
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
	same, _, err := common(held, closure)
	if err != nil {
		return err
	}
	same, whole, err := pure(held, same, recorded)
	if err != nil {
		return err
	}
	if len(same) == 0 {
		return errNothing
	}
	e.keep(same)
	// From now on only what is wanted can be read of the groups.
	_, start, _ := section.Outer()
	var groups []index.Piece
	for _, g := range recorded {
		if g.Name == "group" {
			groups = append(groups, index.Piece{Offset: start + g.Offset, Size: g.Size, Sum: g.Sum})
		}
	}
	e.remote.Want(ctx, groups, func(p index.Piece) bool { return whole[p.Offset-start] })
	e.squashfs, err = squashfs.OpenEarlierPart(ctx, section, section.Size(), c, workers, func(offset, _ int64) bool { return whole[offset] })
	if err != nil {
		return err
	}
	if known != nil && known.Has(e.squashfs.Sum()) {
		return nil
	}
	e.proof, e.proving = errgroup.WithContext(ctx)
	e.proof.Go(func() error { return prove(e.proving, held, same, workers) })
	return nil
}

// pure returns those of the paths that lie in groups which hold nothing else, and these groups by where
// they begin. A group that holds something else, too, is packed afresh: its bytes are going to be others.
func pure(s medium.Store, same []store.PathInfo, recorded []squashfs.Recorded) (kept []store.PathInfo, whole map[int64]bool, err error) {
	in, err := groupsOf(s, recorded)
	if err != nil {
		return nil, nil, err
	}
	mixed := map[int64]bool{}
	isKept := map[string]bool{}
	for _, info := range same {
		isKept[path.Base(info.Path)] = true
	}
	for changed := true; changed; {
		changed = false
		for name, groups := range in {
			for g := range groups {
				switch {
				case !isKept[name] && !mixed[g]:
					mixed[g], changed = true, true
				case isKept[name] && mixed[g]:
					delete(isKept, name)
					changed = true
				}
			}
		}
	}
	whole = map[int64]bool{}
	for _, info := range same {
		if name := path.Base(info.Path); isKept[name] {
			kept = append(kept, info)
			for g := range in[name] {
				whole[g] = true
			}
		}
	}
	return kept, whole, nil
}

// groupsOf finds out in which groups each entry of the root directory has files.
func groupsOf(s medium.Store, recorded []squashfs.Recorded) (map[string]map[int64]bool, error) {
	groupAt := func(offset int64) (int64, bool) {
		for lo, hi := 0, len(recorded); lo < hi; {
			mid := (lo + hi) / 2
			switch g := recorded[mid]; {
			case offset < g.Offset:
				hi = mid
			case offset >= g.Offset+g.Size:
				lo = mid + 1
			default:
				return g.Offset, g.Name == "group"
			}
		}
		return 0, false
	}
	root, err := s.Root()
	if err != nil {
		return nil, err
	}
	in := map[string]map[int64]bool{}
	for entry, err := range s.Entries(root) {
		if err != nil {
			return nil, err
		}
		top, err := s.Inode(entry)
		if err != nil {
			return nil, err
		}
		groups := map[int64]bool{}
		in[entry.Name] = groups
		err = s.WalkFrom(top, func(at string, ino squashfs.Inode) error {
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
				g, ok := groupAt(b.Offset)
				if !ok {
					return fmt.Errorf("%s/%s lies in no group", entry.Name, at)
				}
				groups[g] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

// prove computes the NAR hash of each path.
func prove(ctx context.Context, s medium.Store, paths []store.PathInfo, workers int) error {
	good, err := verified(ctx, s, paths, workers)
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
