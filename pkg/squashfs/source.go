package squashfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ChangedError says that a file is not any more what it was when the tree was
// scanned.
type ChangedError struct {
	Path string
	Size int64 // at the scan, in bytes
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed while it was packed: it had %d bytes", e.Path, e.Size)
}

// source is where a file's contents come from.
type source struct {
	path string
	data []byte // the contents themselves, if path is empty
	size uint64 // at the scan
}

func (s source) open() (io.ReadCloser, error) {
	if s.path == "" {
		return io.NopCloser(bytes.NewReader(s.data)), nil
	}
	return os.Open(s.path)
}

// read fills p, but for its last byte, with what lies at offset. That byte
// tells whether the file goes on: it must not if last is set.
func (s source) read(p []byte, offset int64, last bool) error {
	size := len(p) - 1
	if !last {
		p = p[:size]
	}
	if s.path == "" {
		return s.check(copy(p, s.data[offset:]), size)
	}
	fd, err := openToRead(s.path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	n, err := pread(s.path, fd, p, size, offset)
	if err != nil {
		return err
	}
	return s.check(n, size)
}

// check returns an error if a file had not as many bytes as it should.
func (s source) check(n, size int) error {
	if n != size {
		return &ChangedError{Path: s.path, Size: int64(s.size)}
	}
	return nil
}

// smallRead is a file that is read whole.
type smallRead struct {
	source source
	p      []byte // room for the contents, and a byte that tells if there are more
	fd     int
	n      int // bytes that are there
}

// begin reads a file as far as the page cache has it. What it has not is asked
// for, and there after wait; nil is returned if there is nothing to wait for.
//
// A disk answers many requests at once about as fast as one. A file that is in
// the page cache takes three system calls, as many as without this; os.Open
// and ReadAt would take six.
func (s source) begin(p []byte) (*smallRead, error) {
	r := &smallRead{source: s, p: p}
	if s.path == "" {
		r.n = copy(p, s.data)
		return nil, s.check(r.n, len(p)-1)
	}
	var err error
	if r.fd, err = openToRead(s.path); err != nil {
		return nil, err
	}
	size := len(p) - 1
	n, err := unix.Preadv2(r.fd, [][]byte{p}, 0, unix.RWF_NOWAIT)
	switch {
	// What ends with a page may go on in one that is not in memory.
	case err == nil && (n > size || n == size && n%os.Getpagesize() != 0):
		unix.Close(r.fd)
		return nil, s.check(n, size)
	case err == nil:
		r.n = n
	case err != unix.EAGAIN: // not on this file system, not by this kernel, or not at all
		return nil, r.wait()
	}
	// A piece of advice: what is wrong with the file comes up when it is read.
	_ = unix.Fadvise(r.fd, int64(r.n), int64(len(p)-r.n), unix.FADV_WILLNEED)
	return r, nil
}

// wait reads the rest of the file and closes it.
func (r *smallRead) wait() error {
	defer unix.Close(r.fd)
	size := len(r.p) - 1
	n, err := pread(r.source.path, r.fd, r.p[r.n:], max(1, size-r.n), int64(r.n))
	if err != nil {
		return err
	}
	return r.source.check(r.n+n, size)
}

func openToRead(path string) (fd int, err error) {
	for {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// pread reads up to len(p) bytes at offset, until there are size or the file
// ends.
func pread(path string, fd int, p []byte, size int, offset int64) (n int, err error) {
	for n < size {
		part, err := unix.Pread(fd, p[n:], offset+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, &fs.PathError{Op: "read", Path: path, Err: err}
		case part == 0:
			return n, nil
		default:
			n += part
		}
	}
	return n, nil
}
