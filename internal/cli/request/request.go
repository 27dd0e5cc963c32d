// Package request is how verbs are asked for the image of a configuration: which one, what is
// changed in it, how its store is compressed; and the build that this begins.
package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	autoFits    bool // --compression auto is known
	secureBoot  SecureBoot
	JSON        bool
	chosen      string // of several systems

	// Stamped tells that something will be stamped onto what is made, whatever area that has.
	Stamped bool
}

// AddDefaultFlag adds the flag that chooses one of several systems.
func (o *Options) AddDefaultFlag(f *pflag.FlagSet) {
	f.StringVar(&o.chosen, "default", "", "of several systems, `NAME` starts by itself (default: the first)")
}

// compressionAuto is the word for the fastest compression that makes an image small enough.
const compressionAuto = "auto"

// AddSizeFlags adds to the flags of [Options.AddFlags] the size that the image has to stay below,
// by which its compression can be chosen.
func (o *Options) AddSizeFlags(f *pflag.FlagSet, size *Size) {
	o.autoFits = true
	f.Var(size, "max-size", "fail, before packing if that can be known, unless the file is smaller than `SIZE`, as in 2GiB, with --compression auto: choose what makes it so")
}

// AddSecureBootFlags adds to the flags of [Options.AddFlags] those of images for Secure Boot.
func (o *Options) AddSecureBootFlags(f *pflag.FlagSet) { o.secureBoot.AddFlags(f) }

// Auto reports whether a compression is to be chosen, which takes a size to stay below.
func (o *Options) Auto() bool { return o.compression == compressionAuto }

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
func (o *Options) Build(ctx context.Context, a *face.App, of []installable.Installable, images image.Options) (*build.Build, error) {
	changes, err := o.changes(of[0])
	if err != nil {
		return nil, err
	}
	if area, err := o.area(); err != nil {
		return nil, err
	} else if area != nil {
		images.StampArea = area
	}
	images.StampParams = o.stampParams
	changes.Stamp = o.Stamped || images.StampArea != nil && *images.StampArea > 0
	images.Default = cmp.Or(o.chosen, images.Default)
	changes.SecureBoot = o.secureBoot.changes()
	switch {
	case o.Auto() && !o.autoFits:
		return nil, face.Usage(errors.New("--compression auto chooses by the size of an image that is packed to a file: 'livebuild iso --max-size' does"))
	case o.Auto(), o.compression == "":
	default:
		settings, err := codec.Parse(o.compression)
		if err != nil {
			return nil, face.Usage(fmt.Errorf("--compression: %w", err))
		}
		images.Compression = &settings
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" || images.Epoch.IsZero() {
		if images.Epoch, err = image.ParseEpoch(epoch); err != nil {
			return nil, err
		}
	}
	if images.Seal, err = o.secureBoot.seal(ctx, a); err != nil {
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
		Version: a.Version,
	})
}
