package create

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
)

// Plan is the verb.
func Plan(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts request.Options
	cmd := &cobra.Command{
		Use:   "plan INSTALLABLE... [flags]",
		Short: "Show what an image would be, without building",
		Long: `Evaluate a NixOS configuration and print what its live image would be: boot
modes, menu entries with their kernel lines, compression, the files of the
medium, and what Nix would have to build. Nothing is built, so this works for
any platform. Of several systems it says what each adds to those before it, if all
of them have been built before.`,
		Example: `  livebuild plan .#exampleIso
  livebuild plan .#rescue .#installer
  livebuild plan .#exampleIso --json`,
		Args: request.SomeInstallables,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := opts.ParseAll(args)
			if err != nil {
				return err
			}
			return v.runPlan(cmd.Context(), of, opts)
		},
	}
	opts.AddFlags(cmd)
	opts.AddDefaultFlag(cmd.Flags())
	opts.AddSecureBootFlags(cmd.Flags())
	return cmd
}

func (v verbs) runPlan(ctx context.Context, of []installable.Installable, opts request.Options) (err error) {
	b, err := opts.Build(ctx, v.App, of, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	missing, err := b.Missing(ctx)
	known := err == nil
	if err != nil {
		var failed *nix.Error
		if ctx.Err() != nil || !errors.As(err, &failed) {
			return err
		}
		// The plan is worth having where Nix cannot tell, offline for one.
		v.Console.Warn("what is to be built is not known: " + failed.Message)
	}
	builders := map[string]nix.BuildsBy{}
	for _, sys := range b.Plan().Systems() {
		if builders[sys.BuildPlatform], err = b.Builder(ctx, sys.BuildPlatform); err != nil {
			return err
		}
	}
	result := report.NewPlan(b.Plan(), missing, builders)
	if known && len(of) > 1 && len(missing.Build)+len(missing.Fetch)+len(missing.Unknown) == 0 {
		closure, err := b.Closure(ctx)
		if err != nil {
			return err
		}
		result.AddShares(b.Plan().Shares(closure))
	}
	return v.Print(result, opts.JSON)
}
