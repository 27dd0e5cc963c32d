package net

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

type kexecOptions struct {
	request.Options
	packOptions
	output string
	stamp  adapt.Flags
}

// Kexec is the verb.
func Kexec(app *face.App) *cobra.Command {
	v := verbs{app}
	opts := kexecOptions{Options: request.Options{Configuration: request.Configuration{Form: nixos.Kexec}}}
	cmd := &cobra.Command{
		Use:   "kexec INSTALLABLE [flags]",
		Short: "Build a configuration and write what starts it in place of a running Linux",
		Long: `Evaluate a NixOS configuration, build it with Nix, and write an archive by which any
running Linux starts it in its own place, by kexec: without a medium, and without
firmware. What the archive is unpacked to is all in memory then, and the disks of the
machine are free to be installed on.

'nixos-anywhere --kexec FILE' takes it. By hand, as root:

  tar -xf FILE && kexec/run

SSH keys of root and of who calls sudo, the keys of the SSH server, addresses, routes
and the machine's ID are carried over. The programs that this takes are static ones of
the configuration's own nixpkgs, which Nix may have to build.

The configuration is extended as 'livebuild netboot' does it, and says that it is an
installer, unless it says what else it is. The archive is compressed as its name says:
.tar.gz, .tar.zst, or .tar, of which other images can be packed, as of any image.`,
		Example: `  livebuild kexec .#exampleIso -o exampleIso.tar.gz
  livebuild kexec .#laptop --ssh-key ~/.ssh/id_ed25519.pub -o laptop.tar --reuse laptop.iso
  nixos-anywhere --kexec exampleIso.tar.gz --flake .#server root@server.example`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &severalError{args, "what is started by kexec"}
			}
			return request.OneInstallable(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(); err != nil {
				return err
			}
			if _, err := kexec.CompressionOf(opts.output); opts.named() && err != nil {
				return face.Usage(fmt.Errorf("--output: %w", err))
			}
			if err := image.CheckFolder(filepath.Dir(image.OutputPath(opts.output, "archive"))); err != nil {
				return err
			}
			of, err := opts.Parse(args)
			if err != nil {
				return err
			}
			opts.Stamped = true // of what is carried over stage 1 has to know
			if opts.dryRun {
				return opts.PrintPlan(cmd.Context(), v.App, []installable.Installable{of}, image.Options{})
			}
			return v.runKexec(cmd.Context(), of, opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "", "write `FILE`, .tar.gz, .tar.zst or .tar, or into a folder (default: by the name of the system, .tar.gz)")
	opts.packOptions.addFlags(f)
	opts.AddFlags(cmd)
	face.Under(aboutStamps, f, func() { opts.stamp.AddFlags(f, true) })
	return cmd
}

// named reports whether the file has a name of the user's.
func (o *kexecOptions) named() bool {
	return image.OutputPath(o.output, "") == o.output && o.output != ""
}

func (v verbs) runKexec(ctx context.Context, of installable.Installable, opts kexecOptions) (err error) {
	started := time.Now()
	items, err := v.stamped(&opts.stamp)
	if err != nil {
		return err
	}
	var stamped []byte
	if items != nil {
		if stamped, err = stamp.Archive(*items, v.Tool); err != nil {
			return err
		}
	}
	b, err := opts.Build(ctx, v.App, []installable.Installable{of}, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	path := image.OutputPath(opts.output, b.Plan().FileName()+kexec.Extension)
	if build.InsideFlake(of, path) {
		v.Console.Warn("the file goes into the folder of the flake, which is not a git repository: " +
			"from then on Nix copies it to its store with the flake; -o puts it elsewhere")
	}
	compression, err := kexec.CompressionOf(path)
	if err != nil {
		return err
	}
	out, err := adapt.OwnArchive.CreateOutput(path, opts.force)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	how, err := opts.how(path)
	if err != nil {
		return err
	}
	v.warnOfSystem(b.Plan().System())
	if err := v.checkSize(ctx, b, opts.jobs, []int64{archiveLimit}, nil); err != nil {
		return err
	}
	a := archive{v, b, stamped, how, opts.again}
	packed, err := a.write(ctx, out, compression)
	if err != nil {
		return err
	}
	files := report.NetbootFiles{Place: path, CommandLine: strings.Join(b.Plan().Initrd().Params, " ")}
	file := report.NetbootFile{Name: filepath.Base(path)}
	if file.SHA256, err = out.Sync(ctx); err != nil {
		return err
	}
	if file.Size, err = out.Size(); err != nil {
		return err
	}
	files.Files = append(files.Files, file)
	if files.File, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	if compression == kexec.Plain {
		if err := b.Remember(path, packed.Result); err != nil {
			v.Console.Warn(err.Error()) // a help for the next image, not more
		}
	}
	return v.Print(report.NewNetboot(b.Plan(), packed.Result, files, opts.again, time.Since(started)), opts.JSON)
}

// warnOfSystem says of what nobody could make use who starts the system from afar.
func (v verbs) warnOfSystem(sys *nixos.System) {
	if !sys.SSHServer {
		v.Console.Warn("the system has no SSH server, so that nobody gets in from outside; --ssh-key adds one")
	}
	if sys.VariantID != installerID {
		v.Console.Warn(fmt.Sprintf("the system says that it is %q, and nixos-anywhere goes on with an %q alone: system.nixos.variant_id", sys.VariantID, installerID))
	}
}

// installerID is the system.nixos.variant_id that nixos-anywhere looks for.
const installerID = "installer"

// archive is one that is written.
type archive struct {
	verbs
	build *build.Build
	stamp []byte // the archive with what is stamped, or nil
	how   build.PackOptions
	again bool
}

// write writes the archive, compressed or not. What is compressed as a whole is made in a file that is gone
// afterwards.
func (a archive) write(ctx context.Context, out *image.Output, compression kexec.Compression) (packed build.Kexec, err error) {
	if compression == kexec.Plain {
		return a.pack(ctx, out)
	}
	scratch, err := image.CreateScratch(face.CacheFolder())
	if err != nil {
		return packed, err
	}
	defer func() { err = errors.Join(err, scratch.Abort()) }()
	if packed, err = a.pack(ctx, scratch); err != nil {
		return packed, err
	}
	task := progress.Begin(a.Console, "compressing", "")
	done := int64(0)
	tar := progress.NewReader(ctx, io.NewSectionReader(scratch, 0, packed.ArchiveSize), func(n int) {
		done += int64(n)
		task.Bytes(done, packed.ArchiveSize)
	})
	if err := kexec.Compress(out, tar, compression, a.how.Workers); err != nil {
		task.Fail(err, nil)
		return packed, err
	}
	task.End(nil)
	return packed, nil
}

// pack packs the archive as it is, its store twice if that is asked for.
func (a archive) pack(ctx context.Context, out *image.Output) (build.Kexec, error) {
	packed, err := a.build.PackKexec(ctx, out, a.stamp, a.how)
	if err == nil && a.again {
		initrd := io.NewSectionReader(out, packed.Initrd.Offset, packed.FileSize)
		err = a.build.Compare(ctx, comparison.Image{ReaderAt: initrd, Size: packed.FileSize}, build.PackOptions{Workers: a.how.Workers})
	}
	return packed, err
}
