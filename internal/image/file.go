package image

import (
	"errors"
	"fmt"
	"io"

	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/zstdfile"
)

// file is what an image is written to: as it is, or compressed on the way.
type file struct {
	io.WriterAt
	zstd *zstdfile.Writer // or nil
}

// newFile returns the file for an image of that layout.
func newFile(w io.WriterAt, compressed bool, layout *hybridiso.Layout, workers int) (*file, error) {
	if !compressed {
		return &file{WriterAt: w}, nil
	}
	// All else is written in order.
	late := []zstdfile.Part{
		{Offset: 0, Size: layout.HeadSize()},
		{Offset: layout.StreamOffset(), Size: squashfs.HeadSize()},
	}
	z, err := zstdfile.NewWriter(w, late, workers)
	return &file{z, z}, err
}

// Outer returns what the file is written through to, into which the kernel may
// be able to copy.
func (f *file) Outer() (w io.WriterAt, offset int64) { return f.WriterAt, 0 }

// ReadAt reads back what has been written, where that can be done: not what is
// compressed on the way, nor from disks.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	r, ok := f.WriterAt.(io.ReaderAt)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return r.ReadAt(p, offset)
}

// finish ends the file after an image of that size was written, or not, which err
// says. It returns the size of the file.
func (f *file) finish(size int64, err error) (int64, error) {
	if f.zstd == nil {
		return size, err
	}
	size, closed := f.zstd.Finish()
	if err == nil && closed != nil {
		err = fmt.Errorf("compressing the image: %w", closed)
	}
	return size, err
}
