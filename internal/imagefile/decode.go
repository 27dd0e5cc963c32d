package imagefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"
)

const (
	// xzWindow bounds the memory of a decoder: what xz -9 takes.
	xzWindow = 64 << 20
	// zstdWindow is what zstd --ultra --long=31 takes at most, in memory
	// that is only used if a file needs it.
	zstdWindow = 2 << 30
)

// DamagedError says that a compressed file cannot be read to its end.
type DamagedError struct {
	Path   string
	Format Format
	Err    error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged %s data: %v", e.Path, e.Format, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// DecoderError says that a compressed file, which may be in order, takes more
// than the decoder has.
type DecoderError struct {
	Path   string
	Format Format
	Reason string
}

func (e *DecoderError) Error() string {
	return fmt.Sprintf("%s is %s data that %s", e.Path, e.Format, e.Reason)
}

// beyond are the errors of decoders that do not speak of damage.
var beyond = map[error]string{
	xz.ErrMemlimit:             fmt.Sprintf("needs too large a dictionary: more than %d MiB", xzWindow>>20),
	xz.ErrOptions:              "was made with a filter that livebuild does not know",
	xz.ErrUnsupportedCheck:     "has a checksum of a kind that livebuild does not know",
	zstd.ErrWindowSizeExceeded: fmt.Sprintf("needs too large a window: more than %d MiB", zstdWindow>>20),
	zstd.ErrUnknownDictionary:  "needs a dictionary of its own",
}

// fail gives an error of a decoder a type.
func (f *File) fail(err error) error {
	for known, reason := range beyond {
		if errors.Is(err, known) {
			return &DecoderError{f.Path, f.Format, reason}
		}
	}
	return &DamagedError{f.Path, f.Format, err}
}

// decode reads what is stored as the image that it is.
func (f *File) decode(stored *bufio.Reader) (io.ReadCloser, error) {
	var (
		r   io.Reader
		err error
	)
	switch f.Format {
	case Gzip:
		r, err = newGzipReader(stored)
	case Zstd:
		r, err = zstd.NewReader(stored, zstd.WithDecoderMaxWindow(zstdWindow))
	case XZ:
		r, err = xz.NewReader(stored, xzWindow)
	default:
		return io.NopCloser(stored), nil
	}
	if err != nil {
		return nil, f.fail(err)
	}
	return &decoder{f, r}, nil
}

// decoder gives the errors of a decompressor a type.
type decoder struct {
	f *File
	r io.Reader
}

func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, d.f.fail(err)
}

func (d *decoder) Close() error {
	if z, ok := d.r.(*zstd.Decoder); ok { // which has no error to return
		z.Close()
	}
	return nil
}

// gzipReader reads gzip members and, as gunzip does, zeros behind them, with
// which tapes and block devices fill up their last block (gzip(1), "padding").
type gzipReader struct {
	stored *bufio.Reader
	member *gzip.Reader
}

func newGzipReader(stored *bufio.Reader) (*gzipReader, error) {
	member, err := gzip.NewReader(stored)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gzipReader{stored, member}, nil
}

var errTrailing = errors.New("what follows the data is neither gzip nor zeros")

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
		if err != io.EOF || n > 0 {
			return n, ignoreEOF(err)
		}
		next, err := g.stored.Peek(len(gzipMagic))
		switch {
		case len(next) == 0:
			return 0, err
		case next[0] == 0:
			return 0, skipZeros(g.stored)
		case string(next) != gzipMagic:
			return 0, errTrailing
		}
		if err := g.member.Reset(g.stored); err != nil {
			return 0, err
		}
		g.member.Multistream(false)
	}
}

// ignoreEOF leaves an end that came with bytes to the next reading.
func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// skipZeros reads zeros to the end, and returns [io.EOF] if that is all.
func skipZeros(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return errTrailing
		}
	}
}
