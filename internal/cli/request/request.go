// Package request is how verbs are asked for the image of a configuration: which one, what is
// changed in it, how its store is compressed; and the build that this begins.
package request

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

// Options are the flags of what plans one image.
type Options struct {
	Configuration
	compression string
	JSON        bool
}

func (o *Options) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	o.AddBuildFlags(cmd)
}

// AddBuildFlags adds those that matter whatever becomes of the image.
func (o *Options) AddBuildFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.compression, "compression", "",
		"compress the store with `CODEC`: none, lz4, gzip, zstd or xz, with a level as in zstd:19, or mksquashfs' words (default: what the configuration says)")
	o.Configuration.AddFlags(cmd)
}

// Build checks everything that can be checked before the evaluation. The image is
// made as its target needs it, and as the flags say.
func (o *Options) Build(ctx context.Context, a *face.App, of installable.Installable, images image.Options) (*build.Build, error) {
	changes, err := o.changes()
	if err != nil {
		return nil, err
	}
	if o.compression != "" {
		settings, err := codec.Parse(o.compression)
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
		Afresh:  o.noEvalCache,
		Sink:    a.Console,
		Verbose: *a.Console.Verbose(),
	})
}
