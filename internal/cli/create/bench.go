package create

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/trial"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

type benchOptions struct {
	request.Configuration
	compressions []string
	sample       int // MB
	jobs         int
	json         bool
}

// Bench is the verb.
func Bench(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts benchOptions
	cmd := &cobra.Command{
		Use:   "bench INSTALLABLE... [flags]",
		Short: "Compare compressions on a configuration's own files",
		Long: `Build a NixOS configuration, pack its store with several compressions, and
print what each of them takes: time, size, memory, and how fast files are read
back, which is what the live system will feel. Nothing is kept.

Of a large store a sample is packed: files of all sizes, in proportion. Time and
size are then estimates for the whole, and say so.

Lines are marked: "configured" is what the configuration says, "smallest" makes
the smallest image, and "quick" is soonest on a USB stick, if that takes 20 MB a
second: what packs faster makes more to write.`,
		Example: `  livebuild bench .#exampleIso
  livebuild bench .#exampleIso --compression zstd:9 --compression "xz -Xbcj native"
  livebuild bench .#exampleIso --sample 0`,
		Args: request.SomeInstallables,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.jobs < 0 {
				return face.Usage(fmt.Errorf("--jobs needs a number of workers, not %d", opts.jobs))
			}
			if opts.sample < 0 {
				return face.Usage(fmt.Errorf("--sample needs a number of megabytes, not %d", opts.sample))
			}
			of, err := opts.ParseAll(args)
			if err != nil {
				return err
			}
			return v.runBench(cmd.Context(), of, opts)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&opts.compressions, "compression", nil,
		"try `CODEC`, as 'livebuild iso' takes it; can be given several times (default: the configuration's own, lz4, zstd in four levels, xz)")
	f.IntVar(&opts.sample, "sample", trial.DefaultSample/1e6, "pack about `MB` megabytes of the files; 0: all")
	f.IntVar(&opts.jobs, "jobs", 0, "compress with `N` workers (default: one for each processor)")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	opts.AddFlags(cmd)
	return cmd
}

func (v verbs) runBench(ctx context.Context, of []installable.Installable, opts benchOptions) (err error) {
	wanted, err := parseCompressions(opts.compressions)
	if err != nil {
		return err
	}
	asked := request.Options{Configuration: opts.Configuration}
	b, err := asked.Build(ctx, v.App, of, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.FindStore(ctx); err != nil {
		return err
	}
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	for i := range wanted {
		if wanted[i], err = b.Resolve(wanted[i]); err != nil {
			return err
		}
	}
	if len(wanted) == 0 {
		var missing []error
		wanted, missing = trial.Defaults(b.Plan().Store().Compression())
		for _, err := range missing {
			v.Console.Warn(err.Error())
		}
	}
	src, err := b.Realise(ctx)
	if err != nil {
		return err
	}
	// In the folder for temporary files, which can be a file system in memory,
	// an image of everything may not fit.
	scratch, err := image.CreateScratch(face.CacheFolder())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.Abort()) }()
	result, err := trial.Compare(ctx, b.Plan(), src, wanted, trial.Options{
		Sample: int64(opts.sample) * 1e6, Workers: opts.jobs, Scratch: scratch, Sink: v.Console,
	})
	if err != nil {
		return err
	}
	return v.Print(report.Comparison{Comparison: result}, opts.json)
}

// parseCompressions reads the flags, and finds out whether this program has
// what they name.
func parseCompressions(texts []string) ([]codec.Settings, error) {
	var list []codec.Settings
	for _, text := range texts {
		settings, err := codec.Parse(text)
		if err != nil {
			return nil, face.Usage(fmt.Errorf("--compression: %w", err))
		}
		if _, err := codec.New(settings.Resolved(0), 0); err != nil {
			return nil, err
		}
		list = append(list, settings)
	}
	return list, nil
}
