package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/web"
)

type writeOptions struct {
	Options
	stamp      adapt.Flags
	sha256     string
	verifyOnly bool
	force      bool
	json       bool

	server wire.Options
	key    wire.Key
	seeds  []string // images in files, for what is on a server
}

// Write is the verb.
func Write(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts writeOptions
	cmd := &cobra.Command{
		Use:   "write IMAGE DEVICE... [flags]",
		Short: "Write an image to sticks and verify it",
		Long: `Write an image to one or several disks, and read it back.

IMAGE is the file of a disk image, also compressed by gzip, zstd or xz: an ISO
image, a disk with a partition table, or a bare file system. Anything else is
refused before anything is written, and so is an image that is not whole; --force
takes it as it is. If its SHA-256 is given, or its SHA-256 or SHA-512 in a file
beside it (IMAGE.sha256, SHA256SUMS, CHECKSUM and the like), that is checked, too.

IMAGE can be a URL, too, as for 'livebuild fetch'. What the disks have of it already,
or another image here, is not downloaded. The image is put together in the cache
folder and checked before anything is written, and stays there until it is written.

DEVICE is a whole disk, such as /dev/sdb or /dev/disk/by-id/usb-...;
'livebuild devices' lists them. A disk that is in use, read-only or too small is
refused, and so is one that does not look like a stick, unless --serial or a
link in /dev/disk/by-id names it. Instead of a DEVICE, --serial alone will do.

The beginning of the image is written last, after everything else was read back:
until then the disk looks empty. A disk that holds an earlier image of livebuild,
or an unfinished one, gets only what differs.

With --persist the live system keeps its files in a partition behind the image, if the
image was made with 'livebuild iso --persistent'. A disk that has one keeps it, with
--persist and without, whatever happens meanwhile; --persist=no loses it.

What is stamped, as by 'livebuild stamp', comes last, when all of the image was
read back, and can differ from disk to disk. An image for Secure Boot wants it signed
(--signing-key).`,
		Example: `  livebuild write exampleIso.iso /dev/sdb
  livebuild write exampleIso.iso.zst /dev/disk/by-id/usb-SanDisk_Ultra_4C53-0:0 --yes
  livebuild write https://example.org/exampleIso.iso /dev/sdb
  livebuild write exampleIso.iso /dev/sdb /dev/sdc --unmount
  livebuild write exampleIso.iso /dev/sdb --verify-only
  livebuild write exampleIso.iso /dev/sdb --persist
  livebuild write exampleIso.iso /dev/sdb /dev/sdc --hostname 'lab-{n}' --ssh-key ~/.ssh/id_ed25519.pub`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("which image? a file and a device are missing")
			case len(args) == 1 && len(opts.serials) == 0:
				return errors.New("which disk? a device is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.verifyOnly && (opts.noVerify || opts.full || opts.unmount) {
				return face.Usage(errors.New("--verify-only writes nothing, and takes neither --no-verify nor --full nor --unmount"))
			}
			if err := opts.Check(); err != nil {
				return err
			}
			if opts.verifyOnly && opts.persist.flag.Changed {
				return face.Usage(errors.New("--verify-only writes nothing, and takes no --persist; what a disk keeps is left as it is"))
			}
			if flag := opts.stamp.Given(); flag != "" && opts.verifyOnly {
				return face.Usage(fmt.Errorf("--verify-only writes nothing, and takes no --%s", flag))
			}
			if web.Is(args[0]) {
				return v.runWriteURL(cmd.Context(), args[0], args[1:], opts)
			}
			if flag := face.GivenUnder(wire.AboutServers, cmd.Flags()); flag != "" {
				return face.Usage(fmt.Errorf("--%s is about images on a server: %s is a file", flag, args[0]))
			}
			return v.runWrite(cmd.Context(), args[0], args[1:], opts)
		},
	}
	f := cmd.Flags()
	opts.AddFlags(f)
	f.StringVar(&opts.sha256, "sha256", "", "`SUM` that the image, or the compressed file, must have")
	f.BoolVar(&opts.verifyOnly, "verify-only", false, "write nothing, compare the disks with the image")
	f.BoolVar(&opts.force, "force", false, "write whatever the file holds: no disk image, half of one, or one whose checksum is not clear")
	f.BoolVar(&opts.json, "json", false, "print progress and results as lines of JSON")
	face.Under(wire.AboutServers, f, func() {
		opts.server.AddFlags(f)
		opts.key.AddFlag(f)
		f.StringArrayVar(&opts.seeds, "seed", nil, "take what has not changed from the image in `FILE`, too; several times from several")
	})
	face.Under(adapt.About, f, func() {
		opts.stamp.AddFlags(f, false)
		opts.stamp.AddKey(f)
	})
	return cmd
}

