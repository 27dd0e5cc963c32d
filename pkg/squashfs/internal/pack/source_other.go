//go:build !linux

package pack

import (
	"io"
	"os"
)

// Open implements Origin.
func (Host) Open(path string) (io.ReadCloser, error) { return os.Open(path) }

// readOnHost reads up to len(p) bytes at offset.
func (s source) readOnHost(p []byte, _ int, offset int64) (int, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := f.ReadAt(p, offset)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (s source) beginOnHost(p []byte) (wait func() error, err error) {
	return nil, s.read(p, 0, true)
}

// holeFinder finds nothing here: zeros are found when they are read.
type holeFinder struct{}

func (s source) findHoles() (*holeFinder, error) { return nil, nil }

func (*holeFinder) close()                 {}
func (*holeFinder) covers(_, _ int64) bool { return false }
