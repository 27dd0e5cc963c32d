// Package contents is all that a medium holds under one kind of path: the files of its volume,
// of its EFI system partitions, and of the file system images that are files of these, such as
// the squashfs of a live system.
//
// A path is that of a file of the volume: "/isolinux/isolinux.cfg". One that goes on behind a
// file goes on in the image that the file is: "/live/filesystem.squashfs/etc/hostname". A path
// in the Nix store, "/nix/store/…", is found in the store of the medium, and "esp:/EFI/BOOT" in
// its EFI system partition, "esp2:/…" in a second one.
//
// Nothing of a medium is trusted. What is read at a time is bounded, and what is taken out of it
// stays in the folder that it is taken to.
package contents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Contents are the file systems of a medium.
type Contents struct {
	volume *system
	efi    []*system
	store  *system // nil: not looked for yet, or none
	inside map[string]source
	m      *medium.Medium
}

// system is a file system of a medium.
type system struct {
	source
	at   string // the path of its root directory, without a slash at its end
	home string // where the running system has its root directory; "" for "/"
}

// File is a file of any type.
type File struct {
	Path    string      // by which it was found, through links, too: "/isolinux/isolinux.cfg", "esp:/EFI"
	Mode    fs.FileMode // type and permissions
	Size    int64       // of a regular file, in bytes
	UID     uint32
	GID     uint32
	ModTime time.Time // zero if it is not recorded
	Target  string    // of a symbolic link
	Links   uint32    // names that it has, as far as the file system tells; else 1
	Major   uint32    // of a device
	Minor   uint32

	system *system
	entry  entry
}

// Name is the last element of the path.
func (f File) Name() string { return path.Base(f.Path) }

// NotFoundError says that the medium has nothing at a path, or that matches it.
type NotFoundError struct {
	Path string
	Err  error // why; nil: it is just not there
}

func (e *NotFoundError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s %v", e.Path, e.Err)
	}
	return e.Path + " is not on the medium"
}

func (e *NotFoundError) Unwrap() error { return e.Err }

// Is makes it an [fs.ErrNotExist].
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// KindError says that a file is not of the kind that is needed.
type KindError struct{ Path, Reason string }

func (e *KindError) Error() string { return e.Path + " " + e.Reason }

