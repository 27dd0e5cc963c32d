// Package examine is the verb that finds out what a machine lacks.
package examine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/doctor"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/report"
)

type options struct {
	request.Options
	output string
	verbs  []string
}

// verbs that can be asked about.
var verbs = []string{doctor.ISO, doctor.Run, doctor.Test, doctor.Write}

// Doctor is the verb. Errors of checks are explained by hint.
func Doctor(app *face.App, hint func(error) string) *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:   "doctor [INSTALLABLE] [flags]",
		Short: "Find out what this machine lacks",
		Long: `Look at all that the verbs need: Nix, its settings, store and caches; memory; QEMU,
firmware and KVM, which is tried; emulation of other machines; sticks. With an
INSTALLABLE also at its flake, in git and in its lock file, at what of it must be
built and what can be downloaded, and at the room for it.

Each line says what was found; what failed keeps a verb from its work, and the
hint below it is the one that the verb would give. A warning is about what makes
one slow, or is easily overlooked. Nothing is built, and no lock file is written.

The exit status is 1 if something failed.`,
		Example: `  livebuild doctor
  livebuild doctor .#exampleIso
  livebuild doctor --for iso,test --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return request.OneInstallable(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, v := range opts.verbs {
				if !slices.Contains(verbs, v) {
					return face.Usage(fmt.Errorf("--for: there is nothing to look at for %q; there are %s", v, strings.Join(verbs, ", ")))
				}
			}
			return run(cmd.Context(), app, args, opts, len(args) > 0 || cmd.Flags().Changed("file"), hint)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&opts.verbs, "for", nil, "look only at what these `VERBS` need: "+strings.Join(verbs, ", "))
	f.StringVarP(&opts.output, "output", "o", "", "look for room where 'livebuild iso' would write: a `FILE`, or a folder")
	opts.AddFlags(cmd)
	return cmd
}

func run(ctx context.Context, app *face.App, args []string, opts options, configured bool, hint func(error) string) error {
	look := doctor.Options{
		Nix: app.NixFlags, Env: os.Environ(), Cache: face.CacheFolder(),
		Output: filepath.Dir(image.OutputPath(opts.output, "image")),
		Verbs:  opts.verbs, Host: device.Local(), Sink: app.Console,
	}
	if configured {
		of, err := opts.Parse(args)
		if err != nil {
			return err
		}
		app.NixFlags = app.NixFlags.With("no-write-lock-file")
		look.Begin = func(ctx context.Context) (*build.Build, error) {
			return opts.Build(ctx, app, []installable.Installable{of}, image.Options{})
		}
		if of.File == "" {
			look.Ref = of.Ref
			look.Folder, _ = of.Folder()
		}
	}
	tell := app.Teller(opts.JSON)
	result := report.Examination{Checks: []report.Check{}}
	look.Checked = func(c doctor.Check) error {
		c.Err = rights(c.Err)
		check := report.NewCheck(c, hint(c.Err))
		result.Checks = append(result.Checks, check)
		if opts.JSON {
			return nil
		}
		return tell(check.Lines(console.Columns(app.Out, 0)))
	}
	if err := doctor.Examine(ctx, look); err != nil {
		return err
	}
	failure := result.Failure()
	result.Healthy = failure == nil
	if err := app.Print(result, opts.JSON); err != nil {
		return err
	}
	return failure
}

// rights puts the command that writes to a disk into an error about missing rights.
func rights(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(path.Path, "/dev/") || path.Op != "opening" {
		return err
	}
	return &face.RightsError{Path: path.Path, Command: human.ShellLine([]string{"sudo", "livebuild", "write", "IMAGE", path.Path})}
}
