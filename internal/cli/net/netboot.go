package net

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

type netbootOptions struct {
	request.Options
	packOptions
	output string
	pieces bool
	stamp  adapt.Flags
}

// Netboot is the verb.
func Netboot(app *face.App) *cobra.Command {
	v := verbs{app}
	opts := netbootOptions{Options: request.Options{Configuration: request.Configuration{Form: nixos.Netboot}}}
	cmd := &cobra.Command{
		Use:   "netboot INSTALLABLE [flags]",
		Short: "Build a configuration and write what starts it over the network",
		Long: `Evaluate a NixOS configuration, build it with Nix, and write a folder from which
machines start over the network: the kernel, an initrd with the whole system in it,
a script for iPXE, checksums, and a manifest, which comes last. A machine loads all
of it into memory, and needs no medium.

The configuration is extended with nixpkgs' netboot module, of its own nixpkgs. One
of an ISO image will do, and so will that of an installed host, which is made live.
The store has the compression that an ISO image of it would have, and what has not
changed is taken from an earlier one of either kind, as 'livebuild iso' takes it.

The name of the folder is printed on standard output. 'livebuild serve' gives it out
by HTTP; so does any web server.`,
		Example: `  livebuild netboot .#exampleIso -o netboot/
  livebuild netboot .#laptop -o netboot/ --ssh-key ~/.ssh/id_ed25519.pub
  livebuild netboot .#exampleIso -o netboot/ --reuse exampleIso.iso
  livebuild serve netboot/`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &severalError{args, overNetwork}
			}
			return request.OneInstallable(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(); err != nil {
				return err
			}
			of, err := opts.Parse(args)
			if err != nil {
				return err
			}
			opts.Stamped = true // now, or later
			if opts.dryRun {
				return opts.PrintPlan(cmd.Context(), v.App, []installable.Installable{of}, image.Options{Apart: opts.pieces})
			}
			return v.runNetboot(cmd.Context(), of, opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "", "write into the `FOLDER`, which is made if it is missing (default: a new one by the name of the system)")
	f.BoolVar(&opts.pieces, "pieces", false, "have the store in an archive of its own, "+netboot.Store+", for loaders that take no initrd of 2 GiB")
	opts.packOptions.addFlags(f)
	opts.AddFlags(cmd)
	face.Under(aboutStamps, f, func() { opts.stamp.AddFlags(f, true) })
	return cmd
}

// overNetwork is what the verb starts.
const overNetwork = "what is started over the network"

// severalError says that one system is started without a medium: there is no menu, and all that a machine
// loads takes room in its memory.
type severalError struct {
	args []string
	what string // is one system
}

func (e *severalError) Error() string {
	return fmt.Sprintf("%s is one system, not %d", e.what, len(e.args))
}

// hint has each in a folder or a file of its own.
func (e *severalError) hint() string {
	if e.what != overNetwork {
		return "make an archive of each; 'livebuild iso' has several on one medium"
	}
	return "make a folder of each, '" + human.ShellLine([]string{"livebuild", "netboot", e.args[0], "-o"}) + " FOLDER/', and have a menu of iPXE chain to their scripts; 'livebuild iso' has several on one medium"
}

// aboutStamps is the heading of flags about what the live system is to find.
const aboutStamps = "Stamped, in a further initrd, for the live system"

func (v verbs) runNetboot(ctx context.Context, of installable.Installable, opts netbootOptions) (err error) {
	started := time.Now()
	items, err := v.stamped(&opts.stamp)
	if err != nil {
		return err
	}
	b, err := opts.Build(ctx, v.App, []installable.Installable{of}, image.Options{Apart: opts.pieces})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	out, err := v.beginFolder(b, of, opts, items)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	packed, err := out.fill(ctx)
	if err != nil {
		return err
	}
	files, err := out.commit(ctx, packed)
	if err != nil {
		return err
	}
	if err := b.Remember(files.Store, packed); err != nil {
		v.Console.Warn(err.Error()) // a help for the next image, not more
	}
	result := report.NewNetboot(b.Plan(), packed, files, opts.again, time.Since(started))
	return v.Print(result, opts.JSON)
}

// stamped are the items that flags name, or nil without any.
func (v verbs) stamped(flags *adapt.Flags) (*stamp.Items, error) {
	values, err := flags.Read(v.In)
	if err != nil || values == nil {
		return nil, err
	}
	if values.HasKernelParams() {
		return nil, face.Usage(errors.New("--values: kernel-params are for the menus of a medium; --kernel-param gives words to a system that starts without one"))
	}
	items, err := values.For(adapt.Target{})
	if err == nil && items.Install.System != "" {
		return nil, face.Usage(errors.New("--auto-install is for media: the systems that it installs lie on them"))
	}
	if err == nil && items.Secret() {
		v.Console.Warn("whoever can fetch the files can read what is stamped, what is secret in it, too")
	}
	return &items, err
}

// packOptions are flags about how what starts a system is packed.
type packOptions struct {
	reuse string
	jobs  int
	force bool
	again bool

	dryRun bool
}

// check checks the flags.
func (o *packOptions) check() error {
	if o.jobs < 0 {
		return face.Usage(fmt.Errorf("--jobs needs a number of workers, not %d", o.jobs))
	}
	return nil
}

// how says how the store is packed, into the place of an earlier file.
func (o *packOptions) how(replaces string) (build.PackOptions, error) {
	reuse, err := request.ParseReuse(o.reuse)
	return build.PackOptions{Reuse: reuse, Replaces: replaces, Workers: o.jobs}, err
}
