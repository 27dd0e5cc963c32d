package cli

import (
	"context"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
)

// openMedium opens the image in a file, compressed or not, or on a disk.
func (a *app) openMedium(ctx context.Context, path string) (*medium.File, error) {
	return medium.Open(ctx, path, a.openOptions(path))
}

// lookInto opens an image, compressed or not, or a disk, even one that starts no machine.
func (a *app) lookInto(ctx context.Context, path string) (*medium.File, error) {
	opts := a.openOptions(path)
	opts.Any = true
	return medium.Open(ctx, path, opts)
}

// newMedium opens an image that is not in its place yet, which is to be path.
func (a *app) newMedium(ctx context.Context, out *image.Output, path string) (*medium.File, error) {
	return medium.Open(ctx, out.Name(), a.openOptions(path))
}

func (a *app) openOptions(name string) medium.OpenOptions {
	return medium.OpenOptions{
		Name:     name,
		Progress: a.console,
		Scratch:  func() (medium.Scratch, error) { return image.CreateScratch(cacheFolder()) },
	}
}
