//go:build !cgo

package codec

import (
	"bytes"
	"fmt"
	"io"

	"github.com/xi2/xz"
)

// xzBackend only decompresses: the xz encoders in Go are worse than deflate.
func xzBackend(Settings) (backend, error) {
	return backend{
		library:         "xi2/xz",
		refusal:         &UnsupportedError{Name: XZ, Reason: "needs liblzma, and this program was built without cgo"},
		newDecompressor: func() decompressor { return new(unxz) },
	}, nil
}

// checkFilters leaves the refusal to xzBackend.
func checkFilters(Filters) error { return nil }

// unxz decompresses in Go, by a translation of XZ Embedded, which Linux uses.
type unxz struct {
	in   bytes.Reader
	xz   *xz.Reader // nil before the first block
	past [1]byte
}

func (u *unxz) decompress(dst, src []byte) (n int, err error) {
	u.in.Reset(src)
	if u.xz == nil {
		u.xz, err = xz.NewReader(&u.in, MaxBlockSize)
	} else {
		err = u.xz.Reset(&u.in)
	}
	if err != nil {
		return 0, err
	}
	u.xz.Multistream(false)
	n, err = io.ReadFull(u.xz, dst)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	// The checksum is verified where the stream ends.
	switch _, err := io.ReadFull(u.xz, u.past[:]); err {
	case io.EOF:
		return n, nil
	case nil:
		return 0, fmt.Errorf("more than %d bytes", len(dst))
	default:
		return 0, fmt.Errorf("damaged or truncated xz stream: %w", err)
	}
}
