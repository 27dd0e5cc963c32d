package look

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

type inspectOptions struct {
	paths bool
	why   string
	mapTo string
	json  bool
}

// Inspect is the verb of that name.
func Inspect(app *face.App) *cobra.Command {
	a := verbs{app}
	var opts inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect IMAGE|DEVICE [flags]",
		Short: "Show what an image is and how it starts",
		Long: `Show what an image tells of itself: volume, boot modes and what stands behind them,
menu entries with their kernel lines, versions of kernels, compression and size of its
file systems, and its Nix store. The image, anyone's, is only read, and so is a disk that
it was written to.

With --paths it lists the store paths instead, the largest first: the room that each takes in
the squashfs, what several have in common divided among them; the size of its files
when they are read; and the room of its closure. With --why it shows the shortest
chain of references from the system to a store path.

With --map it draws the whole medium, each part as large as the room that it takes, into
a file: as a page, to go into packages and folders, or as a drawing that stands still.`,
		Example: `  livebuild inspect nixos.iso
  livebuild inspect /dev/sdb --json
  livebuild inspect nixos.iso --paths
  livebuild inspect nixos.iso --why '*-perl-5*'
  livebuild inspect nixos.iso --map nixos.html`,
		Args: face.OneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inspect(cmd.Context(), args[0], opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.paths, "paths", false, "list the store paths and the room that they take")
	f.StringVar(&opts.why, "why", "", "show why a store path is there: `PATH`, or a pattern of its name")
	f.StringVar(&opts.mapTo, "map", "", "draw what takes the room into `FILE`, named .html or .svg")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

func (a verbs) inspect(ctx context.Context, path string, opts inspectOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	return a.withContents(ctx, path, func(m *medium.File, c *contents.Contents) error {
		return a.inspectOpened(ctx, path, m, c, opts)
	})
}

func (a verbs) inspectOpened(ctx context.Context, path string, m *medium.File, c *contents.Contents, opts inspectOptions) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	image, err := inspection.Read(ctx, m.Medium, c)
	if err != nil {
		return err
	}
	if opts.mapTo != "" {
		drawn, err := a.drawMap(ctx, path, opts.mapTo, m, c, image)
		if err != nil {
			return err
		}
		return a.Print(drawn, opts.json)
	}
	if opts.paths || opts.why != "" {
		return a.inspectStore(ctx, m, image, opts)
	}
	found := report.Inspection{File: absolute, Image: image, Columns: a.Columns()}
	if m.Stick != nil {
		found.Kept = report.StickKept(m.Stick)
	}
	return a.Print(found, opts.json)
}

// check refuses more than one question.
func (o inspectOptions) check() error {
	var asked []string
	for _, question := range []struct {
		flag string
		set  bool
	}{{"--paths", o.paths}, {"--why", o.why != ""}, {"--map", o.mapTo != ""}} {
		if question.set {
			asked = append(asked, question.flag)
		}
	}
	if len(asked) > 1 {
		return face.Usage(fmt.Errorf("%s are %d questions: ask one at a time", strings.Join(asked, " and "), len(asked)))
	}
	if o.mapTo != "" {
		_, err := drawer(o.mapTo)
		return err
	}
	return nil
}

// inspectStore says what takes room in the store, or why it is there.
func (a verbs) inspectStore(ctx context.Context, m *medium.File, image *inspection.Image, opts inspectOptions) error {
	toplevel := ""
	if image.Store != nil {
		toplevel = image.Store.Toplevel
	}
	paths, err := inspection.ReadPaths(ctx, m.Medium, toplevel)
	if err != nil {
		return err
	}
	if opts.paths {
		return a.Print(report.StorePaths{Paths: paths}, opts.json)
	}
	chains, err := paths.Why(opts.why)
	if err != nil {
		return err
	}
	return a.Print(report.Chains(chains), opts.json)
}
