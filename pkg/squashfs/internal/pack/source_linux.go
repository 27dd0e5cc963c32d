package pack

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
)

// readOnHost reads up to len(p) bytes at offset, until there are size.
func (s source) readOnHost(dir *hostdir.Dir, p []byte, size int, offset int64) (int, error) {
	fd, err := dir.OpenFD(s.path)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return s.pread(fd, p, size, offset)
}

// beginOnHost reads a file as far as the page cache has it. What it has not is
// asked for, and there after waiting.
//
// A disk answers many requests at once about as fast as one. A file that is in
// the page cache takes three system calls, as many as without this; os.Open
// and ReadAt would take six.
func (s source) beginOnHost(dir *hostdir.Dir, p []byte) (wait func() error, err error) {
	fd, err := dir.OpenFD(s.path)
	if err != nil {
		return nil, err
	}
	size := len(p) - 1
	n, err := unix.Preadv2(fd, [][]byte{p}, 0, unix.RWF_NOWAIT)
	switch {
	// What ends with a page may go on in one that is not in memory.
	case err == nil && (n > size || n == size && n%os.Getpagesize() != 0):
		unix.Close(fd)
		return nil, s.check(n, size)
	case err == unix.EAGAIN:
		n = 0
	case err != nil: // not on this file system, not by this kernel, or not at all
		return nil, s.finishOnHost(fd, p, 0)
	}
	// A piece of advice: what is wrong with the file comes up when it is read.
	_ = unix.Fadvise(fd, int64(n), int64(len(p)-n), unix.FADV_WILLNEED)
	return func() error { return s.finishOnHost(fd, p, n) }, nil
}

// finishOnHost reads the rest of a file of which n bytes are there, and closes it.
func (s source) finishOnHost(fd int, p []byte, n int) error {
	defer unix.Close(fd)
	size := len(p) - 1
	more, err := s.pread(fd, p[n:], max(1, size-n), int64(n))
	if err != nil {
		return err
	}
	return s.check(n+more, size)
}

// pread reads up to len(p) bytes at offset, until there are size or the file
// ends.
func (s source) pread(fd int, p []byte, size int, offset int64) (n int, err error) {
	for n < size {
		part, err := unix.Pread(fd, p[n:], offset+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, &fs.PathError{Op: "read", Path: s.where(), Err: err}
		case part == 0:
			return n, nil
		default:
			n += part
		}
	}
	return n, nil
}

// holeFinder tells which ranges of a sparse file need not be read. Ranges are
// asked for in order.
type holeFinder struct {
	file *os.File
	data int64 // no data lies between the last range asked for and here
}

// findHoles returns nil where holes cannot be found.
func (s source) findHoles() (*holeFinder, error) {
	h, ok := s.from.(Host)
	if !ok {
		return nil, nil
	}
	f, err := h.Dir.Open(s.path)
	if err != nil {
		return nil, err
	}
	return &holeFinder{file: f}, nil
}

func (h *holeFinder) close() {
	if h != nil {
		h.file.Close()
	}
}

// covers says whether the file surely has a hole from start to end. Zeros that
// the file system keeps as data are found when they are read.
func (h *holeFinder) covers(start, end int64) bool {
	if h == nil {
		return false
	}
	if h.data < start {
		data, err := h.file.Seek(start, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO): // nothing but a hole up to the end of the file, lseek(2)
			data = end
		case err != nil: // no answer from this file system
			data = start
		}
		h.data = data
	}
	return h.data >= end
}
