package disk

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/stamp"
)

// NewWriting is a transfer of an image that is made on the way; see Take.
func NewWriting(app *face.App, opts Options) *Writing {
	return &Writing{verbs: verbs{app}, options: opts, sum: true}
}

// SignBy has what is stamped signed, as an image for Secure Boot wants it.
func (w *Writing) SignBy(key *adapt.Key) { w.key = key }

// Stamp has each device stamped when the image is on it. It comes after Open.
func (w *Writing) Stamp(values *adapt.Values) (err error) {
	disks := make([]device.Disk, len(w.devices))
	for i, dev := range w.devices {
		disks[i] = dev.Disk
	}
	w.stamps, err = values.ForDisks(disks)
	return err
}

// CheckInstall finds out whether the image, called name in errors, which installs these systems, installs what is
// stamped onto the devices. The error is an *adapt.InstallError.
func (w *Writing) CheckInstall(name string, targets []nixos.Target) error {
	for _, items := range w.stamps {
		if err := adapt.CheckInstall(name, targets, items.Install); err != nil {
			return err
		}
	}
	return nil
}

// Stamped are what was stamped onto the devices, nil where nothing was.
func (w *Writing) Stamped() []*stamp.Stamp { return w.stamped }

// Results are what became of the devices, in the order of Names, when the transfer has ended.
func (w *Writing) Results() []device.Result { return w.results }

// Open chooses the disks, has them confirmed, and opens them, by a process with
// the rights of root if this one lacks them.
func (w *Writing) Open(h device.Host, what string, paths []string) error {
	lacking := false
	disks, err := w.chooseDisks(h, paths, w.options, what, func(disks []device.Disk) error {
		lacking = w.CheckRights(disks, true) != nil
		if i := slices.IndexFunc(disks, func(d device.Disk) bool { return len(d.Uses) > 0 }); i >= 0 && lacking {
			return &device.InUseError{Disk: disks[i]} // only root could unmount it
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case lacking:
		w.devices, w.broker, err = w.passDisks(disks)
	default:
		w.devices, err = w.takeDisks(h, disks)
	}
	return err
}

// Take writes the image to the disks while it is made. If one may be too small for
// it, that is found out first: the image is made in a file without a name, and
// written if it fits. So is one that has to be read back while it is made: disks are
// slow at that; and one that something is to be placed behind.
func (w *Writing) Take(ctx context.Context, packing *build.Packing) (image.Result, error) {
	if err := w.look(); err != nil {
		return image.Result{}, err
	}
	if packing.ReadsBack() || w.places() || w.checkRoom(packing.MaxSize()) != nil {
		return w.packFirst(ctx, packing)
	}
	w.streamed = true
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
func (w *Writing) packFirst(ctx context.Context, packing *build.Packing) (packed image.Result, err error) {
	out, err := image.CreateScratch(face.CacheFolder())
	if err != nil {
		return packed, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if packed, err = packing.Write(ctx, out); err != nil {
		return packed, err
	}
	if err := w.checkRoom(packed.Size); err != nil {
		return packed, err
	}
	return packed, w.copy(ctx, io.NewSectionReader(out, 0, packed.Size), out, packed.Size, io.ErrUnexpectedEOF)
}