func (v verbs) runWrite(ctx context.Context, path string, devices []string, opts writeOptions) (err error) {
	values, err := opts.stamp.Read(v.In)
	if err != nil {
		return err
	}
	key, err := opts.stamp.Key()
	if err != nil {
		return err
	}
	file, err := imagefile.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	check, err := v.examine(file, opts)
	if err != nil {
		return err
	}
	size := int64(0) // not known yet
	if file.Format == imagefile.Plain {
		size = file.FileSize
	}
	disks, open, err := v.reach(device.Local(), devices, opts, filepath.Base(file.Path), size)
	if err != nil {
		return err
	}
	stamps, err := values.ForDisks(disks)
	if err == nil {
		err = adapt.CheckFile(file, stamps, key, v.Tool)
	}
	if err != nil {
		return err
	}
	facts, err := v.CheckImage(ctx, file, check)
	if err != nil {
		return err
	}
	if err := checkSizes(disks, facts.Size); err != nil {
		return err
	}
	if err := opts.checkKeeps(file.Path, file.Plain(), facts.Size); err != nil {
		return err
	}
	opened, err := open()
	if err != nil {
		return err
	}
	w := &Writing{verbs: v, devices: opened, options: opts.Options, stamps: stamps, key: key, json: opts.json, verifyOnly: opts.verifyOnly, sum: true}
	defer func() { err = errors.Join(err, w.Release()) }()
	return w.copyFile(ctx, file, facts.Size)
}

// copyFile writes the image in a file, of so many bytes, to the devices.
func (w *Writing) copyFile(ctx context.Context, file *imagefile.File, size int64) error {
	reader, err := file.Reader()
	if err != nil {
		return err
	}
	defer reader.Close()
	return w.copy(ctx, reader, file.Plain(), size, &changedImageError{file.Path})
}

// reach finds the disks that an image is to be written to, or compared with, has them confirmed, and
// says how they are opened. Its size is 0 if that is not known yet.
func (v verbs) reach(h device.Host, paths []string, opts writeOptions, name string, size int64) ([]device.Disk, func() ([]*device.Device, error), error) {
	if opts.verifyOnly {
		disks, err := h.FindAll(opts.choice(paths))
		if err == nil {
			err = v.checkReach(disks, size, false)
		}
		return disks, func() ([]*device.Device, error) { return v.openDisks(disks, device.OpenToRead) }, plainTwice(err)
	}
	disks, err := v.chooseDisks(h, paths, opts.Options, name, func(disks []device.Disk) error {
		return v.checkReach(disks, size, true)
	})
	return disks, func() ([]*device.Device, error) { return v.takeDisks(h, disks) }, err
}

// checkReach finds out early whether an image fits onto disks and they may be
// opened.
func (v verbs) checkReach(disks []device.Disk, size int64, write bool) error {
	if err := checkSizes(disks, size); err != nil {
		return err
	}
	return v.CheckRights(disks, write)
}

// examine finds out what can be known of an image without reading all of it, and
// says if no stick starts with it. It returns what remains to be checked.
func (v verbs) examine(file *imagefile.File, opts writeOptions) (imagefile.CheckOptions, error) {
	check := imagefile.CheckOptions{Any: opts.force}
	var err error
	if check.Sum, err = v.checksum(file, opts); err != nil || opts.force {
		return check, err
	}
	return check, v.checkStart(file, file.Path, opts)
}

// checkStart refuses what is no image, and warns of one, called name, that no stick starts with.
func (v verbs) checkStart(file *imagefile.File, name string, opts writeOptions) error {
	contents, err := file.Contents()
	if err == nil && !contents.Starts && !opts.verifyOnly {
		progress.Warn(v.Console, &unbootableError{name, contents})
	}
	return err
}

// unbootableError says that computers do not start from a stick with an image.
type unbootableError struct {
	path     string
	contents imagefile.Contents
}

func (e *unbootableError) Error() string {
	if e.contents.Disc {
		return e.path + " has no partition table that a computer starts from: it is for discs, and no stick starts with it"
	}
	return fmt.Sprintf("%s is %s: no computer starts from it", e.path, e.contents.What)
}

// checksum is the sum that the image must have, or nil.
func (v verbs) checksum(file *imagefile.File, opts writeOptions) (*imagefile.Checksum, error) {
	if opts.sha256 != "" {
		sum, err := imagefile.ParseSum(opts.sha256, "--sha256")
		if err != nil {
			return nil, face.Usage(err)
		}
		return sum, nil
	}
	sum, err := file.FindSum()
	if opts.force && face.Is[*imagefile.SumError](err) {
		v.Console.Warn(err.Error() + "; it is not checked")
		return nil, nil
	}
	return sum, err
}

func checkSizes(disks []device.Disk, need int64) error {
	for _, d := range disks {
		if err := d.CheckSize(need); err != nil {
			return err
		}
	}
	return nil
}

// changedImageError says that a file changed while it was written to disks.
type changedImageError struct{ path string }

func (e *changedImageError) Error() string { return e.path + " changed while it was read" }
