package net

import (
	"context"
	"errors"
	"fmt"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/trial"
)

// Limits of what is loaded into memory, in bytes, which it has to stay below.
const (
	archiveLimit = 4 << 30 // of a file in an initrd (pkg/cpio, MaxSize)
	loaderLimit  = 2 << 30 // of what iPXE loads by BIOS, which has addresses of 32 bits for all (NixOS/nixpkgs#203593)
)

// checkSize finds out before the store is packed, by a sample if need be, whether it can be loaded: below the limits,
// the last of which is that of an archive. That another one is exceeded, warn tells.
func (v verbs) checkSize(ctx context.Context, b *build.Build, jobs int, limits []int64, warn func(size int64)) error {
	src, err := b.Realise(ctx)
	if err != nil {
		return err
	}
	settings := b.Plan().Store().Compression()
	for _, limit := range limits {
		fitting, err := trial.NewFitting(ctx, b.Plan(), src, limit, trial.Options{
			Sample: trial.DefaultSample, Workers: jobs, Sink: v.Console,
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
		warn(tooLarge.Size)
	}
	return nil
}

// warnOfLoaders says what becomes of an initrd of so many bytes.
func (f *folder) warnOfLoaders(size int64) {
	f.Console.Warn(fmt.Sprintf("the initrd will have about %s: iPXE loads less than %s where BIOS started it, some loaders nowhere more; --pieces has the store apart",
		human.Size(size), human.Size(loaderLimit)))
}
