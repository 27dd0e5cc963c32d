package verify

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/livebuild/livebuild/internal/medium"
)

// Same compares two images of the same size byte by byte. Tell, unless it is nil, is called with how
// far that is.
func Same(ctx context.Context, a, b *medium.Medium, tell func(done, total int64)) (bool, error) {
	size := ImageSize(a)
	x, y := make([]byte, chunkSize), make([]byte, chunkSize)
	for at := int64(0); at < size; {
		if err := context.Cause(ctx); err != nil {
			return false, err
		}
		n := int(min(int64(len(x)), size-at))
		for _, read := range []struct {
			from *medium.Medium
			into []byte
		}{{a, x[:n]}, {b, y[:n]}} {
			if got, err := read.from.ReaderAt().ReadAt(read.into, at); got < n {
				return false, errors.Join(err, io.ErrUnexpectedEOF)
			}
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
		if at += int64(n); tell != nil {
			tell(at, size)
		}
	}
	return true, nil
}
