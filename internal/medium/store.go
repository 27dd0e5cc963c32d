package medium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// StoreImage is the file of a NixOS medium that holds the store. Stage 1 knows it by this name
// (nixos/modules/installer/cd-dvd/iso-image.nix).
const StoreImage = initrd.Store

// Manifest is the file of a medium that says what it was made of, if livebuild made it; package
// manifest has its form.
const Manifest = "livebuild.json"

// Registration is the name, in the root of the squashfs, of the list that the live system
// loads into its Nix database.
const Registration = "nix-path-registration"

// NoStoreError says that an image holds no store of NixOS that could be read.
type NoStoreError struct{ Reason string }

func (e *NoStoreError) Error() string { return e.Reason }

// FindStore returns where the squashfs is in an image of size bytes. Whether a machine could be
// started from the image does not matter. The error is a *NoStoreError if there is none.
func FindStore(r io.ReaderAt, size int64) (*io.SectionReader, error) {
	volume, err := hybridiso.Open(r, size)
	if err != nil {
		return nil, err
	}
	entry, err := volume.Lookup(StoreImage)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entry.Extents) == 0 {
		return nil, &NoStoreError{"has no " + StoreImage}
	}
	if err != nil {
		return nil, err
	}
	start := entry.Extents[0].Offset
	end := start
	for _, extent := range entry.Extents {
		if extent.Offset != end {
			return nil, &NoStoreError{StoreImage + " is in pieces"}
		}
		end += extent.Size
	}
	return io.NewSectionReader(r, start, end-start), nil
}

// StoreSection returns where the store of the medium is, as FindStore does: a squashfs alone is one
// if it has the registration. The error is a *NoStoreError if there is none.
func (m *Medium) StoreSection() (*io.SectionReader, error) {
	if m.Form == Disc {
		return FindStore(m.r, m.Size)
	}
	if m.Bundled() {
		return m.bundledStore()
	}
	if m.Form == Initrd {
		return initrd.FindStore(m.r, m.Size)
	}
	if m.Form == Squashfs {
		r, err := squashfs.Open(io.NewSectionReader(m.r, 0, m.Size), m.Size)
		if err != nil {
			return nil, err
		}
		if _, err := r.Lookup(Registration); !errors.Is(err, fs.ErrNotExist) {
			return io.NewSectionReader(m.r, 0, m.Size), err
		}
	}
	return nil, &NoStoreError{"has no " + StoreImage}
}

// Store is the store of a medium.
type Store struct{ *squashfs.Reader }

// Store opens the store of the medium.
func (m *Medium) Store() (Store, error) {
	section, err := m.StoreSection()
	if err != nil {
		return Store{}, err
	}
	r, err := squashfs.Open(section, section.Size())
	return Store{r}, err
}

// maxRegistration is more than any medium has, in bytes: a store path takes about a thousand.
const maxRegistration = 256 << 20

// Registration returns what the medium says of the paths in its store.
func (s Store) Registration() (*store.Closure, error) {
	ino, err := s.Lookup(Registration)
	if err != nil {
		return nil, err
	}
	file, err := s.OpenFile(ino)
	if err != nil {
		return nil, err
	}
	if file.Size() > maxRegistration {
		return nil, fmt.Errorf("%s has %d bytes, more than any", Registration, file.Size())
	}
	return store.ReadRegistration(io.NewSectionReader(file, 0, file.Size()))
}

// NarHash computes the NAR hash of a store path by its base name, an entry of the root
// directory, from what the medium has (Nix manual, "Nix Archive (NAR) format").
func (s Store) NarHash(ctx context.Context, name string) ([32]byte, error) {
	hash, _, err := s.Nar(ctx, name, math.MaxInt64)
	return hash, err
}

// Nar is NarHash with the size of the archive in bytes. An archive that would be larger than limit is
// an error before its files are read: a hole of any size takes no room in the image.
func (s Store) Nar(ctx context.Context, name string, limit int64) (hash [32]byte, size int64, err error) {
	return s.nar(ctx, name, limit, s.open)
}

// Contents opens a regular file of a store path, by its path below that and its inode.
type Contents func(at string, ino squashfs.Inode) (io.ReadCloser, error)

// NarHashFrom is NarHash with the contents of regular files from where a function has them; the nil
// file is the medium's own.
func (s Store) NarHashFrom(ctx context.Context, name string, open Contents) ([32]byte, error) {
	hash, _, err := s.nar(ctx, name, math.MaxInt64, func(at string, ino squashfs.Inode) (io.ReadCloser, error) {
		if file, err := open(at, ino); file != nil || err != nil {
			return file, err
		}
		return s.open(at, ino)
	})
	return hash, err
}

// open opens a file of the medium.
func (s Store) open(_ string, ino squashfs.Inode) (io.ReadCloser, error) {
	file, err := s.OpenFile(ino)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(file, 0, math.MaxInt64)), nil
}

func (s Store) nar(ctx context.Context, name string, limit int64, open Contents) (hash [32]byte, size int64, err error) {
	top, err := s.Lookup(name)
	if err != nil {
		return hash, 0, err
	}
	nar := store.NewNarHash()
	unended := 0 // directories
	err = s.WalkFrom(top, func(at string, ino squashfs.Inode) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at != "." {
			for depth := strings.Count(at, "/") + 1; unended > depth; unended-- {
				nar.EndDirectory()
				nar.EndEntry()
			}
			nar.Entry(path.Base(at))
		}
		switch {
		case ino.Mode.IsDir():
			nar.Directory()
			unended++
			return nil // its entry ends with it
		case ino.Mode.IsRegular():
			if ino.Size > limit-nar.Size() {
				return fmt.Errorf("%s: the archive has more than %d bytes", at, limit)
			}
			file, err := open(at, ino)
			if err != nil {
				return err
			}
			err = nar.File(ino.Mode&0o111 != 0, ino.Size, file)
			if closed := file.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return err
			}
		case ino.Target != "":
			nar.Symlink(ino.Target)
		default:
			return fmt.Errorf("%s is of type %s", at, ino.Mode.Type())
		}
		if at != "." {
			nar.EndEntry()
		}
		return nil
	})
	if err != nil {
		return hash, 0, err
	}
	for ; unended > 0; unended-- {
		nar.EndDirectory()
		if unended > 1 {
			nar.EndEntry()
		}
	}
	hash, err = nar.Sum()
	return hash, nar.Size(), err
}
