package contents

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// maxLinks bounds the symbolic links that one path leads through, as Linux does
// (MAXSYMLINKS).
const maxLinks = 40

var errLinks = errors.New("leads through too many symbolic links")

// Find returns the files at a path, or, if it has the wildcards of [path.Match], all that it
// matches, in the order of their names; a wildcard matches no slash, and no dot at the
// beginning of a name. A name that is there with such characters is taken as it stands.
// A slash at its end asks for the folder, or for the root of the image, that a file is; the
// path of that ends in a slash, too.
// Symbolic links on the way are followed inside the file system that they are in, the last one
// only if follow is set. The error is a *NotFoundError if there is none, and wraps
// [path.ErrBadPattern] if the pattern is none.
func (c *Contents) Find(pattern string, follow bool) ([]File, error) {
	start, rest, err := c.start(pattern)
	if err != nil {
		return nil, err
	}
	at := []found{{file: start}}
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" {
			continue
		}
		if at, err = c.descend(at, name, follow || rest != "" || strings.HasSuffix(pattern, "/")); err != nil {
			return nil, named(pattern, err)
		}
	}
	files := make([]File, 0, len(at))
	for _, f := range at {
		if strings.HasSuffix(pattern, "/") {
			if f.file, err = c.enter(f.file); err != nil && f.guessed {
				continue
			} else if err != nil {
				return nil, err
			}
			f.file.Path = strings.TrimSuffix(f.file.Path, "/") + "/"
		}
		files = append(files, f.file)
	}
	if len(files) == 0 {
		return nil, &NotFoundError{Path: pattern}
	}
	return files, nil
}

// named is why there is nothing at a path.
func named(at string, err error) error {
	var absent *NotFoundError
	switch {
	case errors.As(err, &absent):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return &NotFoundError{Path: at}
	case errors.Is(err, errLinks):
		return &NotFoundError{at, errLinks}
	}
	return fmt.Errorf("%s: %w", at, err)
}

// start returns the root that a path begins at, and what follows.
func (c *Contents) start(name string) (File, string, error) {
	for _, s := range c.efi {
		if rest, ok := strings.CutPrefix(name, s.at); ok {
			root, err := s.root()
			return root, strings.TrimPrefix(path.Clean("/"+rest), "/"), err
		}
	}
	if name == "esp:" || strings.HasPrefix(name, "esp:/") {
		return File{}, "", &NotFoundError{Path: name, Err: errors.New("the medium has no EFI system partition")}
	}
	return c.fromVolume(path.Clean("/" + name))
}

// fromVolume is start for a clean absolute path of the volume, or of the store.
func (c *Contents) fromVolume(name string) (File, string, error) {
	if rest, ok := strings.CutPrefix(name, nixStore); ok && (rest == "" || rest[0] == '/') {
		if _, err := c.volume.lookup(nixStore[1:]); errors.Is(err, fs.ErrNotExist) {
			s, err := c.nix()
			if err != nil {
				return File{}, "", named(name, err)
			}
			root, err := s.root()
			return root, strings.TrimPrefix(rest, "/"), err
		}
	}
	root, err := c.volume.root()
	return root, strings.TrimPrefix(name, "/"), err
}

// found is a file on the way to others.
type found struct {
	file    File
	guessed bool // a wildcard matched it
}

