package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/verify"
)

type verifyOptions struct {
	request.Options          // of what --against or --rebuild evaluates
	against         []string // a store, or configurations
	rebuild         bool
	sha256          string
	papers          paperOptions
	jobs            int

	configurations []installable.Installable // to rebuild
	fromMedium     bool                      // they are what the image says
}

// Verify is the verb of that name.
func Verify(app *face.App) *cobra.Command {
	a := verbs{app}
	var opts verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [INSTALLABLE...] IMAGE|DEVICE [flags]",
		Short: "Prove that an image or a stick is whole",
		Long: `Check an image, in a file, compressed or not, or on a disk, without the file that
it was copied from. Of an image of NixOS the NAR hash of every store path is
computed from what the medium holds, and compared with the registration there;
of any image the partition tables, the boot catalog, the directories, the EFI
system partition and the squashfs are held against their formats, and the files
that the boot menus name must be there. The image is only read, of a disk past
the cache of the kernel; it can be anyone's.

All that is wrong is printed on standard output, a line each: the structure, its
place in bytes, the store path or file. What nothing on the medium vouches for,
as the files of the boot loaders, is listed as not checked; --sha256 covers it.

The registration tells damage, not malice: whoever changes both is found by
--against, which takes the hashes from another store of Nix, or the store paths
from a configuration that is evaluated afresh, or by --sha256. With --rebuild the
image of INSTALLABLE, or of the locked flakes that the image names, is built, and
packed again without keeping a copy, and every byte is compared. Changes to the
configuration and the compression are those that the image says it was made with,
where flags say nothing else. Signatures for Secure Boot are taken from the image,
where they hold for what was built.

With --key the image has to be signed: every byte of it, as it was published, by that
key or one of those. With --manifest it has to be what a manifest says that comes from
elsewhere.

The exit status is 4 if the image is damaged, and 1 if it could not be checked.`,
		Example: `  livebuild verify exampleIso.iso
  livebuild verify /dev/sdb
  livebuild verify exampleIso.iso.zst --json
  livebuild verify exampleIso.iso --key example.pub
  livebuild verify /dev/sdb --against auto
  livebuild verify exampleIso.iso --against .#exampleIso
  livebuild verify --rebuild .#exampleIso exampleIso.iso`,
		Args: func(_ *cobra.Command, args []string) error {
			if opts.rebuild && len(args) >= 2 {
				return nil
			}
			return face.CheckOne(args, "which image? a file or a device is missing", "one image is wanted, not %d")
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opts.configurations, err = opts.toRebuild(args, cmd.Flags()); err != nil {
				return err
			}
			return a.runVerify(cmd.Context(), args[len(args)-1], opts)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&opts.against, "against", nil,
		"take the hashes from the Nix store, or the store paths from the configuration, that `STORE|INSTALLABLE` names, such as auto, this machine's store, and do not believe the medium (repeatable, for an image of several configurations)")
	f.BoolVar(&opts.rebuild, "rebuild", false, "build the image of INSTALLABLE, else of the locked flake that the image names, and compare every byte with it")
	f.StringVar(&opts.sha256, "sha256", "", "`SUM` that the image, or the compressed file, must have")
	opts.papers.addFlags(f)
	f.IntVar(&opts.jobs, "jobs", 0, "check with `N` workers (default: one for each processor)")
	opts.AddFlags(cmd)
	return cmd
}

// toRebuild are the configurations that the image is held against, if any.
func (o *verifyOptions) toRebuild(args []string, f *pflag.FlagSet) (of []installable.Installable, err error) {
	if o.rebuild {
		if o.fromMedium = len(args) < 2 && !f.Changed("file"); o.fromMedium {
			return of, nil
		}
		return o.ParseAll(args[:len(args)-1])
	}
	flag := face.GivenUnder(request.AboutChanges, f)
	for _, name := range []string{"compression", "file"} {
		if f.Changed(name) {
			flag = name
		}
	}
	if len(o.against) > 1 && !f.Changed("file") && !slices.ContainsFunc(o.against, namesFlake) {
		return of, face.Usage(errors.New("--against takes one store"))
	}
	if flag != "" && (len(o.against) == 0 || !slices.ContainsFunc(o.against, namesFlake) && !f.Changed("file")) {
		return of, face.Usage(fmt.Errorf("--%s is about the configuration of --rebuild or --against, which is missing", flag))
	}
	return of, nil
}

