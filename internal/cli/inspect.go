package cli

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/report"
)

type inspectOptions struct {
	json bool
}

func (a *app) inspectCommand() *cobra.Command {
	var opts inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect IMAGE|DEVICE [flags]",
		Short: "Show what an image is and how it starts",
		Long: `Show what an image tells of itself: volume, boot modes and what stands behind them,
menu entries with their kernel lines, versions of kernels, compression and size of its
file systems, and its Nix store. The image, anyone's, is only read, and so is a disk that
it was written to.`,
		Example: `  livebuild inspect nixos.iso
  livebuild inspect /dev/sdb --json`,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inspect(cmd.Context(), args[0], opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

func (a *app) inspect(ctx context.Context, path string, opts inspectOptions) (err error) {
	m, err := a.lookInto(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	c, err := contents.Open(m.Medium)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	image, err := inspection.Read(ctx, m.Medium, c)
	if err != nil {
		return err
	}
	return a.print(report.Inspection{File: absolute, Image: image}, opts.json)
}
