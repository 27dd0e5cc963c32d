package net

import (
	"context"
	"errors"
	"fmt"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/trial"
)

// Limits of what is loaded into memory, in bytes, which it has to stay below.
const (
	archiveLimit = 4 << 30 // of a file in an initrd (pkg/cpio, MaxSize)
	loaderLimit  = 2 << 30 // of what iPXE loads by BIOS, which has addresses of 32 bits for all (NixOS/nixpkgs#203593)
)

// checkSize finds out before the store is packed, by a sample if need be, whether it can be loaded.
func (f *folder) checkSize(ctx context.Context) error {
	src, err := f.build.Realise(ctx)
	if err != nil {
		return err
	}
	settings := f.build.Plan().Store().Compression()
	for _, limit := range []int64{loaderLimit, archiveLimit} {
		fitting, err := trial.NewFitting(ctx, f.build.Plan(), src, limit, trial.Options{
			Sample: trial.DefaultSample, Workers: f.opts.jobs, Sink: f.Console,
		})
		if err != nil {
			return err
		}
		err = fitting.Check(ctx, settings)
		tooLarge, ok := errors.AsType[*trial.TooLargeError](err)
		switch {
		case err == nil: // smaller than this limit, and than the next one
			return nil
		case !ok:
			return err
		case limit == archiveLimit:
			return &limitError{tooLarge}
		}
		f.Console.Warn(fmt.Sprintf("the initrd will have about %s: iPXE loads less than %s where BIOS started it, some loaders nowhere more; --pieces has the store apart",
			human.Size(tooLarge.Size), human.Size(loaderLimit)))
	}
	return nil
}
