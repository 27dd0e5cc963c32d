package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
)

// Origin is where files are read.
type Origin interface {
	// Open opens a regular file. Where the result is an io.ReaderAt, several
	// goroutines open the file to read parts of it.
	Open(path string) (io.ReadCloser, error)
}

// Host is a folder of the operating system. Its paths are names below the folder, and
// no link in it is followed.
type Host struct{ Dir *hostdir.Dir }

// Open implements Origin.
func (h Host) Open(name string) (io.ReadCloser, error) { return h.Dir.Open(name) }

// Given is the origin of one file whose contents are in memory.
type Given []byte

// Open implements Origin.
func (g Given) Open(string) (io.ReadCloser, error) { return givenFile{bytes.NewReader(g)}, nil }

type givenFile struct{ *bytes.Reader }

func (givenFile) Close() error { return nil }

// ChangedError says that a file is not any more what it was said to be.
type ChangedError struct {
	Path string
	Size int64 // that it should have, in bytes
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed while it was packed: it had %d bytes", e.Path, e.Size)
}

// source is where a file's contents come from.
type source struct {
	from Origin
	path string
	size uint64 // that it should have
}

// where is what people call the path.
func (s source) where() string {
	if h, ok := s.from.(Host); ok {
		return h.Dir.Path(s.path)
	}
	return s.path
}

func (s source) changed() error { return &ChangedError{Path: s.where(), Size: int64(s.size)} }

// check returns an error if a file had not as many bytes as it should.
func (s source) check(n, size int) error {
	if n != size {
		return s.changed()
	}
	return nil
}

// begin reads the whole file into p, which has room for one byte more, or at least
// as much of it as can be had without waiting; then the function that it returns
// reads the rest.
func (s source) begin(p []byte) (wait func() error, err error) {
	if h, ok := s.from.(Host); ok {
		return s.beginOnHost(h.Dir, p)
	}
	return nil, s.read(p, 0, true)
}

// read fills p, but for its last byte, with what lies at offset. That byte
// tells whether the file goes on: it must not if last is set.
func (s source) read(p []byte, offset int64, last bool) error {
	size := len(p) - 1
	if !last {
		p = p[:size]
	}
	if h, ok := s.from.(Host); ok {
		n, err := s.readOnHost(h.Dir, p, size, offset)
		if err != nil {
			return err
		}
		return s.check(n, size)
	}
	f, err := s.from.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if at, ok := f.(io.ReaderAt); ok {
		r = io.NewSectionReader(at, offset, int64(len(p)))
	} else if offset > 0 {
		return &fs.PathError{Op: "read", Path: s.path, Err: errors.New("cannot be read in parts")}
	}
	return s.readFrom(r, p, size)
}

// readFrom fills p with size bytes of r, and with one more if there is room and
// the file goes on, which it must not.
func (s source) readFrom(r io.Reader, p []byte, size int) error {
	n, err := io.ReadFull(r, p)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return &fs.PathError{Op: "read", Path: s.path, Err: err}
	}
	return s.check(n, size)
}

// stream opens the file if it can be read only from its beginning to its end.
// Otherwise it returns nil.
func (s source) stream() (io.ReadCloser, error) {
	if _, ok := s.from.(Host); ok {
		return nil, nil
	}
	f, err := s.from.Open(s.path)
	if err != nil {
		return nil, err
	}
	if _, ok := f.(io.ReaderAt); ok {
		return nil, f.Close()
	}
	return f, nil
}
