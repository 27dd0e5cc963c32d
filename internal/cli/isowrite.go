package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/report"
)

// writes reports whether the image goes to disks.
func (o *isoOptions) writes() bool { return len(o.write) > 0 || len(o.sticks.serials) > 0 }

// checkWrite checks the flags that say where the image goes.
func (o *isoOptions) checkWrite(f *pflag.FlagSet) error {
	if o.writes() {
		for _, name := range []string{"output", "force", "test"} {
			if f.Changed(name) {
				return face.Usage(fmt.Errorf("--%s does not go with --write: the image goes straight to disks", name))
			}
		}
		if o.sticks.stall <= 0 {
			return face.Usage(errors.New("--stall-timeout needs a time such as 90s or 2m"))
		}
		return nil
	}
	if flag := givenUnder(aboutDisks, f); flag != "" {
		return face.Usage(fmt.Errorf("--%s needs --write DEVICE", flag))
	}
	return nil
}

// runISOWrite builds a configuration and packs it straight onto disks. They are
// opened before the build, which may take long: nothing else gets at them
// meanwhile, and whoever has to confirm or give a password can leave then.
func (a *app) runISOWrite(ctx context.Context, of installable.Installable, opts isoOptions) (err error) {
	started := time.Now()
	reuse, err := parseReuse(opts.reuse)
	if err != nil {
		return err
	}
	b, err := a.newBuild(ctx, of, opts.planOptions, image.Options{Disk: true, Plain: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.FindStore(ctx); err != nil {
		return err
	}
	w := &writing{app: a, options: opts.sticks, sum: true}
	if err := w.open(device.Local(), of.String(), opts.write); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.release()) }()
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	if err := a.checkStarts(b.Plan()); err != nil {
		return err
	}
	packed, err := b.Pack(ctx, w, build.PackOptions{Reuse: reuse, Workers: opts.jobs})
	if err != nil {
		return err
	}
	result := report.NewImage(b.Plan(), packed, time.Since(started))
	result.Places = w.names()
	for i, r := range w.results {
		result.SHA256 = r.SHA256
		result.Devices = append(result.Devices, report.NewDisk(w.names()[i], r))
	}
	return a.Print(result, opts.json)
}

// noModeError says that no machine would start from an image.
type noModeError struct{ name string }

func (e *noModeError) Error() string {
	return "a stick with " + e.name + " would start no machine: isoImage.makeBiosBootable and isoImage.makeEfiBootable are false"
}

// checkStarts refuses an image that no machine starts from, and says if it gets
// a partition table that the configuration does not ask for, as nixpkgs' ISO module
// does not by itself.
func (a *app) checkStarts(p *image.Plan) error {
	sys := p.System()
	if len(p.Medium().Modes) == 0 {
		return &noModeError{sys.Name}
	}
	if sys.MakeBIOSBootable && !sys.MakeUSBBootable {
		a.Console.Line("isoImage.makeUsbBootable is false: the image gets a partition table all the same, without which no stick starts")
	}
	return nil
}

// open chooses the disks, has them confirmed, and opens them, by a process with
// the rights of root if this one lacks them.
func (w *writing) open(h device.Host, what string, paths []string) error {
	lacking := false
	disks, err := w.app.chooseDisks(h, paths, w.options, what, func(disks []device.Disk) error {
		lacking = w.app.CheckRights(disks, true) != nil
		if i := slices.IndexFunc(disks, func(d device.Disk) bool { return len(d.Uses) > 0 }); i >= 0 && lacking {
			return &device.InUseError{Disk: disks[i]} // only root could unmount it
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case lacking:
		w.devices, w.broker, err = w.app.passDisks(disks)
	default:
		w.devices, err = w.app.takeDisks(h, disks)
	}
	return err
}

// Take writes the image to the disks while it is made. If one may be too small for
// it, that is found out first: the image is made in a file without a name, and
// written if it fits.
func (w *writing) Take(ctx context.Context, packing *build.Packing) (image.Result, error) {
	if w.checkSizes(packing.MaxSize()) != nil {
		return w.packFirst(ctx, packing)
	}
	transfer, err := w.begin(ctx, 0, nil)
	if err != nil {
		return image.Result{}, err
	}
	packed, err := packing.Write(ctx, transfer)
	if err != nil {
		return packed, w.end(transfer.Abort(err), err)
	}
	return packed, w.end(transfer.Finish(packed.Size), nil)
}

// packFirst makes the image before it touches the disks.
func (w *writing) packFirst(ctx context.Context, packing *build.Packing) (packed image.Result, err error) {
	out, err := image.CreateScratch(face.CacheFolder())
	if err != nil {
		return packed, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if packed, err = packing.Write(ctx, out); err != nil {
		return packed, err
	}
	if err := w.checkSizes(packed.Size); err != nil {
		return packed, err
	}
	return packed, w.copy(ctx, io.NewSectionReader(out, 0, packed.Size), out, packed.Size, io.ErrUnexpectedEOF)
}
