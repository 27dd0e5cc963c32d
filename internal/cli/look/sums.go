package look

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/verify"
)

// fileSum checks the sum of a file, or of the image in it: the one given, or else one in a file
// beside it. One beside it that is not clear is worth a warning, since nobody asked for it.
func (v *verifying) fileSum(ctx context.Context, sum *imagefile.Checksum) (err error) {
	file, err := imagefile.Open(v.path)
	if err != nil && sum == nil {
		return nil // whoever opens the image says it better
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if sum == nil {
		var unclear *imagefile.SumError
		if sum, err = file.FindSum(); errors.As(err, &unclear) {
			v.app.Console.Warn(err.Error() + "; it is not checked")
		} else if err != nil {
			return err
		}
	}
	if sum == nil && v.options.papers.qr {
		return v.ownSum(ctx, file)
	}
	if sum == nil {
		return nil
	}
	_, err = v.app.CheckImage(ctx, file, imagefile.CheckOptions{Sum: sum, Any: true})
	if wrong, ok := errors.AsType[*imagefile.ChecksumError](err); ok {
		return v.found(verify.Finding{Structure: "image", Offset: -1, Err: wrong})
	}
	if err == nil && sum.Algorithm == imagefile.SHA256 {
		v.result.SHA256, v.result.SHA256From = sum.Sum, sum.Source
	}
	return err
}

// diskSum checks the sum of the image on a disk, if there is one to check.
func (v *verifying) diskSum(ctx context.Context, m *medium.Medium, sum *imagefile.Checksum) error {
	if sum == nil && !v.options.papers.qr {
		return nil
	}
	task := progress.Begin(v.app.Console, "checking", filepath.Base(v.path))
	got, err := verify.Sum(ctx, m, task.Bytes)
	if err != nil {
		task.Fail(err, nil)
		return err
	}
	task.End(nil)
	v.result.SHA256 = hex.EncodeToString(got[:])
	switch {
	case sum == nil:
		return nil
	case sum.Sum != v.result.SHA256:
		return v.found(verify.Finding{Structure: "image", Offset: -1, Err: &imagefile.ChecksumError{Path: v.path, Got: v.result.SHA256, Want: *sum}})
	}
	v.result.SHA256From = sum.Source
	return nil
}

// ownSum makes the SHA-256 of a file, with nothing to compare it with.
func (v *verifying) ownSum(ctx context.Context, file *imagefile.File) error {
	task := progress.Begin(v.app.Console, "checking", filepath.Base(v.path))
	h, done := sha256.New(), int64(0)
	r := progress.NewReader(ctx, io.NewSectionReader(file.Stored(), 0, file.FileSize), func(n int) {
		done += int64(n)
		task.Bytes(done, file.FileSize)
	})
	if _, err := io.Copy(h, r); err != nil {
		task.Fail(err, nil)
		return err
	}
	task.End(nil)
	v.result.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}
