package fat

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/pkg/internal/fsfile"
)

// Lookup returns the entry at a path of names separated by slashes, long or
// short ones, in whatever case. The root directory is ".". A name that is not
// there is an [fs.ErrNotExist].
func (r *Reader) Lookup(name string) (Entry, error) {
	at := rootEntry()
	for element := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if element == "" {
			continue
		}
		if !at.IsDir() {
			return Entry{}, fs.ErrNotExist
		}
		d, err := r.directory(at)
		if err != nil {
			return Entry{}, err
		}
		if at, err = d.find(element); err != nil {
			return Entry{}, err
		}
	}
	return at, nil
}

// Entries returns what the directory dir holds, sorted by name.
func (r *Reader) Entries(dir Entry) ([]Entry, error) {
	if !dir.IsDir() {
		return nil, errors.New("not a directory")
	}
	d, err := r.directory(dir)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(slices.Values(d.entries), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }), nil
}

// Extents returns where the contents of a file lie in the file system, in order.
func (r *Reader) Extents(file Entry) ([]Extent, error) {
	if file.IsDir() {
		return nil, errors.New("is a directory")
	}
	return r.extents(file.Cluster, file.Size)
}

// FS returns the file system as one that also implements [fs.StatFS],
// [fs.ReadDirFS] and [fs.ReadFileFS]. Names are found in whatever case, and by
// their short form, too; listings have the long one. The Sys of a file's
// [fs.FileInfo] is its [Entry].
func (r *Reader) FS() fs.FS { return imageFS{r} }

type imageFS struct{ r *Reader }

func (f imageFS) find(op, name string) (fileInfo, error) {
	if !fs.ValidPath(name) {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e, err := f.r.Lookup(name)
	if err != nil {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return fileInfo{e}, nil
}

func (f imageFS) Stat(name string) (fs.FileInfo, error) { return f.find("stat", name) }

func (f imageFS) Open(name string) (fs.File, error) {
	info, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return fsfile.NewDir(info, name, func() ([]fs.DirEntry, error) { return f.ReadDir(name) }), nil
	}
	extents, err := f.r.Extents(info.Entry)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fsfile.NewFile(info, fsfile.Pieces(io.NewSectionReader(f.r.src, 0, f.r.size), extents)), nil
}

func (f imageFS) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := f.find("readdir", name)
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
	return list, nil
}

func (f imageFS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	open, ok := file.(*fsfile.File)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	p := make([]byte, open.Size()) // the clusters are there
	if _, err := io.ReadFull(open, p); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return p, nil
}

// fileInfo implements fs.FileInfo.
type fileInfo struct{ Entry }

func (i fileInfo) Name() string       { return i.Entry.Name }
func (i fileInfo) Size() int64        { return i.Entry.Size }
func (i fileInfo) ModTime() time.Time { return i.Entry.ModTime }
func (i fileInfo) Sys() any           { return i.Entry }