// descend returns what the name, or pattern, is in each of the folders.
func (c *Contents) descend(from []found, name string, follow bool) ([]found, error) {
	var list []found
	for _, f := range from {
		dir, err := c.enter(f.file)
		if err != nil {
			if f.guessed {
				continue
			}
			return nil, err
		}
		links := 0
		child, err := c.child(dir, name, follow, &links)
		if err == nil {
			list = append(list, found{child, f.guessed})
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if strings.ContainsAny(name, `*?[\`) {
			if list, err = c.match(list, dir, name, follow); err != nil {
				return nil, err
			}
		} else if !f.guessed {
			return nil, err
		}
	}
	return list, nil
}

// negation is how shells write it; path.Match has a ^ there.
var negation = regexp.MustCompile(`((?:^|[^\\])(?:\\\\)*)\[!`)

// match adds the entries of a folder that match a pattern.
func (c *Contents) match(list []found, dir File, pattern string, follow bool) ([]found, error) {
	pattern = negation.ReplaceAllString(pattern, "$1[^")
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	for child, err := range c.List(dir) {
		if err != nil {
			return nil, err
		}
		base := path.Base(child.entry.path)
		if ok, _ := path.Match(pattern, base); !ok || base[0] == '.' && pattern[0] != '.' {
			continue
		}
		if follow && child.Mode.Type() == fs.ModeSymlink {
			links := 0
			if child, err = c.child(dir, base, true, &links); errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLinks) {
				continue // it leads nowhere
			} else if err != nil {
				return nil, err
			}
		}
		list = append(list, found{child, true})
	}
	return list, nil
}

// enter returns the folder that a file is: itself, or the root of the image in it.
func (c *Contents) enter(f File) (File, error) {
	if f.Mode.IsDir() {
		return f, nil
	}
	if !f.Mode.IsRegular() {
		return File{}, &NotFoundError{f.Path, errors.New("is " + Kind(f.Mode) + ", and no folder")}
	}
	s, ok := c.inside[f.Path]
	if !ok {
		r, err := c.Open(f)
		if err != nil {
			return File{}, err
		}
		if s, err = openSource(r); err != nil {
			return File{}, &NotFoundError{f.Path, err}
		}
		c.inside[f.Path] = s
	}
	inner := &system{source: s, at: f.Path}
	if f.system == c.volume && f.entry.path == medium.StoreImage {
		inner.home = nixStore
	}
	return inner.root()
}

// child returns the file of a name in a folder, or what that leads to if it is a symbolic
// link and follow is set.
func (c *Contents) child(dir File, name string, follow bool, links *int) (File, error) {
	e, err := dir.system.lookup(below(dir.entry.path, name))
	if err != nil {
		return File{}, err
	}
	f := dir.holds(e)
	if !follow || f.Mode.Type() != fs.ModeSymlink {
		return f, nil
	}
	if *links++; *links > maxLinks {
		return File{}, errLinks
	}
	to, err := c.lead(dir, f.Target, links)
	switch {
	case errors.As(err, new(*NotFoundError)): // of a link that this one leads to
		return File{}, err
	case errors.Is(err, fs.ErrNotExist):
		return File{}, &NotFoundError{f.Path, fmt.Errorf("leads to %s, which is not on the medium", f.Target)}
	}
	to.Path = f.Path
	return to, err
}

// lead returns what the target of a symbolic link in a folder is.
func (c *Contents) lead(dir File, target string, links *int) (File, error) {
	at, rest := dir, target
	var err error
	if strings.HasPrefix(target, "/") {
		if at, rest, err = c.absolute(dir.system, target); err != nil {
			return File{}, err
		}
	}
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch {
		case name == "" || name == ".":
			continue
		case !at.Mode.IsDir():
			return File{}, fs.ErrNotExist
		case name == ".." && at.entry.path != ".":
			at, err = at.parent()
		case name == ".." && at.system.home != "":
			// The folder above the root is one of the running system.
			return c.leadFrom(at.system, path.Dir(at.system.home), rest, links)
		case name == "..":
			continue
		default:
			at, err = c.child(at, name, true, links)
		}
		if err != nil {
			return File{}, err
		}
	}
	return at, nil
}

// leadFrom goes on in a folder of the running system that is above the root of a file system.
func (c *Contents) leadFrom(s *system, above, rest string, links *int) (File, error) {
	for {
		next, ok := strings.CutPrefix(rest, "../")
		if !ok {
			break
		}
		above, rest = path.Dir(above), strings.TrimLeft(next, "/")
	}
	root, err := s.root()
	if err != nil {
		return File{}, err
	}
	return c.lead(root, strings.TrimSuffix(above, "/")+"/"+rest, links)
}

// absolute returns where an absolute target of a link in a file system begins, and what follows.
// It is a path of the running system.
func (c *Contents) absolute(s *system, target string) (File, string, error) {
	if s == c.volume {
		return c.fromVolume(path.Clean(target))
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(target, "/"), strings.TrimPrefix(s.home, "/"))
	if !ok || s.home != "" && rest != "" && rest[0] != '/' {
		return File{}, "", fs.ErrNotExist
	}
	root, err := s.root()
	return root, strings.TrimLeft(rest, "/"), err
}

// parent returns the folder that a folder below the root is in.
func (f File) parent() (File, error) {
	e, err := f.system.lookup(path.Dir(f.entry.path))
	return f.system.fileOf(e), err
}
