package imagefile

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// Facts are what one reading of a file tells.
type Facts struct {
	Size   int64  // of the image, in bytes
	SHA256 string // of the image; of a plain file only if a sum was to be checked
	Stored string // SHA-256 of the file, if it is compressed
}

// ChecksumError says that an image is not the one that a checksum is of.
type ChecksumError struct {
	Path string
	Got  string
	Want Checksum
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s has the SHA-256 %s, not %s, which %s says", e.Path, e.Got, e.Want.SHA256, e.Want.Source)
}

// Check finds out how large the image is and whether it is the one that the
// checksum, if not nil, is of. A compressed file is read to its end for that,
// so that a damaged one is found before anything is written; a plain one only
// if there is a checksum. Progress, which may be nil, is told bytes of the file.
//
// The error is a [DamagedError], a [ChecksumError] or one of reading.
func (f *File) Check(ctx context.Context, want *Checksum, progress func(done, total int64)) (Facts, error) {
	if f.Format == Plain && want == nil {
		return Facts{Size: f.FileSize}, nil
	}
	done := int64(0)
	var r io.Reader = &contextReader{ctx, io.NewSectionReader(f.file, 0, f.FileSize), func(n int) {
		done += int64(n)
		if progress != nil {
			progress(done, f.FileSize)
		}
	}}
	var stored, image hash.Hash
	to := io.Discard
	if want != nil {
		image = sha256.New()
		to = image
		if f.Format != Plain {
			stored = sha256.New()
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
	if size == 0 {
		return Facts{}, &EmptyError{f.Path}
	}
	// Decoders may stop before the end of the file.
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return Facts{}, contextError(ctx, err)
	}
	facts := Facts{Size: size}
	if want == nil {
		return facts, nil
	}
	facts.SHA256 = hex.EncodeToString(image.Sum(nil))
	got := facts.SHA256
	if stored != nil {
		facts.Stored = hex.EncodeToString(stored.Sum(nil))
		if !want.OfImage {
			got = facts.Stored
		}
	}
	if want.SHA256 != got && !(want.OfEither && want.SHA256 == facts.SHA256) {
		return facts, &ChecksumError{f.Path, got, *want}
	}
	return facts, nil
}

// contextError prefers the end of a context to what it did to a decoder.
func contextError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
