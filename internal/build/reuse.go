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

	// Remote opens a certain one that is not here, of that Path.
	Remote func(context.Context) (image.Remote, error)
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
	earlier, err := b.openAt(ctx, path, src, catalog, opts)
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

// openAt opens a certain image, here or elsewhere.
func (b *Build) openAt(ctx context.Context, path string, src image.Sources, catalog *image.Catalog, opts PackOptions) (*image.Earlier, error) {
	if opts.Reuse.Remote == nil {
		return b.plan.Store().OpenEarlier(ctx, path, src.Closure, catalog, opts.Workers)
	}
	remote, err := opts.Reuse.Remote(ctx)
	if err != nil {
		return nil, err
	}
	earlier, err := b.plan.Store().OpenRemote(ctx, path, remote, src, catalog, opts.Workers)
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	return earlier, nil
}

// again is a target that can be given another packing, instead of the one that it took.
type again interface{ Again() error }

// pack gives a packing to the target, and returns the path of the image that it was taken from. What is
// taken from one that is not here is proved while that goes on; if it does not come, or is not true, all is
// packed afresh. A target that takes one packing only gets one that is proved.
func (b *Build) pack(ctx context.Context, to Target, src image.Sources, opts PackOptions) (packed image.Result, from string, err error) {
	earlier, unfit, err := b.openEarlier(ctx, src, opts)
	if err != nil {
		return packed, "", err
	}
	defer func() { err = errors.Join(err, earlier.Close()) }()
	anew, ok := to.(again)
	if !ok {
		if confirmed := earlier.Confirm(); confirmed != nil {
			packed, err = b.packAfresh(ctx, to, src, opts, confirmed)
			return packed, "", err
		}
	}
	packed, err = b.packFrom(ctx, to, src, opts, earlier, unfit)
	if err == nil || earlier.Lost() {
		if confirmed := earlier.Confirm(); confirmed != nil && ctx.Err() == nil {
			if err := anew.Again(); err != nil {
				return packed, "", err
			}
			packed, err = b.packAfresh(ctx, to, src, opts, confirmed)
			return packed, "", err
		}
	}
	if earlier != nil {
		from = earlier.Path
	}
	return packed, from, err
}

// packAfresh packs without an earlier image, since it is unfit.
func (b *Build) packAfresh(ctx context.Context, to Target, src image.Sources, opts PackOptions, why error) (packed image.Result, err error) {
	var unfit *image.UnfitError
	if !errors.As(why, &unfit) {
		return packed, why
	}
	return b.packFrom(ctx, to, src, opts, nil, unfit)
}
