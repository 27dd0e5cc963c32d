package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Folder is files that appear in a folder together, of which the last says that all are there.
//
// Until then they have no names, as an [Output] has none. Others of the folder stay as they are:
// those that machines are started from may lie there, too.
type Folder struct {
	path   string
	made   bool // by Commit
	within string
	files  []*Output // in the order in which they are put in their places
}

// CreateFolder begins files of these names in a folder, which may be missing, but not what it lies
// in. Earlier files there must be ours unless force is set, which the last one tells: the function
// says so of it. The error is an *OccupiedError if they are not, a *PlaceError if something there is no
// file.
func CreateFolder(path string, names []string, force bool, ours func(path string) (bool, error)) (*Folder, error) {
	f := &Folder{path: filepath.Clean(path), within: filepath.Clean(path)}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.within = filepath.Dir(f.path)
		return f, CheckFolder(f.within)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &PlaceError{path, "is not a folder"}
	}
	if err := CheckFolder(f.path); err != nil {
		return nil, err
	}
	seal := filepath.Join(f.path, names[len(names)-1])
	mine, err := ours(seal)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, name := range names {
		file := filepath.Join(f.path, name)
		info, err := os.Lstat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, &PlaceError{file, "is not a regular file"}
		case !mine && !force:
			return nil, &OccupiedError{file, "of a network boot that livebuild made"}
		}
	}
	return f, nil
}

// Create begins a file. They are put in their places in the order in which they are begun.
func (f *Folder) Create(name string) (*Output, error) {
	o, err := createFile(filepath.Join(f.within, name))
	if err != nil {
		return nil, err
	}
	o.path = filepath.Join(f.path, name)
	f.files = append(f.files, o)
	return o, nil
}

// Files are those that were begun, in order.
func (f *Folder) Files() []*Output { return slices.Clone(f.files) }

// Path is where the folder is, or will be.
func (f *Folder) Path() string { return f.path }

// Commit puts the files, which have to be synced, in their places, and removes others there of the
// names that are stale. The last file of an earlier time goes first, and the last file comes last:
// whenever this ends, none says that all is there that is not. Between, which takes as long as some
// renames, there is neither what was nor what comes.
func (f *Folder) Commit(stale ...string) (err error) {
	if f.within != f.path {
		if err := os.Mkdir(f.path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		f.made = true
		if err := syncFolder(f.within); err != nil {
			return err
		}
	}
	for _, o := range f.files {
		if err := o.claim(); err != nil {
			return err
		}
	}
	last := f.files[len(f.files)-1]
	for _, path := range append([]string{last.path}, paths(f.path, stale)...) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if path == last.path {
			if err := syncFolder(f.path); err != nil {
				return err
			}
		}
	}
	for _, o := range f.files {
		if o == last {
			if err := syncFolder(f.path); err != nil {
				return err
			}
		}
		if err := o.place(); err != nil {
			return err
		}
	}
	f.made = false
	return syncFolder(f.path)
}

func paths(folder string, names []string) (list []string) {
	for _, name := range names {
		list = append(list, filepath.Join(folder, name))
	}
	return list
}

// Abort removes what has been written. After Commit it does nothing.
func (f *Folder) Abort() error {
	var all []error
	for _, o := range slices.Backward(f.files) {
		all = append(all, o.Abort())
	}
	if f.made { // with nothing in it, unless somebody else was faster
		_ = os.Remove(f.path)
	}
	return errors.Join(all...)
}
