package build

import (
	"context"
	"errors"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
)

// Reuse says which earlier image what has not changed is taken from. The zero value
// is the one that has most of it: that which is replaced, or one built here before.
type Reuse struct {
	None bool   // pack all afresh
	Path string // of a certain one
}

// openEarlier opens the image to pack from; nil if there is none. That nothing can
// be taken from it costs time and is no error, but unfit.
func (b *Build) openEarlier(ctx context.Context, src image.Sources, opts PackOptions) (_ *image.Earlier, unfit *image.UnfitError, err error) {
	if opts.Reuse.None {
		return nil, nil, nil
	}
	catalog := image.OpenCatalog(b.options.Cache)
	path := opts.Reuse.Path
	if path == "" {
		known := append([]string{opts.Replaces}, catalog.Paths(b.plan.Store())...)
		if path = image.ChooseEarlier(known, src.Closure); path == "" {
			return nil, nil, nil
		}
	}
	task := progress.Begin(b.options.Sink, "reading", path)
	earlier, err := b.plan.Store().OpenEarlier(ctx, path, src.Closure, catalog, opts.Workers)
	if err != nil {
		task.Fail(err, nil)
		if errors.As(err, &unfit) {
			return nil, unfit, nil
		}
		return nil, nil, err
	}
	task.End(nil)
	return earlier, nil, nil
}
