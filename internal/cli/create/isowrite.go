package create

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/disk"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

// writes reports whether the image goes to disks.
func (o *isoOptions) writes() bool { return len(o.write) > 0 || o.sticks.Named() }

// checkWrite checks the flags that say where the image goes.
func (o *isoOptions) checkWrite(f *pflag.FlagSet) error {
	if o.writes() {
		for _, name := range []string{"output", "max-size", "split", "force", "test", "check"} {
			if f.Changed(name) {
				return face.Usage(fmt.Errorf("--%s does not go with --write: the image goes straight to disks", name))
			}
		}
		if flag := face.GivenUnder(AboutPapers, f); flag != "" {
			return face.Usage(fmt.Errorf("--%s does not go with --write: there is no file that it could be beside", flag))
		}
		return o.sticks.Check()
	}
	if flag := o.stamp.Given(); flag != "" {
		return face.Usage(fmt.Errorf("--%s is stamped onto the disks of --write, which is missing; 'livebuild stamp' puts it onto the file", flag))
	}
	if flag := face.GivenUnder(disk.AboutDisks, f); flag != "" {
		return face.Usage(fmt.Errorf("--%s needs --write DEVICE", flag))
	}
	return nil
}

// runISOWrite builds a configuration and packs it straight onto disks. They are
// opened before the build, which may take long: nothing else gets at them
// meanwhile, and whoever has to confirm or give a password can leave then.
func (v verbs) runISOWrite(ctx context.Context, of []installable.Installable, opts isoOptions) (err error) {
	started := time.Now()
	reuse, err := v.openReuse(ctx, opts.reuse, opts.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reuse.Close()) }()
	if err := opts.summary.Check(); err != nil {
		return err
	}
	values, err := opts.stamp.Read(v.In)
	if err != nil {
		return err
	}
	b, err := opts.Build(ctx, v.App, of, image.Options{Disk: true, Plain: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.FindStore(ctx); err != nil {
		return err
	}
	w := disk.NewWriting(v.App, opts.sticks)
	if err := w.Open(device.Local(), named(of), opts.write); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Release()) }()
	if err := w.Stamp(values); err != nil {
		return err
	}
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	if err := v.checkStarts(b.Plan()); err != nil {
		return err
	}
	if values != nil && b.Plan().System().StampArea == 0 {
		return &stamp.NoAreaError{Name: "the image of " + named(of), MadeHere: true}
	}
	if values.HasKernelParams() && !b.Plan().System().StampParams {
		return &stamp.NoParamsError{Name: "the image of " + named(of)}
	}
	var targets []nixos.Target
	for _, sys := range b.Plan().Systems() {
		targets = append(targets, sys.Install...)
	}
	if err := w.CheckInstall("the image of "+named(of), targets); err != nil {
		return err
	}
	w.SignBy(sealing(b.Plan()))
	if err := opts.sticks.CheckKeeps("the image of "+named(of), b.Plan().System().Persistent); err != nil {
		return err
	}
	packed, err := b.Pack(ctx, w, build.PackOptions{Reuse: reuse.Reuse, Workers: opts.jobs})
	if err != nil {
		return err
	}
	result := report.NewImage(b.Plan(), packed, time.Since(started))
	result.Places = w.Names()
	for i, r := range w.Results() {
		result.SHA256 = r.SHA256
		result.Devices = append(result.Devices, report.NewDisk(w.Names()[i], r, w.Stamped()[i]))
	}
	if result.Since, err = v.sinceOnDisk(ctx, opts, reuse, packed.From, w.Names()[0]); err != nil {
		return err
	}
	return errors.Join(v.Print(result, opts.JSON), opts.summary.Write(result))
}

// sealing is the key that signs what the boot loader of an image verifies, though nobody keeps it; nil
// if that verifies nothing.
func sealing(p *image.Plan) *adapt.Key {
	seal := p.Medium().Seal
	if seal == nil {
		return nil
	}
	return &adapt.Key{Name: "the key of the image", SigningKey: seal.Signing()}
}

// named is how people named what an image is made of.
func named(of []installable.Installable) string {
	names := make([]string, len(of))
	for i, one := range of {
		names[i] = one.String()
	}
	return strings.Join(names, " ")
}

// noModeError says that no machine would start from an image.
type noModeError struct{ name string }

func (e *noModeError) Error() string {
	return "a stick with " + e.name + " would start no machine: isoImage.makeBiosBootable and isoImage.makeEfiBootable are false"
}

// checkStarts refuses an image that no machine starts from, and says if it gets
// a partition table that the configuration does not ask for, as nixpkgs' ISO module
// does not by itself.
func (v verbs) checkStarts(p *image.Plan) error {
	if len(p.Medium().Modes) == 0 {
		return &noModeError{p.System().Name}
	}
	bios, usb := false, false
	for _, sys := range p.Systems() {
		bios, usb = bios || sys.MakeBIOSBootable, usb || sys.MakeUSBBootable
	}
	if bios && !usb {
		v.Console.Line("isoImage.makeUsbBootable is false: the image gets a partition table all the same, without which no stick starts")
	}
	return nil
}
