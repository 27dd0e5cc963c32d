package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
)

// writes reports whether the image goes to disks.
func (o *isoOptions) writes() bool { return len(o.write) > 0 || len(o.sticks.serials) > 0 }

// checkWrite checks the flags that say where the image goes.
func (o *isoOptions) checkWrite(f *pflag.FlagSet) error {
	if o.writes() {
		for _, name := range []string{"output", "force", "test"} {
			if f.Changed(name) {
				return &usageError{fmt.Errorf("--%s does not go with --write: the image goes straight to disks", name)}
			}
		}
		if o.sticks.stall <= 0 {
			return &usageError{errors.New("--stall-timeout needs a time such as 90s or 2m")}
		}
		return nil
	}
	var sticks pflag.FlagSet
	o.sticks.addFlags(&sticks)
	var err error
	sticks.VisitAll(func(flag *pflag.Flag) {
		if f.Changed(flag.Name) {
			err = &usageError{fmt.Errorf("--%s needs --write DEVICE", flag.Name)}
		}
	})
	return err
}

// runISOWrite builds a configuration and packs it straight onto disks. They are
// opened before the build, which may take long: nothing else gets at them
// meanwhile, and whoever has to confirm or give a password can leave then.
func (a *app) runISOWrite(ctx context.Context, args []string, opts isoOptions) (err error) {
	started := time.Now()
	if err := checkReuse(opts.reuse); err != nil {
		return err
	}
	s, err := a.open(ctx, args, opts.planOptions)
	if err != nil {
		return err
	}
	if err := s.findStore(ctx); err != nil {
		return err
	}
	w := &writing{app: a, options: opts.sticks, sum: true}
	if err := w.open(device.Local(), s.installable.String(), opts.write); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.release()) }()
	s.options.Disk = true
	if err := s.evaluateToPack(ctx); err != nil {
		return err
	}
	if err := s.checkStarts(); err != nil {
		return err
	}
	s.plan.Zstd = false // a stick holds the image itself
	defer func() { err = errors.Join(err, s.close()) }()
	src, err := s.build(ctx)
	if err != nil {
		return err
	}
	packing, reuse, err := s.prepare(ctx, src, opts.reuse, "", opts.jobs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reuse.earlier.Close()) }()
	began := time.Now()
	packed, err := w.pack(ctx, packing, opts.jobs, func(task *progress.Task, packed image.Result) {
		task.End(fmt.Sprintf("packed %s into %s, %s", count(len(src.Closure.Paths), "store path"), size(packed.Size), s.plan.Compression))
		reuse.report(a.console, packed.Squashfs)
	})
	took := time.Since(began)
	if err != nil {
		return err
	}
	if !opts.json {
		for _, name := range w.names() {
			if _, err := fmt.Fprintln(a.out, name); err != nil {
				return err
			}
		}
		return nil
	}
	result := s.result(packed, src, took, time.Since(started))
	for i, r := range w.results {
		result.SHA256 = r.SHA256
		result.Devices = append(result.Devices, describeResult(w.names()[i], r))
	}
	return a.printJSON(result)
}

// noModeError says that no machine would start from an image.
type noModeError struct{ name string }

func (e *noModeError) Error() string {
	return "a stick with " + e.name + " would start no machine: isoImage.makeBiosBootable and isoImage.makeEfiBootable are false"
}

// checkStarts refuses an image that no machine starts from, and says if it gets
// a partition table that the configuration does not ask for, as nixpkgs' ISO module
// does not by itself.
func (s *session) checkStarts() error {
	sys := s.plan.System
	if len(s.plan.Modes) == 0 {
		return &noModeError{sys.Name}
	}
	if sys.MakeBIOSBootable && !sys.MakeUSBBootable {
		s.app.console.line("isoImage.makeUsbBootable is false: the image gets a partition table all the same, without which no stick starts")
	}
	return nil
}

// open chooses the disks, has them confirmed, and opens them, by a process with
// the rights of root if this one lacks them.
func (w *writing) open(h device.Host, what string, paths []string) error {
	disks, err := chooseDisks(h, paths, w.options)
	if err != nil {
		return err
	}
	w.app.warnSectors(disks)
	if !w.options.yes {
		if err := w.app.confirm(what, disks); err != nil {
			return err
		}
	}
	if w.app.checkRights(disks, unix.R_OK|unix.W_OK) != nil {
		if i := slices.IndexFunc(disks, func(d device.Disk) bool { return len(d.Uses) > 0 }); i >= 0 {
			return &device.InUseError{Disk: disks[i]} // only root could unmount it
		}
		w.devices, w.passed, err = w.app.passDisks(disks)
		return err
	}
	if err := w.app.unmountDisks(h, disks); err != nil {
		return err
	}
	w.devices, err = w.app.openDisks(disks, func(d device.Disk) (*device.Device, error) { return device.Open(h, d) })
	return err
}

// pack writes the image to the disks while it is made, and calls done when it
// is. If one may be too small for it, that is found out first: the image is made
// in a file without a name, and written if it fits.
func (w *writing) pack(ctx context.Context, packing *image.Packing, workers int, done func(*progress.Task, image.Result)) (image.Result, error) {
	task := progress.Begin(w.app.console, "packing", "")
	opts := image.PackOptions{Workers: workers, Progress: task.Bytes}
	if w.checkSizes(packing.MaxSize()) != nil {
		return w.packFirst(ctx, packing, opts, task, done)
	}
	transfer, err := w.begin(ctx, 0, nil)
	if err != nil {
		task.Fail(err, nil)
		return image.Result{}, err
	}
	packed, err := packing.Write(ctx, transfer, opts)
	if err != nil {
		task.Fail(err, nil)
		return packed, w.end(transfer.Abort(err), err)
	}
	done(task, packed)
	return packed, w.end(transfer.Finish(packed.Size), nil)
}

// packFirst makes the image before it touches the disks.
func (w *writing) packFirst(ctx context.Context, packing *image.Packing, opts image.PackOptions,
	task *progress.Task, done func(*progress.Task, image.Result)) (packed image.Result, err error) {
	out, err := newScratch("packed.iso")
	if err != nil {
		return packed, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if packed, err = packing.Write(ctx, out, opts); err != nil {
		task.Fail(err, nil)
		return packed, err
	}
	done(task, packed)
	if err := w.checkSizes(packed.Size); err != nil {
		return packed, err
	}
	return packed, w.copy(ctx, io.NewSectionReader(out, 0, packed.Size), out, packed.Size, io.ErrUnexpectedEOF)
}
