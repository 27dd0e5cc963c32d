package create

import (
	"context"
	"errors"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/verify"
)

// packAgain packs an image a second time and holds it against what was written. Where they differ,
// the image tells itself what is there.
func (v verbs) packAgain(ctx context.Context, b *build.Build, out *image.Output, packed build.Result, workers int) error {
	err := b.Compare(ctx, comparison.Image{ReaderAt: out, Size: packed.FileSize}, build.PackOptions{Workers: workers})
	if different, ok := errors.AsType[*comparison.DifferenceError](err); ok {
		m, openErr := medium.ReadAny(out, packed.FileSize)
		if openErr == nil { // one that is compressed as a whole is no volume
			different.Place = verify.Locate(ctx, m, different.Offset).String()
		}
		return different
	}
	return err
}
