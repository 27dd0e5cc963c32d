package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// storeImage is the store of the medium.
type storeImage struct {
	medium.Store
	offset   int64 // on the medium
	size     int64
	recorded []squashfs.Recorded       // of an image that livebuild packed
	names    map[string]bool           // in its root directory, files beside store paths left out
	known    map[string]store.PathInfo // registered, by base name
}

// path is a store path by its base name.
func (s *storeImage) path(base string) string {
	if info, ok := s.known[base]; ok {
		return info.Path
	}
	return "/nix/store/" + base
}

// openStore opens the store image and reads the registration.
func (v *verifier) openStore() error {
	section, err := v.medium.StoreSection()
	if err != nil {
		if _, none := errors.AsType[*medium.NoStoreError](err); none && !v.medium.MadeHere() {
			v.gap("store paths: the image %s", err)
			return nil
		}
		return v.wrong("squashfs", -1, medium.StoreImage, "%w", err)
	}
	_, offset, _ := section.Outer()
	if section.Size() < 0 || offset+section.Size() > v.medium.Size {
		if err := v.wrong("squashfs", offset, medium.StoreImage, "it ends behind the end of the image"); err != nil {
			return err
		}
	}
	s, err := v.medium.Store()
	if err != nil {
		return v.wrong("squashfs superblock", offset, medium.StoreImage, "%w", err)
	}
	images := &storeImage{Store: s, offset: offset, size: section.Size(), names: map[string]bool{}, known: map[string]store.PathInfo{}}
	images.recorded, err = s.Recorded(section.Size())
	switch {
	case errors.Is(err, squashfs.ErrNoRecord) && !v.medium.MadeHere():
	case err != nil:
		if err := v.wrong("squashfs record", offset+s.Info().BytesUsed, medium.StoreImage, "%w", err); err != nil {
			return err
		}
	}
	if err := v.openIndex(images); err != nil {
		return err
	}
	v.images = images
	root, err := s.Root()
	if err == nil {
		for e, entryErr := range s.Entries(root) {
			if err = entryErr; err != nil {
				break
			}
			if e.Name != medium.Registration {
				images.names[e.Name] = true
			}
		}
	}
	if err != nil {
		return v.wrong("squashfs directory", -1, ".", "%w", err)
	}
	return v.register()
}

// openIndex adds the index behind the squashfs, which images of older versions lack, to what is
// recorded.
func (v *verifier) openIndex(s *storeImage) error {
	if len(s.recorded) == 0 {
		return nil
	}
	x, err := index.Read(v.medium.ReaderAt(), v.medium.Size)
	switch {
	case errors.Is(err, index.ErrNone):
		return nil
	case err != nil:
		return v.wrong("index", -1, medium.StoreImage, "%w", err)
	}
	s.recorded = append(s.recorded, squashfs.Recorded{Name: "index", Offset: x.At.Offset - s.offset, Size: x.At.Size, Sum: x.At.Sum})
	return nil
}

// register reads what is known of the store paths.
func (v *verifier) register() error {
	closure, err := v.images.Registration()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !v.medium.MadeHere():
		v.gap("store paths: no registration is on the medium")
	case err != nil:
		if err := v.wrong("registration", -1, medium.Registration, "%w", err); err != nil {
			return err
		}
	}
	if closure == nil {
		closure = &store.Closure{}
	}
	if err := closure.Check(); err != nil {
		if err := v.wrong("registration", -1, medium.Registration, "%w", err); err != nil {
			return err
		}
	}
	for _, p := range closure.Paths {
		base := path.Base(p.Path)
		if other, twice := v.images.known[base]; twice {
			if err := v.pathWrong(other.Path, -1, "it is registered twice"); err != nil {
				return err
			}
		}
		v.images.known[base] = p
		if !v.images.names[base] {
			if err := v.pathWrong(p.Path, -1, "it is registered, and not in the image"); err != nil {
				return err
			}
		}
	}
	if len(v.images.known) > 0 {
		for _, base := range slices.Sorted(maps.Keys(v.images.names)) {
			if _, ok := v.images.known[base]; !ok {
				if err := v.pathWrong(v.images.path(base), -1, "it is in the image, and not registered"); err != nil {
					return err
				}
			}
		}
	}
	return v.hold(closure)
}

// hold holds the registration on the medium against what is known elsewhere, which counts.
func (v *verifier) hold(registered *store.Closure) error {
	against := v.options.Against
	if against == nil {
		return nil
	}
	same, err := v.sameRoots(registered, against.Roots)
	if err != nil || !same {
		return err // of another system every path is another
	}
	if against.Closure == nil {
		v.gap("store paths against their contents elsewhere: they are not there")
		return nil
	}
	elsewhere := map[string]bool{}
	for _, p := range against.Closure.Paths {
		base := path.Base(p.Path)
		elsewhere[base] = true
		info, ok := v.images.known[base]
		var err error
		switch {
		case !ok:
			err = v.pathWrong(p.Path, -1, "it is not registered on the medium")
		case info.NarHash != p.NarHash:
			err = v.pathWrong(p.Path, -1, "it is registered with the NAR hash %s, which is %s elsewhere", sri(info.NarHash), sri(p.NarHash))
		case !slices.Equal(info.References, p.References):
			err = v.pathWrong(p.Path, -1, "it is registered with other references than elsewhere")
		}
		if err != nil {
			return err
		}
		v.images.known[base] = p
	}
	for _, p := range registered.Paths {
		if !elsewhere[path.Base(p.Path)] {
			if err := v.pathWrong(p.Path, -1, "it is registered on the medium, and not in the closure elsewhere"); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameRoots holds the roots of the registration against those that are known elsewhere.
func (v *verifier) sameRoots(registered *store.Closure, roots []string) (same bool, err error) {
	if roots == nil {
		return true, nil
	}
	same = true
	for _, root := range roots {
		if _, ok := v.images.known[path.Base(root)]; !ok {
			same = false
			if err := v.pathWrong(root, -1, "the configuration has it, and it is not registered on the medium"); err != nil {
				return false, err
			}
		}
	}
	for _, root := range registered.Roots() {
		if !slices.Contains(roots, root) {
			same = false
			if err := v.pathWrong(root, -1, "it is on the medium, and not what the configuration has"); err != nil {
				return false, err
			}
		}
	}
	return same, nil
}

// pathWrong is find for a store path.
func (v *verifier) pathWrong(storePath string, offset int64, format string, args ...any) error {
	return v.find(Finding{Structure: "store path", Offset: offset, StorePath: storePath, Err: fmt.Errorf(format, args...)})
}

// sri is a hash as Nix prints it (W3C, Subresource Integrity §3.1).
func sri(hash [32]byte) string { return "sha256-" + base64.StdEncoding.EncodeToString(hash[:]) }
