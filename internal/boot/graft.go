package boot

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/storefs"
)

// Graft puts something at a place of the medium.
type Graft struct {
	// Target is a path without leading slash; "" is the root, for directories.
	Target string
	// Source is a file of the store, or a directory that is merged with what else
	// the target has. Symbolic links in it, and itself if it is one, stand for what
	// they point to. In a directory, those that lead nowhere, back, or out of what
	// may be read stay links.
	Source string
	// What names the source in errors: "the kernel".
	What string
	// Data is the content if there is no Source.
	Data []byte
	// Of is the system that the user put it there in, on a medium with several.
	Of string
	// Pending says that the content is made from built files by Complete.
	Pending bool
	// Late says that the content follows from other files of the medium, the store
	// image too: whoever writes the medium makes it.
	Late bool
}

// File is a file of the medium, a symbolic link, or an empty directory.
type File struct {
	Path string // without leading slash
	// Source is a regular file of the store, free of links, or where a link or
	// directory comes from. Without it, Data is the content.
	Source     string
	Data       []byte
	Size       int64
	Executable bool
	Dir        bool
	Link       string // target of a symbolic link, as it is in the source
	Late       bool   // as of a [Graft]; it has no content yet

	of string // as of a [Graft]
}

// CollisionError reports two things that want the same place on the medium.
type CollisionError struct {
	Path string
	// Sources are the files, or "" for what is generated.
	Sources [2]string
	// Systems are those that want it, on a medium with several; else empty.
	Systems [2]string
}

func (e *CollisionError) Error() string {
	name := func(n int) string {
		name := cmp.Or(e.Sources[n], "livebuild's own file")
		if e.Systems[n] != "" {
			name += " of " + e.Systems[n]
		}
		return name
	}
	return fmt.Sprintf("%s on the medium is both %s and %s", e.Path, name(0), name(1))
}

// MissingFileError reports a file that a package should have.
type MissingFileError struct {
	What string // "the kernel"
	Path string
}

func (e *MissingFileError) Error() string {
	return fmt.Sprintf("%s %s does not exist", e.What, e.Path)
}

// maxFiles bounds the files of the medium beside the store image. Links to folders stand
// for what is in those, so that a few of them can make more files than there are atoms.
const maxFiles = 1 << 20

// TooManyFilesError reports contents that have no end worth waiting for.
type TooManyFilesError struct {
	Path   string // on the medium, the first too many
	Source string
}

func (e *TooManyFilesError) Error() string {
	return fmt.Sprintf("/%s on the medium, from %s, is one of more than %d files", e.Path, e.Source, maxFiles)
}

// merger brings grafts together.
type merger struct {
	store *storefs.FS
	of    string          // as of the graft at work
	files map[string]File // by path

	// What was found, by the path of the store: links can lead to a folder often.
	listings map[string][]fs.FileInfo
	links    map[string]led
}

// led is where a link leads to.
type led struct {
	found string
	info  fs.FileInfo
	err   error
}

func newMerger(store *storefs.FS) *merger {
	return &merger{store: store, files: map[string]File{}, listings: map[string][]fs.FileInfo{}, links: map[string]led{}}
}

// graft adds the files of a graft.
func (m *merger) graft(g Graft) error {
	m.of = g.Of
	if g.Source == "" {
		return m.add(File{Path: g.Target, Data: g.Data, Size: int64(len(g.Data)), Late: g.Late})
	}
	found, info, err := m.store.Find(g.Source)
	if err != nil {
		return unreadable(err, g.What, g.Source)
	}
	return m.walk(g.Target, found, info, nil)
}

