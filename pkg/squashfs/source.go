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
	var n int
	var err error
	if s.path == "" {
		n = copy(p, s.data[offset:])
	} else {
		n, err = pread(s.path, p, size, offset)
	}
	if err != nil {
		return err
	}
	if n != size {
		return &ChangedError{Path: s.path, Size: int64(s.size)}
	}
	return nil
}

// pread opens the file at path and reads up to len(p) bytes at offset, until
// there are size or the file ends. A store has tens of thousands of small
// files: this takes three system calls, os.Open and ReadAt six.
func pread(path string, p []byte, size int, offset int64) (n int, err error) {
	var fd int
	for {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
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
