// Package adapt is the verb that changes a finished image without building it again, and what
// it shares with those that write images to disks.
package adapt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.OnValue(func(e *InstallError) string {
		if e.Made {
			return "'livebuild-install --list' in the live system tells of them, /livebuild/install.json on the medium has all that is known"
		}
		return "make the image with 'livebuild iso --install INSTALLABLE'"
	}),
	advice.On[*UnstampableError]("make it anew, with the flags of 'livebuild netboot' or 'livebuild kexec' that stamp it: they are the same"),
	advice.On[*CompressedError]("expand it first, with zstd -d, xz -d or gunzip; 'livebuild write' stamps the disk that it writes it to"),
}

type options struct {
	Flags
	output string
	force  bool
	show   bool
	reset  bool
	json   bool
}

// verbs are those of one run.
type verbs struct{ *face.App }

// Stamp is the verb.
func Stamp(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts options
	cmd := &cobra.Command{
		Use:   "stamp IMAGE|DEVICE|FOLDER|ARCHIVE [flags]",
		Short: "Put keys, a host name, addresses, files onto a finished image",
		Long: `Put keys, a host name, addresses, files, a script onto an image that is finished, or
onto a stick that holds one, without Nix and without building it again. The live
system applies them when it starts, before its networks and servers.

What is stamped lies in an area of the image that livebuild reserves (/boot/livebuild/stamp.img,
'livebuild iso --stamp-area'), and replaces what was stamped before. Nothing else of
the image changes, and --reset gives it back the bytes that it was built with.
--show says what is stamped, without what is secret in it.

A FOLDER of 'livebuild netboot' gets a further initrd, and an ARCHIVE of 'livebuild kexec' a
further file, as they have it that were made with the flags.

Whoever has the image or the stick can read all of it: a file that is stamped with
secrets is made readable by its owner alone.`,
		Example: `  livebuild stamp exampleIso.iso --ssh-key ~/.ssh/id_ed25519.pub --hostname kiosk
  livebuild stamp exampleIso.iso --static-ip 'en*=192.0.2.10/24,gw=192.0.2.1' -o kiosk.iso
  livebuild stamp exampleIso.iso --values kiosk.toml
  livebuild stamp medium.iso --auto-install example --auto-install-disk /dev/disk/by-id/nvme-SAMSUNG_1234
  livebuild stamp /dev/sdb --hostname kiosk --signing-key sign.asc
  livebuild stamp /dev/sdb --show
  livebuild stamp exampleIso.iso --reset
  livebuild stamp netboot/ --hostname kiosk`,
		Args: func(_ *cobra.Command, args []string) error {
			return face.CheckOne(args, "which image? a file or a device is missing", "one image is wanted, not %d")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.run(cmd.Context(), args[0], opts)
		},
	}
	f := cmd.Flags()
	opts.AddFlags(f, false)
	f.StringVarP(&opts.output, "output", "o", "", "leave the image as it is, and write `FILE`, or a folder as it is one")
	opts.AddKey(f)
	f.BoolVar(&opts.force, "force", false, "replace an existing file that livebuild did not make")
	f.BoolVar(&opts.show, "show", false, "say what is stamped, and change nothing")
	f.BoolVar(&opts.reset, "reset", false, "take away what was stamped")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

// check finds out what is asked for: values to stamp, or none.
func (o *options) check(in io.Reader) (*Values, error) {
	given := o.Given()
	switch {
	case o.show && o.reset:
		return nil, face.Usage(errors.New("--show and --reset exclude each other"))
	case (o.show || o.reset) && given != "":
		return nil, face.Usage(fmt.Errorf("--%s says what to stamp, --show and --reset stamp nothing", given))
	case o.show && o.output != "":
		return nil, face.Usage(errors.New("--show writes nothing, and takes no --output"))
	case o.show, o.reset:
		return nil, nil
	case given == "":
		return nil, face.Usage(errors.New("what is to be stamped? --hostname, --ssh-key and others say it, --show shows what is stamped"))
	}
	return o.Read(in)
}

func (v verbs) run(ctx context.Context, path string, opts options) error {
	values, err := opts.check(v.In)
	if err != nil {
		return err
	}
	var items stamp.Items
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	isDisk := info.Mode().Type() == fs.ModeDevice
	if isDisk && opts.output != "" {
		return face.Usage(errors.New("--output is for the files of images, not for disks"))
	}
	target := Target{}
	var disk device.Disk
	if isDisk {
		if disk, err = device.Local().Find(path); err != nil {
			return err
		}
		target = Target{Number: 1, Serial: disk.Serial}
	}
	if values != nil {
		if items, err = values.For(target); err != nil {
			return err
		}
	}
	if isDisk {
		return v.stampDisk(disk, items, opts)
	}
	return v.stampFile(ctx, path, items, opts)
}

// CompressedError says that an image cannot be stamped as it is.
type CompressedError struct {
	Path   string
	Format imagefile.Format
}

func (e *CompressedError) Error() string {
	return fmt.Sprintf("%s is compressed by %s: what is stamped has no place in it", e.Path, e.Format)
}

func (v verbs) stampFile(ctx context.Context, path string, items stamp.Items, opts options) (err error) {
	bundled := netboot.Holds(path)
	if !bundled {
		if bundled, err = kexec.Ours(path); err != nil {
			bundled = false // whoever opens the image says it better
		}
	}
	if bundled {
		m, err := v.LookInto(ctx, path)
		if err != nil {
			return err
		}
		return errors.Join(v.stampBundle(ctx, m, path, items, opts), m.Close())
	}
	file, err := imagefile.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if file.Plain() == nil {
		return &CompressedError{path, file.Format}
	}
	m, err := medium.ReadAny(file.Plain(), file.FileSize)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if opts.show {
		return v.show(m, path, opts)
	}
	wanted, err := v.wanted(m, path, items, opts)
	if err != nil {
		return err
	}
	place := path
	if opts.output != "" {
		place = opts.output
		err = copyWith(file.Plain(), file.FileSize, wanted, items.Secret(), opts)
	} else {
		err = replaceIn(path, wanted, items.Secret())
	}
	if err != nil {
		return err
	}
	return v.done(place, wanted, opts)
}

// copyWith writes a copy of an image with something else in some places.
func copyWith(r io.ReaderAt, size int64, wanted []stamp.Patch, secret bool, opts options) (err error) {
	out, err := image.CreateOutput(opts.output, opts.force)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if secret {
		if err := out.Private(); err != nil {
			return err
		}
	}
	if _, err := io.CopyBuffer(io.NewOffsetWriter(out, 0), io.NewSectionReader(r, 0, size), make([]byte, 4<<20)); err != nil {
		return err
	}
	for _, p := range wanted {
		if _, err := out.WriteAt(p.Data, p.Offset); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return out.Commit()
}

// block is what is written last, in bytes.
const block = 4096

// replaceIn puts what is stamped into a file. The first block of the area has zeros meanwhile, with which
// nothing is stamped.
func replaceIn(path string, wanted []stamp.Patch, secret bool) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if secret {
		if err := f.Chmod(0o600); err != nil {
			return err
		}
	}
	if err := image.RemoveSums(path); err != nil { // of what it was
		return err
	}
	area := wanted[0]
	first := min(block, len(area.Data))
	steps := []stamp.Patch{
		{Offset: area.Offset, Data: make([]byte, first)},
		{Offset: area.Offset + int64(first), Data: area.Data[first:]},
	}
	steps = append(steps, wanted[1:]...)
	for _, step := range append(steps, stamp.Patch{Offset: area.Offset, Data: area.Data[:first]}) {
		if _, err := f.WriteAt(step.Data, step.Offset); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (v verbs) stampDisk(disk device.Disk, items stamp.Items, opts options) (err error) {
	if err := v.CheckRights([]device.Disk{disk}, !opts.show); err != nil {
		return err
	}
	var dev *device.Device
	if opts.show {
		dev, err = device.OpenToRead(disk)
	} else if err = disk.Check(); err == nil {
		dev, err = device.Open(device.Local(), disk)
	}
	if err != nil {
		return v.Rights(disk.Path, err)
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	m, err := medium.ReadAny(dev, disk.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", disk.Path, err)
	}
	if opts.show {
		return v.show(m, disk.Path, opts)
	}
	wanted, err := v.wanted(m, disk.Path, items, opts)
	if err != nil {
		return err
	}
	if err := replace(dev, wanted); err != nil {
		return err
	}
	return v.done(disk.Path, wanted, opts)
}

// show prints what is stamped.
func (v verbs) show(m *medium.Medium, name string, opts options) error {
	area, err := stamp.Find(m, name)
	if err != nil {
		return err
	}
	s, err := area.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return v.Print(report.NewStamp(name, s), opts.json)
}

// done says what is stamped now.
func (v verbs) done(name string, wanted []stamp.Patch, opts options) error {
	s, err := stamp.Decode(wanted[0].Data)
	if err != nil {
		return err
	}
	return v.Print(report.NewStamp(name, s), opts.json)
}
