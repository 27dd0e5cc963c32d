package create

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/disk"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/machine"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/report"
)

type isoOptions struct {
	request.Options
	output  string
	maxSize request.Size
	split   request.Size
	force   bool
	jobs    int
	reuse   string
	summary face.Summary
	server  wire.Options // of an earlier image that is on one
	dryRun  bool
	write   []string // disks to write to, instead of a file
	sticks  disk.Options
	stamp   adapt.Flags
	check   bool
	test    bool
	tests   machine.TestOptions
	papers  paperOptions
}

// ISO is the verb.
func ISO(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts isoOptions
	cmd := &cobra.Command{
		Use:   "iso INSTALLABLE... [flags]",
		Short: "Build a configuration and write its live image",
		Long: `Evaluate a NixOS configuration, build it with Nix, and write its live image.

INSTALLABLE is a flake reference and, after a '#', the name of one of its
nixosConfigurations, as nixos-rebuild takes it, or the path of a Nix file outside
of flakes. Without a name there must be only one configuration. One that does
not import nixpkgs' ISO module is made live with it.

Of several INSTALLABLES one image is made, with a menu for each system; what they
share is on it once. They can be for different platforms: the image then starts
machines of each. The first starts by itself, or that of --default.

The file gets the name that the configuration gives it, in the current folder. It
appears when it is complete; an earlier image is replaced only then. --check packs
it twice, in different ways, which shows that its bytes follow from its contents;
what differs is named. No second copy is kept. Checksum, manifest and signatures are
beside the image, and those of an earlier one go with it.

With --write the image goes straight to disks, without a file in between, under
the rules of 'livebuild write'. Nix runs as the user who calls; only to open the
disks livebuild asks sudo or doas, if it must. Where a disk may be too small, the
image is made first, in the cache folder, and nothing is written unless it fits.

The name of the file, or of the disks, is printed on standard output.`,
		Example: `  livebuild iso .#exampleIso
  livebuild iso .#exampleIso -o images/ --compression zstd:3
  livebuild iso .#laptop --ssh-key ~/.ssh/id_ed25519.pub
  livebuild iso ./iso.nix -I nixpkgs=/path/to/nixpkgs
  livebuild iso github:owner/repo#exampleIso --json
  livebuild iso .#rescue .#installer .#laptop -o all.iso
  livebuild iso .#exampleIso --write /dev/sdb`,
		Args: request.SomeInstallables,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.jobs < 0 {
				return face.Usage(fmt.Errorf("--jobs needs a number of workers, not %d", opts.jobs))
			}
			if err := opts.checkWrite(cmd.Flags()); err != nil {
				return err
			}
			if err := opts.checkSize(cmd.Flags()); err != nil {
				return err
			}
			if flag := face.GivenUnder(machine.AboutBoots, cmd.Flags()); flag != "" && !opts.test {
				return face.Usage(fmt.Errorf("--%s is about the boots of --test, which is missing", flag))
			}
			of, err := opts.ParseAll(args)
			switch {
			case err != nil:
				return err
			case opts.dryRun:
				return v.runPlan(cmd.Context(), of, opts.Options)
			case opts.writes():
				return v.runISOWrite(cmd.Context(), of, opts)
			}
			return v.runISO(cmd.Context(), of, opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "", "write to `FILE`, or into a folder if it ends in '/' or is one")
	f.StringArrayVar(&opts.write, "write", nil, "write to the disk `DEVICE` instead of a file; once for each disk")
	f.BoolVar(&opts.check, "check", false, "pack a second time, afresh and in another order, and put the image in place only if all bytes are the same")
	f.BoolVar(&opts.test, "test", false, "boot the image as 'livebuild test' does, and put it in place only if it comes up")
	request.AddReuseFlag(f, &opts.reuse, ", a file or the URL of one")
	f.BoolVar(&opts.dryRun, "dry-run", false, "print the plan and build nothing, as 'livebuild plan' does")
	opts.summary.AddFlag(f)
	f.BoolVar(&opts.force, "force", false, "replace an existing file that livebuild did not make")
	f.IntVar(&opts.jobs, "jobs", 0, "compress with `N` workers (default: one for each processor)")
	opts.AddFlags(cmd)
	opts.AddDefaultFlag(f)
	face.Under(aboutSize, f, func() {
		opts.AddSizeFlags(f, &opts.maxSize)
		f.Var(&opts.split, "split", "write parts, each smaller than `SIZE`, and a file of checksums; the first part stands for the image")
	})
	face.Under(wire.AboutServers, f, func() { opts.server.AddFlags(f) })
	opts.AddSecureBootFlags(f)
	face.Under(AboutPapers, f, func() { opts.papers.addFlags(f) })
	face.Under(disk.AboutDisks, f, func() { opts.sticks.AddFlags(f) })
	face.Under("Stamped onto the disks of --write, for the live system", f, func() { opts.stamp.AddFlags(f, true) })
	face.Under(machine.AboutBoots, f, func() { opts.tests.AddFlags(cmd) })
	return cmd
}

func (v verbs) runISO(ctx context.Context, of []installable.Installable, opts isoOptions) (err error) {
	started := time.Now()
	tests, err := opts.tests.Check()
	if err != nil {
		return err
	}
	if err := errors.Join(checkFolder(opts.output), opts.summary.Check()); err != nil {
		return err
	}
	reuse, err := v.openReuse(ctx, opts.reuse, opts.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reuse.Close()) }()
	papers, err := opts.papers.prepare(ctx, v.App)
	if err != nil {
		return err
	}
	b, err := opts.Build(ctx, v.App, of, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	if opts.Auto() && b.Plan().Medium().Zstd {
		return &compressedError{}
	}
	var tester *machine.Tester
	if opts.test {
		if tester, err = machine.NewTester(ctx, v.App, b, tests); err != nil {
			return err
		}
	}
	path := image.OutputPath(opts.output, b.Plan().FileName())
	out, err := v.create(of, path, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if err := papers.ready(ctx, b, out, opts.force); err != nil {
		return err
	}
	file := &build.File{Output: out}
	packed, err := v.pack(ctx, b, file, opts, build.PackOptions{Reuse: reuse.Reuse, Replaces: out.Place(), Workers: opts.jobs})
	if err != nil {
		return err
	}
	if opts.check {
		if err := v.packAgain(ctx, b, out, packed, opts.jobs); err != nil {
			return err
		}
	}
	since, err := v.since(ctx, opts, reuse, packed.From, out, path)
	if err != nil {
		return err
	}
	var boots []report.Boot
	if tester != nil {
		if boots, err = tester.Boot(ctx, out, path); err != nil {
			return errors.Join(err, opts.summary.Write(report.Boots{File: path, Boots: boots, Since: since}))
		}
	}
	if err := v.place(ctx, out, papers, file.Sum, packed); err != nil {
		return err
	}
	if err := b.Remember(out.Place(), packed); err != nil {
		v.Console.Warn(err.Error()) // a help for the next image, not more
	}
	result := report.NewImage(b.Plan(), packed, time.Since(started))
	result.SHA256, result.Boots, result.Checked, result.Since = file.Sum, boots, opts.check, since
	if err := result.SetPlace(out); err != nil {
		return err
	}
	if result.Beside, err = papers.paths(out); err != nil {
		return err
	}
	return errors.Join(v.Print(result, opts.JSON), opts.summary.Write(result))
}

// streamError reports that the image should go through a pipe.
type streamError struct{}

func (*streamError) Error() string {
	return "--output - would be a stream, but the beginning of an image is written last"
}

// checkFolder finds out before any work whether a file can be made where the
// output goes.
func checkFolder(output string) error {
	if output == "-" {
		return face.Usage(&streamError{})
	}
	return image.CheckFolder(filepath.Dir(image.OutputPath(output, "image")))
}
