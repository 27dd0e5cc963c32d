package face

import (
	"context"
	"errors"
	"io"

	"github.com/livebuild/livebuild/internal/image"
)

// WriteFile has a file written that is not an image. It appears at the path, instead of what is
// there, when it is complete.
func WriteFile(ctx context.Context, path string, write func(io.Writer) error) (err error) {
	out, err := image.CreateOutput(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if err := write(io.NewOffsetWriter(out, 0)); err != nil {
		return err
	}
	if _, err := out.Sync(ctx); err != nil {
		return err
	}
	return out.Commit()
}