// walk adds a file, or what is below a directory. Found is free of links, as are
// the parents, the directories that led there.
func (m *merger) walk(target, found string, info fs.FileInfo, parents []string) error {
	switch {
	case info.Mode().IsRegular():
		return m.add(File{Path: target, Source: found, Size: info.Size(), Executable: info.Mode()&0o111 != 0})
	case !info.IsDir():
		return &fs.PathError{Op: "graft", Path: found, Err: errors.New("neither a file nor a directory")}
	}
	entries, known := m.listings[found]
	if !known {
		var err error
		if entries, err = m.store.ReadDir(found); err != nil {
			return fmt.Errorf("listing the source of %s: %w", target, err)
		}
		m.listings[found] = entries
	}
	if len(entries) == 0 && target != "" {
		return m.add(File{Path: target, Source: found, Dir: true})
	}
	parents = append(parents, found) // whose room siblings share, one after the other
	for _, entry := range entries {
		inside, file := path.Join(target, entry.Name()), path.Join(found, entry.Name())
		add := m.link
		if entry.Mode()&fs.ModeSymlink == 0 {
			add = func(target, file string, parents []string) error { return m.walk(target, file, entry, parents) }
		}
		if err := add(inside, file, parents); err != nil {
			return err
		}
	}
	return nil
}

// link adds what a link leads to, or the link if it must stay one.
func (m *merger) link(target, link string, parents []string) error {
	l, known := m.links[link]
	if !known {
		l.found, l.info, l.err = m.store.Find(link)
		m.links[link] = l
	}
	switch {
	case l.err == nil && !slices.Contains(parents, l.found):
		return m.walk(target, l.found, l.info, parents)
	case l.err != nil && !leadsNowhere(l.err):
		return fmt.Errorf("following the source of %s: %w", target, l.err)
	}
	text, err := m.store.ReadLink(link)
	if err != nil {
		return err
	}
	return m.add(File{Path: target, Source: link, Link: text})
}

// leadsNowhere reports whether a link has no file that could be put in its place:
// none at all, or none of those that may be read.
func leadsNowhere(err error) bool {
	var out *storefs.OutsideError
	return errors.As(err, &out) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// unreadable says what a file that cannot be read was to be. What does not exist
// is a *MissingFileError.
func unreadable(err error, what, path string) error {
	var out *storefs.OutsideError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &MissingFileError{what, path}
	case errors.As(err, &out):
		return fmt.Errorf("%s %w", what, err)
	}
	return fmt.Errorf("reading %s %w", what, err)
}

func (m *merger) add(f File) error {
	f.of = m.of
	if old, ok := m.files[f.Path]; ok {
		if old.Dir && f.Dir {
			return nil
		}
		same, err := m.same(old, f)
		if err != nil || same {
			return err
		}
		return &CollisionError{f.Path, [2]string{old.Source, f.Source}, [2]string{old.of, f.of}}
	}
	if f.Path == "" || strings.EqualFold(f.Path, medium.StoreImage) {
		return &TargetError{f.Path, "is not for files"}
	}
	if len(m.files) == maxFiles {
		return &TooManyFilesError{Path: f.Path, Source: f.Source}
	}
	m.files[f.Path] = f
	return nil
}

// same reports whether two systems want the same in one place.
func (m *merger) same(a, b File) (bool, error) {
	switch {
	case a.of == "" || b.of == "" || a.of == b.of || a.Dir || b.Dir:
		return false, nil
	case a.Link != "" || b.Link != "":
		return a.Link == b.Link, nil
	case a.Size != b.Size || a.Executable != b.Executable:
		return false, nil
	}
	return equalFiles(m.store, a.Source, b.Source)
}

// equalFiles reports whether two files of the store have the same content.
func equalFiles(store *storefs.FS, a, b string) (same bool, err error) {
	if a == b {
		return true, nil
	}
	sum := func(name string) (sum [sha256.Size]byte, err error) {
		f, err := store.Open(name)
		if err != nil {
			return sum, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		h := sha256.New()
		_, err = io.Copy(h, f)
		return [sha256.Size]byte(h.Sum(nil)), err
	}
	one, err := sum(a)
	if err != nil {
		return false, err
	}
	other, err := sum(b)
	return one == other, err
}

// sorted returns the files by path. A file below a file is refused; an empty
// directory is no harm.
func (m *merger) sorted() ([]File, error) {
	all := make([]File, 0, len(m.files))
	for _, f := range m.files {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	regular := map[string]File{}
	for _, f := range all {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if parent, ok := regular[dir]; ok {
				return nil, &CollisionError{dir, [2]string{parent.Source, f.Source}, [2]string{parent.of, f.of}}
			}
		}
		if !f.Dir {
			regular[f.Path] = f
		}
	}
	return all, nil
}
