package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// planOptions are the flags of what plans one image.
type planOptions struct {
	configurationOptions
	compression string
	json        bool
}

func (o *planOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	o.addBuildFlags(cmd)
}

// addBuildFlags adds those that matter whatever becomes of the image.
func (o *planOptions) addBuildFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.compression, "compression", "",
		"compress the store with `CODEC`: none, lz4, gzip, zstd or xz, with a level as in zstd:19, or mksquashfs' words (default: what the configuration says)")
	o.configurationOptions.addFlags(cmd)
}

// newBuild checks everything that can be checked before the evaluation. The image is
// made as its target needs it, and as the flags say.
func (a *app) newBuild(ctx context.Context, of installable.Installable, opts planOptions, images image.Options) (*build.Build, error) {
	changes, err := opts.changes()
	if err != nil {
		return nil, err
	}
	if opts.compression != "" {
		settings, err := codec.Parse(opts.compression)
		if err != nil {
			return nil, face.Usage(fmt.Errorf("--compression: %w", err))
		}
		images.Compression = &settings
	}
	if images.Epoch, err = image.ParseEpoch(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return nil, err
	}
	return build.New(ctx, of, build.Options{
		Nix:     a.NixFlags,
		Env:     os.Environ(),
		Changes: changes,
		Image:   images,
		Cache:   face.CacheFolder(),
		Sink:    a.Console,
		Verbose: *a.Console.Verbose(),
	})
}

// Where iso looks for what has been packed before.
const (
	reuseAuto = "auto"
	reuseNone = "none"
)

// parseReuse finds out before any work whether a named image is there.
func parseReuse(text string) (build.Reuse, error) {
	switch text {
	case reuseAuto:
		return build.Reuse{}, nil
	case reuseNone:
		return build.Reuse{None: true}, nil
	}
	info, err := os.Stat(text)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", text)
	}
	if err != nil {
		return build.Reuse{}, face.Usage(fmt.Errorf("--reuse: %w", err))
	}
	return build.Reuse{Path: text}, nil
}
