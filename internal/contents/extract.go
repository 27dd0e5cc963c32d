package contents

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/progress"
)

// Extraction is what was taken out.
type Extraction struct {
	Files   int   `json:"files"`
	Folders int   `json:"folders"`
	Links   int   `json:"links"`
	Bytes   int64 `json:"bytes"` // of files
	LeftOut int   `json:"left_out"`
}

// ExtractOptions say how files are taken out.
type ExtractOptions struct {
	AllLinks bool          // symbolic links that lead out of what is taken, too
	Progress progress.Sink // nil: nobody is told
}

// LeftOutError says that something was not taken out of the image, and why.
type LeftOutError struct {
	Path, Reason string
	Link         bool // it is a symbolic link, which AllLinks takes
}

func (e *LeftOutError) Error() string { return fmt.Sprintf("left out %s: %s", e.Path, e.Reason) }

// ExistsError says that a file would replace one that is there.
type ExistsError struct{ Name string }

func (e *ExistsError) Error() string { return e.Name + " is there already" }

// ClashError says that two files would have one name.
type ClashError struct{ First, Second string }

func (e *ClashError) Error() string {
	return fmt.Sprintf("%s and %s would have the same name", e.First, e.Second)
}

// Extract takes files, and all that is below them, out to a folder, each under the last name of
// its path; of a path that ends in a slash what it holds. They come to their names when all of them are whole, and
// replace nothing that is there: an *ExistsError. Files get their permissions and times; owners,
// extended attributes, and the bits setuid, setgid and sticky are not restored, and whoever
// extracts may write to folders. What is neither a file, a folder nor a symbolic link is left
// out, and so is a link that leads out of what is taken, unless all are wanted: each is warned
// of as a *LeftOutError, up to a number.
func (c *Contents) Extract(ctx context.Context, files []File, to *os.Root, opts ExtractOptions) (Extraction, error) {
	if opts.Progress == nil {
		opts.Progress = progress.Discard
	}
	tops, err := c.tops(files)
	if err != nil {
		return Extraction{}, err
	}
	for _, f := range tops {
		if err := absent(to, f.Name()); err != nil {
			return Extraction{}, err
		}
	}
	temporary := ".livebuild-" + rand.Text()
	if err := to.Mkdir(temporary, 0o700); err != nil {
		return Extraction{}, err
	}
	done, err := c.extractInto(ctx, tops, to, temporary, opts)
	if removed := to.RemoveAll(temporary); err == nil {
		err = removed
	}
	return done, err
}

