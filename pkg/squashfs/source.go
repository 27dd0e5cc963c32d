package squashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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

type readerAtCloser interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

type dataReader struct{ *bytes.Reader }

func (dataReader) Close() error { return nil }

func (s source) open() (readerAtCloser, error) {
	if s.path == "" {
		return dataReader{bytes.NewReader(s.data)}, nil
	}
	return os.Open(s.path)
}

// read fills p, but for its last byte, with what lies at offset. That byte
// tells whether the file goes on: it must not if last is set.
func (s source) read(p []byte, offset int64, last bool) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	want := len(p) - 1
	if last {
		want++
	}
	n, err := r.ReadAt(p[:want], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n != len(p)-1 {
		return &ChangedError{Path: s.path, Size: int64(s.size)}
	}
	return nil
}
