package squashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/livebuild/livebuild/pkg/internal/fsfile"
)

// maxLinks bounds the symbolic links that one path leads through, as Linux
// does (MAXSYMLINKS).
const maxLinks = 40

// maxReadFile is the largest file that is read at once, in bytes. A small image
// can have files of any size, of zeros or with few blocks.
const maxReadFile = 4 << 30

// FS returns the image as a file system that also implements [fs.StatFS],
// [fs.ReadDirFS], [fs.ReadFileFS] and [fs.ReadLinkFS]. ReadFile refuses files above
// 4 GiB, which can be opened. Its paths are those of [fs.ValidPath]:
// a name that is not UTF-8 is listed but cannot be opened. Symbolic links are
// followed inside the image, absolute ones from its root directory.
func (r *Reader) FS() fs.FS { return &imageFS{r: r} }

type imageFS struct {
	r *Reader

	// last is the directory that was found last. Whoever walks through a tree
	// goes on from there, whatever its depth.
	last atomic.Pointer[step]
}

// step is an inode on the way that a path leads.
type step struct {
	path string // by which it was found, without symbolic links
	ino  Inode
	up   *step // nil for the root directory
}

// holds says whether name is the path of s or of something below it.
func (s *step) holds(name string) bool {
	return s.up == nil || name == s.path || len(name) > len(s.path) && name[len(s.path)] == '/' && name[:len(s.path)] == s.path
}

func (f *imageFS) Open(name string) (fs.File, error) {
	info, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	switch {
	case info.ino.Mode.IsDir():
		return fsfile.NewDir(info, name, func() ([]fs.DirEntry, error) { return f.ReadDir(name) }), nil
	case info.ino.Mode.IsRegular():
		file, err := f.r.OpenFile(info.ino)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return fsfile.NewFile(info, file), nil
	}
	return fsfile.NewEmpty(info), nil
}

func (f *imageFS) Stat(name string) (fs.FileInfo, error)  { return f.find("stat", name, true) }
func (f *imageFS) Lstat(name string) (fs.FileInfo, error) { return f.find("lstat", name, false) }

func (f *imageFS) ReadLink(name string) (string, error) {
	info, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if info.ino.Mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return info.ino.Target, nil
}

func (f *imageFS) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	list, err := f.r.ReadDir(info.ino)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	entries := make([]fs.DirEntry, len(list))
	for i, e := range list {
		entries[i] = namedEntry{f.r, e}
	}
	return entries, nil
}

// ReadFile implements [fs.ReadFileFS].
func (f *imageFS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	open, ok := file.(*fsfile.File)
	switch {
	case !ok:
		err = errors.New("is a directory")
	case open.Size() > maxReadFile:
		err = fmt.Errorf("%d bytes are more than the %d that are read at once", open.Size(), int64(maxReadFile))
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	// Room is made as contents come: a block may be damaged.
	p, err := io.ReadAll(open)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return p, nil
}

// find looks name up, and through the symbolic link that it may be if follow
// is set.
func (f *imageFS) find(op, name string, follow bool) (fileInfo, error) {
	if !fs.ValidPath(name) {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	ino, err := f.resolve(name, follow)
	if err != nil {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return fileInfo{path.Base(name), ino}, nil
}

func (f *imageFS) resolve(name string, follow bool) (Inode, error) {
	at, rest, err := f.nearest(name)
	if err != nil {
		return Inode{}, err
	}
	links := 0
	for rest != "" {
		var first string
		first, rest, _ = strings.Cut(rest, "/")
		if !at.ino.Mode.IsDir() {
			return Inode{}, fs.ErrNotExist
		}
		switch first {
		case "", ".":
			continue
		case "..":
			if at.up != nil {
				at = at.up
			}
			continue
		}
		child, err := f.r.child(at.ino, first)
		if err != nil {
			return Inode{}, err
		}
		if child.Mode.Type() != fs.ModeSymlink || rest == "" && !follow {
			at = &step{path: at.below(first), ino: child, up: at}
			continue
		}
		if links++; links > maxLinks {
			return Inode{}, errors.New("too many symbolic links")
		}
		if strings.HasPrefix(child.Target, "/") {
			for at.up != nil {
				at = at.up
			}
		}
		rest = strings.TrimSuffix(child.Target+"/"+rest, "/")
	}
	if at.ino.Mode.IsDir() {
		f.last.Store(at)
	}
	return at.ino, nil
}

// nearest returns the step from which name is the shortest way, and that way.
func (f *imageFS) nearest(name string) (at *step, rest string, err error) {
	if at = f.last.Load(); at == nil {
		root, err := f.r.Root()
		return &step{ino: root}, name, err
	}
	for !at.holds(name) {
		at = at.up
	}
	if at.up == nil {
		return at, name, nil
	}
	return at, strings.TrimPrefix(name[len(at.path):], "/"), nil
}

// below is the path of a name in the directory s.
func (s *step) below(name string) string {
	if s.up == nil {
		return name
	}
	return s.path + "/" + name
}

// fileInfo implements fs.FileInfo. Its Sys is the Inode.
type fileInfo struct {
	name string
	ino  Inode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.ino.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.ino.Mode }
func (i fileInfo) ModTime() time.Time { return i.ino.ModTime }
func (i fileInfo) IsDir() bool        { return i.ino.Mode.IsDir() }
func (i fileInfo) Sys() any           { return i.ino }

// namedEntry implements fs.DirEntry.
type namedEntry struct {
	r *Reader
	e DirEntry
}

func (e namedEntry) Name() string      { return e.e.Name }
func (e namedEntry) IsDir() bool       { return e.e.Type.IsDir() }
func (e namedEntry) Type() fs.FileMode { return e.e.Type }
func (e namedEntry) String() string    { return fs.FormatDirEntry(e) }

func (e namedEntry) Info() (fs.FileInfo, error) {
	ino, err := e.r.Inode(e.e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.e.Name, err)
	}
	return fileInfo{e.e.Name, ino}, nil
}
