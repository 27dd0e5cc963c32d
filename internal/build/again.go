package build

import (
	"context"
	"runtime"

	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
)

// Same says that an image packed again has the same bytes.
type Same struct {
	Size int64 `json:"size"` // bytes
}

// Compare packs the image of a configuration that was evaluated to pack, afresh, and holds it
// against one, of which it makes no copy. That it may have packed that itself, it
// does everything else otherwise than it is done at first: without an earlier image, in another
// order, by another number of workers. The error is an [*comparison.DifferenceError] at the first
// byte that is another.
func (b *Build) Compare(ctx context.Context, with comparison.Image, opts PackOptions) error {
	if b.sources == nil {
		if _, err := b.source(ctx); err != nil {
			return err
		}
	}
	src := *b.sources
	src.Backwards = true
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	_, err := progress.Do(b.options.Sink, "packing again", "", func(task *progress.Task) (Same, error) {
		packing, err := b.plan.Prepare(ctx, src, nil)
		if err != nil {
			return Same{}, err
		}
		err = packing.Compare(ctx, with, image.PackOptions{Workers: workers + 1, Backwards: true, Progress: task.Bytes})
		return Same{with.Size}, err
	})
	return err
}
