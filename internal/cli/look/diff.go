package look

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/difference"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

type diffOptions struct {
	request.Configuration
	json, markdown, exitCode bool
}

// Diff is the verb of that name.
func Diff(app *face.App) *cobra.Command {
	a := verbs{app}
	var opts diffOptions
	cmd := &cobra.Command{
		Use:   "diff A B [flags]",
		Short: "Show what differs between two images",
		Long: `Show what differs between two images, or disks with one: packages that came, went or
have another version, with the room that they take; kernel, initrd and the kernels'
parameters; menus, boot modes, volume ID, compression. The first line is a summary.

A and B can be installables, too. They are evaluated, not built, so some of it is not
known, which is said. If a system is in the store already, its store paths are known;
else they are looked for among all that it is built from.

The exit status is 0 whether there are differences or not; with --exit-code it is 5
if there are.`,
		Example: `  livebuild diff nixos-24.05.iso nixos-24.11.iso
  livebuild diff /dev/sdb .#exampleIso
  livebuild diff old.iso new.iso --markdown > changes.md`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("two images or installables are wanted, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.diff(cmd.Context(), args, opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.markdown, "markdown", false, "print Markdown, as for a release")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	f.BoolVar(&opts.exitCode, "exit-code", false, "exit with the status 5 if there are differences")
	opts.AddFlags(cmd)
	return cmd
}

// compared is a side with what it is read from, if it is an image.
type compared struct {
	*difference.Side
	medium *medium.File
}

func (a verbs) diff(ctx context.Context, names []string, opts diffOptions) (err error) {
	if opts.json && opts.markdown {
		return face.Usage(errors.New("--json and --markdown are two forms: choose one"))
	}
	// What cannot be read is found before anything is evaluated.
	sides := make([]compared, len(names))
	subjects := make([]request.Subject, len(names))
	for n, name := range names {
		if subjects[n], err = opts.Subject([]string{name}); err != nil {
			return err
		}
		if subjects[n].Image == "" {
			continue
		}
		m, err := a.LookInto(ctx, subjects[n].Image)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		sides[n].medium = m
	}
	for n, s := range subjects {
		if sides[n].medium != nil {
			sides[n].Side, err = readSide(ctx, a.App, Image{Name: s.Image, Medium: sides[n].medium.Medium})
		} else {
			sides[n].Side, err = a.configurationSide(ctx, s, opts)
		}
		if err != nil {
			return err
		}
	}
	result := report.NewDifference(sides[0].Side, sides[1].Side)
	if sides[0].medium != nil && sides[1].medium != nil {
		if err := compareBytes(ctx, a.App, result, sides[0].medium.Medium, sides[1].medium.Medium); err != nil {
			return err
		}
	}
	if opts.markdown {
		err = result.Markdown(a.Out)
	} else {
		err = a.Print(result, opts.json)
	}
	if err == nil && opts.exitCode && !result.Equal {
		return &report.DifferentError{A: names[0], B: names[1]}
	}
	return err
}

// planned are the menus of an image that is not made yet.
type planned map[string]string

// Text returns one of them, whatever its case.
func (p planned) Text(name string) (text string, ok bool, err error) {
	text, ok = p[strings.ToLower(name)]
	return text, ok, nil
}

// configurationSide evaluates a configuration.
func (a verbs) configurationSide(ctx context.Context, of request.Subject, opts diffOptions) (_ *difference.Side, err error) {
	images := request.Options{Configuration: opts.Configuration}
	b, err := images.Build(ctx, a.App, []installable.Installable{of.Installable}, image.Options{Plain: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Evaluate(ctx); err != nil {
		return nil, err
	}
	plan := b.Plan()
	system := plan.System()
	menus := planned{}
	texts, err := plan.Medium().Tree.Texts()
	if err != nil {
		return nil, err
	}
	for name, text := range texts {
		menus[strings.ToLower(name)] = string(text)
	}
	arch, _, _ := strings.Cut(system.Platform, "-")
	s := &difference.Side{Name: of.Installable.String(), Evaluated: true, Image: &inspection.Image{
		VolumeID: plan.Medium().VolumeID, Label: system.Label, Arch: arch, Firmware32: system.EFIArch == "ia32", Modes: plan.Medium().Modes,
		FileSystems: []inspection.FileSystem{{Compression: inspection.Compression(plan.Store().Compression())}},
		Store:       &inspection.Store{Toplevel: system.Root().Toplevel.Out},
	}}
	if s.Image.Menus, err = inspection.ReadMenus(menus); err != nil {
		return nil, err
	}
	s.Files = map[string]string{}
	for _, content := range system.Contents {
		s.Files["/"+strings.TrimPrefix(content.Target, "/")] = content.Source
	}
	closure, err := b.Known(ctx)
	if err != nil {
		return nil, err
	}
	if closure != nil {
		s.Known = difference.Exact
		for _, p := range closure.Paths {
			s.Paths = append(s.Paths, difference.Path{Path: p.Path, NarSize: p.NarSize})
		}
		return s, nil
	}
	possible, err := b.Possible(ctx)
	s.Known = difference.Possible
	for _, path := range possible {
		s.Paths = append(s.Paths, difference.Path{Path: path})
	}
	return s, err
}
