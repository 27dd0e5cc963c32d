package storefs

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// maxLinks is how many links may lead to a file, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// Find returns the file that a path leads to, free of links, and what it is.
// Besides an *OutsideError there are those of stat(2): fs.ErrNotExist,
// syscall.ENOTDIR, and syscall.ELOOP after too many links.
func (s *FS) Find(file string) (string, fs.FileInfo, error) {
	fail := func(err error) (string, fs.FileInfo, error) {
		return "", nil, &fs.PathError{Op: "find", Path: file, Err: err}
	}
	if !path.IsAbs(file) {
		return "", nil, &OutsideError{Path: file, Leads: file}
	}
	var info fs.FileInfo // of done, if that is in a store path
	links, done, rest := 0, "/", file
	for rest != "" {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		if info != nil && !info.IsDir() {
			return fail(syscall.ENOTDIR)
		}
		// Done has no links, so ".." is the folder that its name says.
		next := path.Join(done, element)
		if next == done {
			continue
		}
		if !s.onTheWay(next) {
			target, found, err := s.look(next)
			if err != nil {
				return "", nil, outside(err, file, rest)
			}
			if target != "" {
				if links++; links > maxLinks {
					return fail(syscall.ELOOP)
				}
				if path.IsAbs(target) {
					done, info = "/", nil
				}
				rest = target + "/" + rest
				continue
			}
			info = found
		} else {
			info = nil
		}
		done = next
	}
	if info == nil {
		return "", nil, &OutsideError{Path: file, Leads: done}
	}
	return done, info, nil
}

// onTheWay reports whether a path is the store's folder or one above it. Of those
// the name alone counts.
func (s *FS) onTheWay(p string) bool {
	return p == "/" || p == s.dir || strings.HasPrefix(s.dir, p+"/")
}

// outside completes an *OutsideError, at a part of the way to a file.
func outside(err error, file, rest string) error {
	var e *OutsideError
	if errors.As(err, &e) {
		return &OutsideError{Path: file, Leads: path.Join(e.Leads, rest), InStore: e.InStore}
	}
	return err
}

// look returns what is at a path that no link leads to: the target of a link, or
// what else it is.
func (s *FS) look(p string) (target string, info fs.FileInfo, err error) {
	s.mu.Lock()
	info = s.folders[p]
	s.mu.Unlock()
	if info != nil {
		return "", info, nil
	}
	root, name, err := s.beneath(p)
	if err != nil {
		return "", nil, err
	}
	if info, err = root.Lstat(name); err != nil {
		return "", nil, named(err, p)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err = root.Readlink(name)
		return target, nil, named(err, p)
	}
	if info.IsDir() {
		s.mu.Lock()
		s.folders[p] = info
		s.mu.Unlock()
	}
	return "", info, nil
}
