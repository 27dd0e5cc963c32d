// Package storefs reads the files of chosen paths of a Nix store, and nothing else
// of the machine.
//
// A flake is somebody else's, and so are the links, names and texts that it brings.
// Whoever publishes what is made of it must not publish his own files. So a file is
// named as Nix names it, "/nix/store/<hash>-<name>/…", links are followed by what
// they say there, not by what the machine makes of them, and what they lead to is
// opened beneath the folder of a store path that may be read ([os.Root]), which no
// link and no ".." leaves. Other paths of the same store may be somebody's secrets,
// and are as closed as the rest of the machine.
//
// Assumed is what Nix promises: that a store path does not change once it is there
// (Nix manual, "Store Object"). If one did, a file could be found that is no longer
// what was looked at, but none beyond the store path.
package storefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// FS has the files of store paths. Files are named by absolute paths as the store
// itself names them, wherever it is on this machine. It may be used by several
// goroutines at once.
type FS struct {
	dir  string // as Nix names it, "/nix/store"
	real string // where it is
	root *os.Root
	may  map[string]bool // names of the paths that may be read

	mu      sync.Mutex
	roots   map[string]*os.Root    // of store paths that are folders
	folders map[string]fs.FileInfo // those that are no links, nor below one
}

// OutsideError reports a file that is not one of those that may be read.
type OutsideError struct {
	Path string // as it was asked for
	// Leads is where it leads to by its links, Path itself if it has none.
	Leads string
	// InStore tells that this is in the store: in another path of it.
	InStore bool
}

func (e *OutsideError) Error() string {
	where := "not in the Nix store"
	if e.InStore {
		where = "not among the store paths that the configuration needs"
	}
	if e.Leads != e.Path {
		return fmt.Sprintf("%s leads to %s, which is %s", e.Path, e.Leads, where)
	}
	return fmt.Sprintf("%s is %s", e.Path, where)
}

// New returns the files of store paths. The store is called dir in their names,
// and is in the folder real, to which links may lead: that is how the machine is
// set up.
func New(dir, real string, paths []string) (*FS, error) {
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, fmt.Errorf("opening the Nix store: %w", err)
	}
	s := &FS{dir: path.Clean(dir), real: real, root: root,
		may: make(map[string]bool, len(paths)), roots: map[string]*os.Root{}, folders: map[string]fs.FileInfo{}}
	for _, p := range paths {
		name, rest, below := s.cut(p)
		if !below || rest != "." || path.Clean(p) != p {
			return nil, errors.Join(&OutsideError{Path: p, Leads: p}, root.Close())
		}
		s.may[name] = true
	}
	return s, nil
}

// Close closes what is open. Files that were opened stay so.
func (s *FS) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.root.Close()
	for _, r := range s.roots {
		err = errors.Join(err, r.Close())
	}
	return err
}

// cut splits a path into the name of a store path and what is below it, "." for
// the store path itself.
func (s *FS) cut(file string) (name, rest string, below bool) {
	inside, below := strings.CutPrefix(file, s.dir+"/")
	if s.dir == "/" {
		inside, below = strings.CutPrefix(file, "/")
	}
	name, rest, _ = strings.Cut(inside, "/")
	if rest == "" {
		rest = "."
	}
	return name, rest, below && name != ""
}

// HostPath returns where a store path is on this machine, for those that look at
// it without following links. Its error is an *OutsideError.
func (s *FS) HostPath(storePath string) (string, error) {
	name, rest, below := s.cut(storePath)
	if !below || rest != "." || !s.may[name] {
		return "", &OutsideError{Path: storePath, Leads: storePath, InStore: below}
	}
	return filepath.Join(s.real, name), nil
}

// beneath returns the root to look for a path in, and its name there. The root is
// that of the store path, so that nothing leads to another one.
func (s *FS) beneath(p string) (*os.Root, string, error) {
	name, rest, below := s.cut(p)
	if !below || !s.may[name] {
		return nil, "", &OutsideError{Path: p, Leads: p, InStore: below}
	}
	if rest == "." {
		return s.root, name, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if root := s.roots[name]; root != nil {
		return root, rest, nil
	}
	root, err := s.root.OpenRoot(name)
	if err != nil {
		return nil, "", named(err, p)
	}
	s.roots[name] = root
	return root, rest, nil
}

// named gives an error the name that the store has for a file.
func named(err error, p string) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return &fs.PathError{Op: strings.TrimSuffix(e.Op, "at"), Path: p, Err: e.Err}
	}
	return err
}

// Open opens the regular file that a path leads to. Whatever else it is, a folder
// or a device, is an error.
func (s *FS) Open(file string) (*os.File, error) {
	found, _, err := s.Find(file)
	if err != nil {
		return nil, err
	}
	f, info, err := s.open(found)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.Join(&fs.PathError{Op: "open", Path: file, Err: errors.New("not a regular file")}, f.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadFile returns the contents of the regular file that a path leads to. One that
// has more than so many bytes is an error.
func (s *FS) ReadFile(file string, most int64) ([]byte, error) {
	f, err := s.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = &fs.PathError{Op: "read", Path: file, Err: fmt.Errorf("it has more than %d bytes", most)}
	}
	return data, err
}

// ReadDir returns what is in the folder that a path leads to, sorted by name. Links
// in it are links.
func (s *FS) ReadDir(folder string) ([]fs.FileInfo, error) {
	found, _, err := s.Find(folder)
	if err != nil {
		return nil, err
	}
	f, _, err := s.open(found)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, named(err, folder)
	}
	slices.Sort(names)
	entries := make([]fs.FileInfo, len(names))
	for i, name := range names {
		root, below, err := s.beneath(path.Join(found, name))
		if err != nil {
			return nil, err
		}
		if entries[i], err = root.Lstat(below); err != nil {
			return nil, named(err, path.Join(folder, name))
		}
	}
	return entries, nil
}

// ReadLink returns what a link says. The folder that it is in may be reached by
// others.
func (s *FS) ReadLink(link string) (string, error) {
	folder := s.dir
	if path.Dir(link) != s.dir {
		var err error
		if folder, _, err = s.Find(path.Dir(link)); err != nil {
			return "", err
		}
	}
	root, name, err := s.beneath(path.Join(folder, path.Base(link)))
	if err != nil {
		return "", outside(err, link, "")
	}
	target, err := root.Readlink(name)
	return target, named(err, link)
}

// open opens what is at a path that no link leads to.
func (s *FS) open(p string) (*os.File, fs.FileInfo, error) {
	root, name, err := s.beneath(p)
	if err != nil {
		return nil, nil, err
	}
	// Whatever it is, opening it must not wait, as it does for a pipe.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, named(err, p)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(named(err, p), f.Close())
	}
	return f, info, nil
}
