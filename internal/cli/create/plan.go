package create

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
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

func (v verbs) runPlan(ctx context.Context, of []installable.Installable, opts request.Options) error {
	return opts.PrintPlan(ctx, v.App, of, image.Options{})
}