// tops are the files that get a name in the folder itself.
func (c *Contents) tops(files []File) ([]File, error) {
	var tops []File
	seen := map[string]string{}
	add := func(f File) error {
		if err := checkName(f); err != nil {
			return err
		}
		if first, ok := seen[f.Name()]; ok && first != f.Path {
			return &ClashError{first, f.Path}
		} else if !ok {
			seen[f.Name()] = f.Path
			tops = append(tops, f)
		}
		return nil
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Path, "/") {
			if err := add(f); err != nil {
				return nil, err
			}
			continue
		}
		for child, err := range c.List(f) {
			if err == nil {
				err = add(child)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return tops, nil
}

// checkName refuses a name that could be more than one.
func checkName(f File) error {
	name := path.Base(f.entry.path)
	if f.entry.path == "." {
		name = f.Name()
	}
	if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." || strings.ContainsRune(name, 0) {
		return &KindError{f.Path, "has a name that no file can have here"}
	}
	return nil
}

func absent(to *os.Root, name string) error {
	switch _, err := to.Lstat(name); {
	case err == nil:
		return &ExistsError{filepath.Join(to.Name(), name)}
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

func (c *Contents) extractInto(ctx context.Context, tops []File, to *os.Root, temporary string, opts ExtractOptions) (Extraction, error) {
	inside, err := to.OpenRoot(temporary)
	if err != nil {
		return Extraction{}, err
	}
	x := &extractor{ctx: ctx, c: c, to: inside, opts: opts, linked: map[linkID]string{}}
	x.buffer = make([]byte, 1<<20)
	x.task = progress.Begin(opts.Progress, "extracting", to.Name())
	for _, f := range tops {
		if err := x.tree(f); err != nil {
			x.task.Fail(err, nil)
			return x.done, errors.Join(err, inside.Close())
		}
	}
	x.task.End(nil)
	if err := errors.Join(x.setTimes(), inside.Close()); err != nil {
		return x.done, err
	}
	for _, f := range tops {
		name := f.Name()
		switch _, err := to.Lstat(path.Join(temporary, name)); {
		case errors.Is(err, fs.ErrNotExist): // left out
			continue
		case err != nil:
			return x.done, err
		}
		if err := absent(to, name); err != nil {
			return x.done, err
		}
		if err := to.Rename(path.Join(temporary, name), name); err != nil {
			return x.done, err
		}
	}
	return x.done, nil
}

// linkID is a file that has several names.
type linkID struct {
	system *system
	id     uint64
}

type extractor struct {
	ctx    context.Context
	c      *Contents
	to     *os.Root
	opts   ExtractOptions
	task   *progress.Task
	buffer []byte
	done   Extraction
	linked map[linkID]string // the first name of each
	dirs   []stamp
}

// stamp is the time of a folder, which is set when nothing more gets into it.
type stamp struct {
	name string
	time time.Time
}

// tree takes a file and all below it.
func (x *extractor) tree(top File) error {
	above := len(top.Path) - len(top.Name())
	return x.c.Walk(top, func(f File) error {
		if err := context.Cause(x.ctx); err != nil {
			return err
		}
		if f.entry.path != "." {
			if err := checkName(f); err != nil {
				return err
			}
		}
		name := f.Path[above:]
		if err := x.one(f, name); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		return nil
	})
}

func (x *extractor) one(f File, name string) error {
	switch {
	case f.Mode.IsDir():
		x.done.Folders++
		x.dirs = append(x.dirs, stamp{name, f.ModTime})
		return x.to.Mkdir(name, f.Mode.Perm()|0o700)
	case f.Mode.IsRegular():
		x.done.Files++
		return x.file(f, name)
	case f.Mode.Type() == fs.ModeSymlink:
		if !x.opts.AllLinks && !staysInside(name, f.Target) {
			x.leaveOut(&LeftOutError{f.Path, "it leads out of the folder, to " + f.Target, true})
			return nil
		}
		x.done.Links++
		return x.to.Symlink(f.Target, name)
	}
	x.leaveOut(&LeftOutError{Path: f.Path, Reason: "it is " + Kind(f.Mode)})
	return nil
}

// mostWarnings is how many of the files are named that are left out.
const mostWarnings = 10

func (x *extractor) leaveOut(why *LeftOutError) {
	if x.done.LeftOut++; x.done.LeftOut <= mostWarnings {
		progress.Warn(x.opts.Progress, why)
	}
}

// staysInside reports whether the target of a symbolic link, which has a name in what is
// extracted, leads to a place there whatever other links are on its way. That is certain if it
// climbs at its beginning only: from there on it descends, and each link that it meets is held
// to the same.
func staysInside(name, target string) bool {
	if target == "" || target[0] == '/' || filepath.VolumeName(target) != "" {
		return false
	}
	room := strings.Count(name, "/") // folders above the link
	climbing := true
	for element := range strings.SplitSeq(filepath.ToSlash(target), "/") {
		switch {
		case element == "..":
			if room--; !climbing || room < 0 {
				return false
			}
		case element != "" && element != ".":
			climbing = false
		}
	}
	return true
}

// file takes a regular file.
func (x *extractor) file(f File, name string) (err error) {
	id := linkID{f.system, f.entry.id}
	if first, ok := x.linked[id]; ok && f.Links > 1 {
		return x.to.Link(first, name)
	}
	content, err := x.c.Open(f)
	if err != nil {
		return err
	}
	out, err := x.to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm()|0o400)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	source := progress.NewReader(x.ctx, content, func(n int) {
		x.done.Bytes += int64(n)
		x.task.Bytes(x.done.Bytes, 0)
	})
	n, err := io.CopyBuffer(&sparseWriter{file: out}, source, x.buffer)
	if err == nil && n != f.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = out.Truncate(n)
	}
	if err != nil {
		return err
	}
	if f.Links > 1 {
		x.linked[id] = name
	}
	if !f.ModTime.IsZero() {
		return x.to.Chtimes(name, f.ModTime, f.ModTime)
	}
	return nil
}

// setTimes sets the times of folders, the innermost first.
func (x *extractor) setTimes() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		if d := x.dirs[i]; !d.time.IsZero() {
			if err := x.to.Chtimes(d.name, d.time, d.time); err != nil {
				return err
			}
		}
	}
	return nil
}

// sparseWriter leaves holes where there are zeros alone.
type sparseWriter struct {
	file *os.File
	at   int64
}

// hole is the size of the zeros that are worth a hole, in bytes.
const hole = 64 << 10

var zeros [hole]byte

func (w *sparseWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		part := p[done:min(done+hole, len(p))]
		if string(part) != string(zeros[:len(part)]) {
			if n, err := w.file.WriteAt(part, w.at); err != nil {
				return done + n, err
			}
		}
		w.at += int64(len(part))
		done += len(part)
	}
	return done, nil
}
