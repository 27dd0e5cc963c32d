//go:build !linux

package pack

import (
	"io"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
)

// readOnHost reads up to len(p) bytes at offset.
func (s source) readOnHost(dir *hostdir.Dir, p []byte, _ int, offset int64) (int, error) {
	f, err := dir.Open(s.path)
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

func (s source) beginOnHost(_ *hostdir.Dir, p []byte) (wait func() error, err error) {
	return nil, s.read(p, 0, true)
}

// holeFinder finds nothing here: zeros are found when they are read.
type holeFinder struct{}

func (s source) findHoles() (*holeFinder, error) { return nil, nil }

func (*holeFinder) close()                 {}
func (*holeFinder) covers(_, _ int64) bool { return false }