// Open opens the file systems of a medium, to which what it is read from has to stay open.
func Open(m *medium.Medium) (*Contents, error) {
	c := &Contents{m: m, inside: map[string]source{}}
	volume, err := openVolume(m)
	if err != nil {
		return nil, err
	}
	c.volume = &system{source: volume}
	for _, t := range m.Trees() {
		if !t.EFI {
			continue
		}
		partition, err := openFAT(m.ReaderAt(), t.Offset, m.Size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		name := "esp:"
		if n := len(c.efi) + 1; n > 1 {
			name = "esp" + strconv.Itoa(n) + ":"
		}
		c.efi = append(c.efi, &system{source: partition, at: name})
	}
	return c, nil
}

// openVolume opens what has the path "/".
func openVolume(m *medium.Medium) (source, error) {
	switch m.Form {
	case medium.Squashfs:
		r, err := squashfs.Open(m.ReaderAt(), m.Size)
		return squash{r}, err
	case medium.Initrd:
		s, err := m.Store()
		return squash{s.Reader}, err
	case medium.Disk:
		return empty{}, nil
	case medium.Folder, medium.Archive:
		return openListed(m), nil
	}
	return openISO(m.ReaderAt(), m.Size)
}

// Roots are the paths that all others begin with: "/", and "esp:/" and its like.
func (c *Contents) Roots() []string {
	roots := []string{"/"}
	for _, s := range c.efi {
		roots = append(roots, s.at+"/")
	}
	return roots
}

// nixStore is where the running system has the store of the medium.
const nixStore = "/nix/store"

// nix returns the store of the medium.
func (c *Contents) nix() (*system, error) {
	if c.store != nil {
		return c.store, nil
	}
	s, err := c.m.Store()
	if err != nil {
		return nil, err
	}
	c.store = &system{source: squash{s.Reader}, at: nixStore, home: nixStore}
	return c.store, nil
}

// fileOf is a file by what its file system says of it.
func (s *system) fileOf(e entry) File {
	at := s.at + "/" + e.path
	if e.path == "." {
		at = s.at + "/"
		if s.at != "" && !strings.HasSuffix(s.at, ":") {
			at = s.at
		}
	}
	return File{
		Path: at, Mode: e.mode, Size: e.size, UID: e.uid, GID: e.gid, ModTime: e.modTime, Target: e.target,
		Links: max(1, e.links), Major: e.major, Minor: e.minor, system: s, entry: e,
	}
}

// holds is an entry of a folder as a file.
func (f File) holds(e entry) File {
	child := f.system.fileOf(e)
	child.Path = strings.TrimSuffix(f.Path, "/") + "/" + path.Base(e.path)
	return child
}

func (s *system) root() (File, error) {
	e, err := s.lookup(".")
	return s.fileOf(e), err
}

// Open returns the content of a regular file. The error is a *KindError if it is none.
func (c *Contents) Open(f File) (*io.SectionReader, error) {
	switch {
	case f.Mode.IsDir():
		return nil, &KindError{f.Path, "is a folder"}
	case !f.Mode.IsRegular():
		return nil, &KindError{f.Path, "is " + Kind(f.Mode) + ", which has no content"}
	}
	r, err := f.system.open(f.entry)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return r, nil
}

// Extents returns where on the medium the content of a regular file lies, in order. Only those of
// the volume itself lie there as they are; of others it is nil.
func (c *Contents) Extents(f File) []medium.Extent {
	if f.system != c.volume || !f.Mode.IsRegular() {
		return nil
	}
	if f.entry.extents != nil {
		return f.entry.extents
	}
	extents := make([]medium.Extent, len(f.entry.iso.Extents))
	for i, e := range f.entry.iso.Extents {
		extents[i] = medium.Extent(e)
	}
	return extents
}

// Kind is a type of file in words: "a folder", "a device".
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "no file of a known type"
}

// List reads the entries of a folder, sorted by name. An error ends the sequence.
func (c *Contents) List(dir File) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		if !dir.Mode.IsDir() {
			yield(File{}, &KindError{dir.Path, "is no folder"})
			return
		}
		for e, err := range dir.system.list(dir.entry) {
			if err != nil {
				yield(File{}, fmt.Errorf("%s: %w", dir.Path, err))
				return
			}
			if !yield(dir.holds(e), nil) {
				return
			}
		}
	}
}

// Xattrs reads the extended attributes of a file, which only a squashfs has.
func (f File) Xattrs() ([]squashfs.Xattr, error) {
	s, ok := f.system.source.(squash)
	if !ok {
		return nil, nil
	}
	var list []squashfs.Xattr
	for x, err := range s.r.Xattrs(f.entry.ino) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		list = append(list, x)
	}
	return list, nil
}

// longestPath is PATH_MAX of Linux, which opens no path as long as that.
const longestPath = 4096

// Walk calls visit for a file and, if it is a folder, for all below it, each folder before
// what it holds. Symbolic links are not followed, images not entered. A folder that is in
// more than one place is an error, since it could hold itself. Visit may return fs.SkipDir
// for a folder.
func (c *Contents) Walk(top File, visit func(File) error) error {
	return c.walk(top, map[uint64]bool{}, visit)
}

func (c *Contents) walk(f File, seen map[uint64]bool, visit func(File) error) error {
	if len(f.Path) >= longestPath {
		return fmt.Errorf("a path of %d bytes, %d are possible", len(f.Path), longestPath-1)
	}
	if f.Mode.IsDir() {
		if seen[f.entry.id] {
			return fmt.Errorf("%s: the folder is in more than one place", f.Path)
		}
		seen[f.entry.id] = true
	}
	err := visit(f)
	if errors.Is(err, fs.SkipDir) {
		return nil
	}
	if err != nil || !f.Mode.IsDir() {
		return err
	}
	for child, err := range c.List(f) {
		if err != nil {
			return err
		}
		if err := c.walk(child, seen, visit); err != nil {
			return err
		}
	}
	return nil
}
