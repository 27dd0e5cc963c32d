package hybridiso

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/pkg/internal/fsfile"
)

// maxLinks bounds the symbolic links that one path leads through, as Linux
// does (MAXSYMLINKS).
const maxLinks = 40

// FS returns the files as a file system that also implements [fs.StatFS],
// [fs.ReadDirFS], [fs.ReadFileFS] and [fs.ReadLinkFS]. Its paths are those of
// [fs.ValidPath]: a name that is not UTF-8 is listed but cannot be opened.
// Symbolic links are followed inside the volume, absolute ones from its root
// directory. The Sys of a file's [fs.FileInfo] is its [Entry].
func (r *Reader) FS() fs.FS { return imageFS{r} }

type imageFS struct{ r *Reader }

func (f imageFS) Open(name string) (fs.File, error) {
	info, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return fsfile.NewDir(info, name, func() ([]fs.DirEntry, error) { return f.ReadDir(name) }), nil
	case !info.Mode().IsRegular():
		return fsfile.NewEmpty(info), nil
	}
	return fsfile.NewFile(info, fsfile.Pieces(f.r.src, info.Extents)), nil
}

func (f imageFS) Stat(name string) (fs.FileInfo, error)  { return f.find("stat", name, true) }
func (f imageFS) Lstat(name string) (fs.FileInfo, error) { return f.find("lstat", name, false) }

func (f imageFS) ReadLink(name string) (string, error) {
	info, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return info.Target, nil
}

func (f imageFS) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := f.r.Entries(info.Entry)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = fs.FileInfoToDirEntry(fileInfo{e})
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// ReadFile implements [fs.ReadFileFS]. Room is made for what is there alone.
func (f imageFS) ReadFile(name string) ([]byte, error) {
	info, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	p, err := f.r.read(info.Entry)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return p, nil
}

// read returns the content of a file.
func (r *Reader) read(e Entry) ([]byte, error) {
	if e.Mode.IsDir() {
		return nil, errors.New("is a directory")
	}
	if e.Size > r.size {
		return nil, fmt.Errorf("%d bytes in an image of %d", e.Size, r.size)
	}
	var p []byte
	for _, x := range e.Extents {
		if x.Offset > r.size || x.Size > r.size-x.Offset {
			return nil, fmt.Errorf("%d bytes at %d of an image of %d", x.Size, x.Offset, r.size)
		}
		part := make([]byte, x.Size)
		if err := r.readAt(part, x.Offset); err != nil {
			return nil, err
		}
		p = append(p, part...)
	}
	return p, nil
}

// find looks name up, and through the symbolic link that it may be if follow
// is set.
func (f imageFS) find(op, name string, follow bool) (fileInfo, error) {
	if !fs.ValidPath(name) {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e, err := f.resolve(name, follow)
	if err != nil {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	e.Path = name
	return fileInfo{e}, nil
}

func (f imageFS) resolve(name string, follow bool) (Entry, error) {
	way := []Entry{f.r.root} // the directories down to the current entry, itself the last
	links := 0
	for rest := name; rest != ""; {
		var first string
		first, rest, _ = strings.Cut(rest, "/")
		switch first {
		case "", ".":
			continue
		case "..":
			way = way[:max(1, len(way)-1)]
			continue
		}
		child, err := f.r.child(way[len(way)-1], first)
		if err != nil {
			return Entry{}, err
		}
		if child.Mode.Type() != fs.ModeSymlink || rest == "" && !follow {
			way = append(way, child)
			continue
		}
		if links++; links > maxLinks {
			return Entry{}, errors.New("too many symbolic links")
		}
		if strings.HasPrefix(child.Target, "/") {
			way = way[:1]
		}
		rest = strings.TrimSuffix(child.Target+"/"+rest, "/")
	}
	return way[len(way)-1], nil
}

// fileInfo implements fs.FileInfo.
type fileInfo struct{ Entry }

func (i fileInfo) Name() string       { return i.Entry.name() }
func (i fileInfo) Size() int64        { return i.Entry.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.Entry.Mode }
func (i fileInfo) ModTime() time.Time { return i.Entry.ModTime }
func (i fileInfo) IsDir() bool        { return i.Entry.Mode.IsDir() }
func (i fileInfo) Sys() any           { return i.Entry }
