package create

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/trial"
)

// compressedError says that a file's size does not tell which compression of the store does.
type compressedError struct{}

func (*compressedError) Error() string {
	return "isoImage.compressImage compresses the file as a whole: --compression auto cannot choose by its size"
}

// aboutSize is the heading of flags about how large files may be.
const aboutSize = "Size of the file"

// checkSize checks the flags about the size of the image.
func (o *isoOptions) checkSize(f *pflag.FlagSet) error {
	if o.Auto() && !f.Changed("max-size") {
		return face.Usage(errors.New("--compression auto chooses what makes the image smaller than --max-size, which is missing"))
	}
	if f.Changed("split") && o.split.Bytes < smallestPart {
		return face.Usage(fmt.Errorf("--split needs a size of at least %s, not %s", human.Size(smallestPart), o.split.String()))
	}
	return nil
}

// smallestPart has room for the head of an image, which tells what it is.
const smallestPart = 2 << 20

// sector is what the size of a part is a multiple of, but of the last (ECMA-119 §6.1.2).
const sector = 2048

// create begins the file that the image goes to, in parts if it is to be split.
func (v verbs) create(of []installable.Installable, path string, opts isoOptions) (*image.Output, error) {
	if slices.ContainsFunc(of, func(of installable.Installable) bool { return build.InsideFlake(of, path) }) {
		v.Console.Warn("the image goes into the folder of the flake, which is not a git repository: " +
			"from then on Nix copies it to its store with the flake; -o puts it elsewhere")
	}
	if opts.split.Bytes == 0 {
		return image.CreateOutput(path, opts.force)
	}
	return image.CreateCut(path, (opts.split.Bytes-1)/sector*sector, opts.force)
}

// place puts the finished file, or its parts, in place, and what goes with it beside it.
func (v verbs) place(ctx context.Context, out *image.Output, papers *papers, sum string, packed build.Result) error {
	beside, err := papers.write(ctx, v.App, out, sum, packed)
	if err != nil {
		return err
	}
	if parts, _ := out.Parts(); len(parts) > 1 {
		task := progress.Begin(v.Console, "splitting", "")
		if err := out.Cut(ctx, task.Bytes); err != nil {
			task.Fail(err, nil)
			return err
		}
		task.End("split into " + human.Count(len(parts), "part"))
	} else if err := out.Cut(ctx, func(int64, int64) {}); err != nil {
		return err
	}
	return out.Commit(beside...)
}

// pack packs the image into a file, and holds it to the size that it has to stay below.
func (v verbs) pack(ctx context.Context, b *build.Build, file *build.File, opts isoOptions, how build.PackOptions) (build.Result, error) {
	if opts.maxSize.Bytes == 0 {
		return b.Pack(ctx, file, how)
	}
	src, err := b.Realise(ctx)
	if err != nil {
		return build.Result{}, err
	}
	fitting, err := trial.NewFitting(ctx, b.Plan(), src, opts.maxSize.Bytes, trial.Options{
		Sample: trial.DefaultSample, Workers: opts.jobs, Sink: v.Console,
	})
	switch {
	case err != nil:
		return build.Result{}, err
	case opts.Auto():
		return v.packSmaller(ctx, b, file, fitting, how)
	case !b.Plan().Medium().Zstd: // of which trials do not tell the size
		if err := fitting.Check(ctx, b.Plan().Store().Compression()); err != nil {
			return build.Result{}, err
		}
	}
	packed, err := b.Pack(ctx, file, how)
	if err == nil {
		err = fitting.Made(b.Plan().Store().Compression(), packed.FileSize)
	}
	return packed, err
}

// packSmaller packs with the fastest compression that keeps the image small enough. If one does
// not after all, the next one is taken.
func (v verbs) packSmaller(ctx context.Context, b *build.Build, file *build.File, fitting *trial.Fitting, how build.PackOptions) (build.Result, error) {
	for {
		settings, err := fitting.Choose(ctx)
		if err != nil {
			return build.Result{}, err
		}
		if err := b.Compress(settings); err != nil {
			return build.Result{}, err
		}
		packed, err := b.Pack(ctx, file, how)
		if err != nil {
			return packed, err
		}
		tooLarge := fitting.Made(settings, packed.FileSize)
		if tooLarge == nil {
			return packed, nil
		}
		v.Console.Line(tooLarge.Error())
		if err := file.Truncate(0); err != nil {
			return packed, err
		}
	}
}
