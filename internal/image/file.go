package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

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

// maxHead bounds what is read of a compressed image to see whose it is: its first
// frame, with the head, is smaller.
const maxHead = 16 << 20

const zstdMagic = 0xFD2FB528 // RFC 8878 §3.1.1

// readVolume reads the volume of an image, which may be compressed as a whole.
func readVolume(f interface {
	io.ReaderAt
	io.Reader
}) (hybridiso.Volume, error) {
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || binary.LittleEndian.Uint32(magic) != zstdMagic {
		return hybridiso.ReadVolume(f)
	}
	decoder, err := zstd.NewReader(bufio.NewReader(f), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxHead))
	if err != nil {
		return hybridiso.Volume{}, err
	}
	defer decoder.Close()
	head, err := io.ReadAll(io.LimitReader(decoder, maxHead))
	if err != nil {
		return hybridiso.Volume{}, err
	}
	return hybridiso.ReadVolume(bytes.NewReader(head))
}
