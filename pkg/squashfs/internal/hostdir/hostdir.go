// Package hostdir opens what lies below a folder of the host, and nothing that a
// symbolic link leads to.
//
// A tree of files is looked at first and read later. What was a file then is opened as
// the file of that name below the same folder, or not at all: a link that has come in
// its place, or in that of a folder on the way, is an error, and so is "..". Linux sees
// to that where it can (openat2(2), RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS), else each
// folder on the way is opened for itself. On other systems a link can lead to another
// file below the folder, but not out of it ([os.Root]).
package hostdir

import (
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// Dir is a folder that is opened when it is first needed and then kept open. The path
// to it may have links: it is the caller's.
type Dir struct {
	path string
	dir  func() (host, error)
}

// New returns a folder. It is closed when nothing refers to it any more.
func New(path string) *Dir {
	return &Dir{filepath.Clean(path), sync.OnceValues(func() (host, error) { return open(path) })}
}

// Split returns the folder that a path is in, and its name there: "." for a path that
// does not end in a name.
func Split(path string) (folder, name string) {
	folder, name = filepath.Split(strings.TrimRight(path, string(filepath.Separator)))
	switch {
	case name == "" || name == "." || name == "..":
		return path, "."
	case folder == "":
		folder = "."
	}
	return folder, name
}

// Path returns the path of what has a name below the folder.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// fail names an error.
func (d *Dir) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: d.Path(name), Err: err}
}
