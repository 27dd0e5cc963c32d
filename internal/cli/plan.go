package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
)

func (a *app) planCommand() *cobra.Command {
	var opts planOptions
	cmd := &cobra.Command{
		Use:   "plan INSTALLABLE [flags]",
		Short: "Show what an image would be, without building",
		Long: `Evaluate a NixOS configuration and print what its live image would be: boot
modes, menu entries with their kernel lines, compression, the files of the
medium, and what Nix would have to build. Nothing is built, so this works for
any platform.`,
		Example: `  livebuild plan .#exampleIso
  livebuild plan .#exampleIso --json`,
		Args: oneInstallable,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := parseInstallable(args, opts.file)
			if err != nil {
				return err
			}
			return a.runPlan(cmd.Context(), of, opts)
		},
	}
	opts.addFlags(cmd)
	return cmd
}

func (a *app) runPlan(ctx context.Context, of installable.Installable, opts planOptions) (err error) {
	b, err := a.newBuild(ctx, of, opts, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	missing, err := b.Missing(ctx)
	if err != nil {
		var failed *nix.Error
		if ctx.Err() != nil || !errors.As(err, &failed) {
			return err
		}
		// The plan is worth having where Nix cannot tell, offline for one.
		a.Console.Warn("what is to be built is not known: " + failed.Message)
	}
	by, err := b.Builder(ctx)
	if err != nil {
		return err
	}
	return a.Print(report.NewPlan(b.Plan(), missing, by), opts.json)
}
