package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Earlier is an image from which a new one takes what both have: the store
// paths that its registration names with today's NAR hash. The new image has
// the same bytes as without it.
//
// An image is not trusted. Its bytes are held against the record that it
// carries, but for those of a file that nobody has touched since it was written here;
// that the record is true is known of images in the Catalog, and of
// others found out by computing each path's NAR hash from the image.
type Earlier struct {
	Path     string
	file     *imagefile.File // nil of one that is not here
	squashfs *squashfs.Earlier
	kept     map[string]bool // base names of store paths

	Paths   int   // store paths that are the same
	Bytes   int64 // their NAR sizes
	Damaged int64 // bytes of the squashfs that are not what they were

	remote  Remote // nil of one that is here
	proof   *errgroup.Group
	proving context.Context
}

// UnfitError says why nothing of an image can be part of a new one.
type UnfitError struct {
	Path string
	Err  error
}

func (e *UnfitError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *UnfitError) Unwrap() error { return e.Err }

// errNothing is an UnfitError's reason.
var errNothing = errors.New("holds none of the store paths")

// Close closes the image.
func (e *Earlier) Close() error {
	if e == nil {
		return nil
	}
	if e.remote != nil {
		return e.closeRemote()
	}
	return e.file.Close()
}

// ChooseEarlier returns which of the images at paths has most of the closure,
// as far as their registrations say; the first of equals. It returns "" if none
// has anything.
func ChooseEarlier(paths []string, closure *store.Closure) string {
	best, most := "", int64(0)
	for _, path := range paths {
		if n := claimed(path, closure); n > most {
			best, most = path, n
		}
	}
	return best
}

// claimed is how many bytes of the closure an image says it has.
func claimed(path string, closure *store.Closure) int64 {
	f, err := imagefile.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	section, err := storeImage(f)
	if err != nil {
		return 0
	}
	r, err := squashfs.Open(section, section.Size())
	if err != nil {
		return 0
	}
	_, bytes, err := common(medium.Store{Reader: r}, closure)
	if err != nil {
		return 0
	}
	return bytes
}

// OpenEarlier opens the image at path to pack a closure from it, read by
// several workers, 0 for one for each processor. What an image holds that is in
// the catalog need not be found out. The error is an *UnfitError if nothing can
// be taken from it.
func (s *Store) OpenEarlier(ctx context.Context, path string, closure *store.Closure, known *Catalog, workers int) (*Earlier, error) {
	if s.err != nil {
		return nil, s.err
	}
	f, err := imagefile.Open(path)
	if _, ok := errors.AsType[*imagefile.OpenError](err); ok {
		return nil, err
	}
	if err != nil {
		return nil, &UnfitError{Path: path, Err: err}
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	e := &Earlier{Path: path, file: f}
	if err := e.open(ctx, s.codec, closure, known, workers); err != nil {
		f.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &UnfitError{Path: path, Err: err}
	}
	return e, nil
}

func (e *Earlier) open(ctx context.Context, c *codec.Codec, closure *store.Closure, known *Catalog, workers int) error {
	section, err := storeImage(e.file)
	if err != nil {
		return err
	}
	if e.squashfs, err = e.openSquashfs(ctx, section, c, known, workers); err != nil {
		return err
	}
	e.Damaged = e.squashfs.Damaged()
	held := medium.Store{Reader: e.squashfs.Reader()}
	same, _, err := common(held, closure)
	if err != nil {
		return err
	}
	if known == nil || !known.Has(e.squashfs.Sum()) {
		if same, err = verified(ctx, same, workers, func(ctx context.Context, info store.PathInfo) ([32]byte, error) {
			return held.NarHash(ctx, path.Base(info.Path))
		}); err != nil {
			return err
		}
	}
	if e.keep(same); e.Paths == 0 {
		return errNothing
	}
	return nil
}

// openSquashfs opens the store image, of which the groups of files are not read if the file is as it was
// when it was written here: what is taken of them is copied, and the rest is of no use. Head, tables and
// the record are read in any case.
func (e *Earlier) openSquashfs(ctx context.Context, section *io.SectionReader, c *codec.Codec, known *Catalog, workers int) (*squashfs.Earlier, error) {
	if sum, ok := known.written(identityBehind(section)); ok {
		all := func(int64, int64) bool { return true }
		earlier, err := squashfs.OpenEarlierPart(ctx, section, section.Size(), c, workers, all)
		if err != nil || earlier.Sum() == sum {
			return earlier, err
		}
	}
	return squashfs.OpenEarlier(ctx, section, section.Size(), c, workers)
}

// identityBehind is the identity of the file that a section is of, empty if it is of several.
func identityBehind(section *io.SectionReader) string {
	outer, _, _ := section.Outer()
	for {
		switch x := outer.(type) {
		case *io.SectionReader:
			outer, _, _ = x.Outer()
		case *os.File:
			if info, err := x.Stat(); err == nil {
				return identityOf(info)
			}
			return ""
		default:
			return ""
		}
	}
}

// keep notes which paths are the same.
func (e *Earlier) keep(same []store.PathInfo) {
	e.kept = make(map[string]bool, len(same))
	for _, info := range same {
		e.kept[path.Base(info.Path)] = true
		e.Bytes += info.NarSize
	}
	e.Paths = len(same)
}

// storeImage is where the squashfs is in an image, which can be in parts.
func storeImage(f *imagefile.File) (*io.SectionReader, error) {
	image := f.Plain()
	if image == nil {
		return nil, fmt.Errorf("is compressed by %s as a whole", f.Format)
	}
	section, err := medium.FindStore(image, f.FileSize)
	if errors.Is(err, hybridiso.ErrNoVolume) {
		if carried, err := initrd.FindStore(image, f.FileSize); err == nil {
			return carried, nil
		}
	}
	return section, err
}

// common returns the paths of the closure that an image says it has, with the
// same NAR hash.
func common(s medium.Store, closure *store.Closure) (same []store.PathInfo, bytes int64, err error) {
	registered, err := s.Registration()
	if err != nil {
		return nil, 0, err
	}
	hashes := make(map[string][32]byte, len(registered.Paths))
	for _, info := range registered.Paths {
		hashes[info.Path] = info.NarHash
	}
	for _, info := range closure.Paths {
		if hash, ok := hashes[info.Path]; ok && hash == info.NarHash {
			same = append(same, info)
			bytes += info.NarSize
		}
	}
	return same, bytes, nil
}

// verified returns those of the paths that the image really has, by a function that computes the NAR
// hash of one.
func verified(ctx context.Context, paths []store.PathInfo, workers int, narHash func(context.Context, store.PathInfo) ([32]byte, error)) ([]store.PathInfo, error) {
	var mu sync.Mutex
	var good []store.PathInfo
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, info := range paths {
		group.Go(func() error {
			if hash, err := narHash(ctx, info); err == nil && hash == info.NarHash {
				mu.Lock()
				defer mu.Unlock()
				good = append(good, info)
			}
			return ctx.Err()
		})
	}
	return good, group.Wait()
}
