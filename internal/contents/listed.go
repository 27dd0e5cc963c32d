package contents

import (
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// listed is the source of files that have no file system: those of a folder for network boots, or of an archive
// for kexec.
type listed struct {
	src     io.ReaderAt
	entries map[string]entry    // by path
	names   map[string][]string // of folders' entries, in order
}

func openListed(m *medium.Medium) source {
	s := listed{m.ReaderAt(), map[string]entry{".": {path: ".", mode: fs.ModeDir | 0o755}}, map[string][]string{}}
	add := func(e entry) {
		s.entries[e.path] = e
		dir := path.Dir(e.path)
		s.names[dir] = append(s.names[dir], e.path)
	}
	for _, f := range m.Members() {
		dir := path.Dir(f.Path) // which is in the root directory, or that
		if _, ok := s.entries[dir]; !ok {
			add(entry{path: dir, mode: fs.ModeDir | 0o755, modTime: f.ModTime, id: uint64(len(s.entries))})
		}
		add(entry{path: f.Path, mode: f.Mode, size: f.Size, modTime: f.ModTime, extents: f.Extents})
	}
	for _, names := range s.names {
		slices.Sort(names)
	}
	return s
}

func (s listed) lookup(name string) (entry, error) {
	e, ok := s.entries[strings.Trim(path.Clean(name), "/")]
	if !ok {
		return entry{}, fs.ErrNotExist
	}
	return e, nil
}

func (s listed) list(dir entry) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for _, name := range s.names[dir.path] {
			if !yield(s.entries[name], nil) {
				return
			}
		}
	}
}

func (s listed) open(file entry) (*io.SectionReader, error) {
	return medium.Join(s.src, file.extents, file.size), nil
}