func (a verbs) runVerify(ctx context.Context, path string, opts verifyOptions) (err error) {
	if opts.jobs < 0 {
		return face.Usage(fmt.Errorf("--jobs needs a number of workers, not %d", opts.jobs))
	}
	if err := opts.papers.check(); err != nil {
		return err
	}
	var sum *imagefile.Checksum
	if opts.sha256 != "" {
		if sum, err = imagefile.ParseSum(opts.sha256, "--sha256"); err != nil {
			return face.Usage(err)
		}
	}
	if isImage, err := medium.NamesImage(path); err == nil && !isImage {
		return face.Usage(fmt.Errorf("%s is neither a file nor a device", path))
	}
	v := &verifying{app: a, path: path, options: opts, result: report.NewVerification(path)}
	if err := v.run(ctx, sum); err != nil {
		return err
	}
	v.result.Good = len(v.result.Findings) == 0
	if err := a.Print(v.result, opts.JSON); err != nil {
		return err
	}
	if v.result.SHA256 != "" {
		if err := a.ShowSum(v.result.SHA256, opts.papers.qr); err != nil {
			return err
		}
	}
	if !v.result.Good {
		return &report.DamagedError{Path: path, Findings: len(v.result.Findings)}
	}
	return nil
}

// verifying is one run of the verb.
type verifying struct {
	app     verbs
	path    string
	options verifyOptions
	result  report.Verification
}

// found tells a finding.
func (v *verifying) found(f verify.Finding) error {
	v.result.Find(f)
	return v.app.Teller(v.options.JSON)(f.String())
}

func (v *verifying) run(ctx context.Context, sum *imagefile.Checksum) (err error) {
	m, close, err := v.open(ctx, sum)
	if err != nil {
		return v.unreadable(err)
	}
	defer func() { err = errors.Join(err, close()) }()
	opts := verify.Options{Workers: v.options.jobs, Found: v.found}
	if opts.Manifest, err = v.options.papers.readManifest(); err != nil {
		return err
	}
	if len(v.options.against) > 0 {
		if opts.Against, err = v.elsewhere(ctx, m); err != nil {
			return err
		}
	}
	if v.options.rebuild {
		if err := v.rebuild(ctx, m); err != nil {
			return err
		}
	}
	task := progress.Begin(v.app.Console, "verifying", filepath.Base(v.path))
	opts.Progress = task.Bytes
	checked, err := verify.Verify(ctx, m, opts)
	if err != nil {
		task.Fail(err, nil)
		return err
	}
	task.End(nil)
	v.result.Take(checked)
	return nil
}

// unreadable makes a finding of an image that is one, and that cannot be opened for what is damaged.
func (v *verifying) unreadable(err error) error {
	if !face.Is[*verify.DamagedError](err) {
		return err
	}
	return v.found(verify.Finding{Structure: "volume", Offset: -1, Err: err})
}

// open opens the image, and checks its sum if there is one to check.
func (v *verifying) open(ctx context.Context, sum *imagefile.Checksum) (*medium.Medium, func() error, error) {
	if info, err := os.Stat(v.path); err == nil && info.Mode().Type() == fs.ModeDevice {
		return v.openDisk(ctx, sum)
	}
	if err := v.fileSum(ctx, sum); err != nil {
		return nil, nil, err
	}
	if err := v.signedFile(ctx); err != nil {
		return nil, nil, err
	}
	m, err := v.app.LookInto(ctx, v.path)
	if face.Is[*imagefile.PartError](err) { // the parts that are there may be in order
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, verify.Damaged(err)
	}
	return m.Medium, m.Close, nil
}

// openDisk opens a disk past the cache of the kernel, whoever uses it.
func (v *verifying) openDisk(ctx context.Context, sum *imagefile.Checksum) (*medium.Medium, func() error, error) {
	disk, err := device.Local().Find(v.path)
	if err != nil {
		return nil, nil, err
	}
	if err := v.app.CheckRights([]device.Disk{disk}, false); err != nil {
		return nil, nil, err
	}
	dev, err := device.OpenToRead(disk)
	if err != nil {
		return nil, nil, v.app.Rights(disk.Path, err)
	}
	m, err := medium.ReadAny(verify.Cached(dev, disk.Size), disk.Size)
	if err != nil {
		return nil, nil, errors.Join(verify.Damaged(fmt.Errorf("%s: %w", v.path, err)), dev.Close())
	}
	if err := v.signedDisk(ctx, m); err != nil {
		return nil, nil, errors.Join(err, dev.Close())
	}
	if err := v.diskSum(ctx, m, sum); err != nil {
		return nil, nil, errors.Join(err, dev.Close())
	}
	return m, dev.Close, nil
}
