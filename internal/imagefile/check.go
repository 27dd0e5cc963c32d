package imagefile

import (
	"bufio"
	"context"
	"fmt"
	"hash"
	"io"

	"github.com/livebuild/livebuild/internal/progress"
)

// Facts are what one reading of a file tells.
type Facts struct {
	Size   int64  // of the image, in bytes
	Sum    string // of the image; empty if no sum was to be checked
	Stored string // of the file, if it is compressed
}

// CheckOptions say what is checked beside whether a file can be read.
type CheckOptions struct {
	Sum *Checksum // that it must have; nil for any
	Any bool      // whatever it holds, else what is no whole disk image is refused

	// Progress, if set, is told bytes of the file, from one goroutine.
	Progress func(done, total int64)
}

// ChecksumError says that an image is not the one that a checksum is of.
type ChecksumError struct {
	Path string
	Got  string
	Want Checksum
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s has the %s %s, not %s, which %s says", e.Path, e.Want.Algorithm, e.Got, e.Want.Sum, e.Want.Source)
}

// NeedsReading reports whether the file has to be read to its end to be
// checked: it is compressed, or there is a checksum.
func (f *File) NeedsReading(opts CheckOptions) bool { return f.Format != Plain || opts.Sum != nil }

// Check finds out how large the image is, whether it is a whole one, and
// whether it is the one that the checksum, if there is one, is of. So what is
// damaged is found before anything is written.
//
// The error is one of [File.Contents], a [DamagedError], a [DecoderError], a
// [ChecksumError] or one of reading.
func (f *File) Check(ctx context.Context, opts CheckOptions) (Facts, error) {
	if !f.NeedsReading(opts) {
		if !opts.Any {
			if _, err := f.Contents(); err != nil {
				return Facts{}, err
			}
		}
		return Facts{Size: f.FileSize}, nil
	}
	done := int64(0)
	r := progress.NewReader(ctx, io.NewSectionReader(f.file, 0, f.FileSize), func(n int) {
		done += int64(n)
		if opts.Progress != nil {
			opts.Progress(done, f.FileSize)
		}
	})
	keep := &keeper{file: f}
	var to io.Writer = keep
	var stored, image hash.Hash
	if opts.Sum != nil {
		image = opts.Sum.Algorithm.hash()
		to = io.MultiWriter(keep, image)
		if f.Format != Plain {
			stored = opts.Sum.Algorithm.hash()
			r = io.TeeReader(r, stored)
		}
	}
	buffered := bufio.NewReaderSize(r, readBuffer)
	decoded, err := f.decode(buffered)
	if err != nil {
		return Facts{}, contextError(ctx, err)
	}
	defer decoded.Close()
	size, err := io.CopyBuffer(struct{ io.Writer }{to}, decoded, make([]byte, readBuffer))
	if err != nil {
		return Facts{}, contextError(ctx, err)
	}
	// Decoders may stop before the end of the file.
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return Facts{}, contextError(ctx, err)
	}
	facts := Facts{Size: size}
	if opts.Sum != nil {
		facts.Sum = hexOf(image)
		if stored != nil {
			facts.Stored = hexOf(stored)
		}
	}
	switch {
	case size == 0:
		return facts, &EmptyError{f.Path}
	case opts.Sum != nil && !opts.Sum.fits(facts):
		if all, cut := f.file.(*parts); cut {
			if err := all.wrong(ctx, opts.Sum.Source); err != nil {
				return facts, err
			}
		}
		return facts, &ChecksumError{f.Path, opts.Sum.of(facts), *opts.Sum}
	case opts.Any:
		return facts, nil
	}
	return facts, keep.end()
}

// contextError prefers the end of a context to what it did to a decoder.
func contextError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
