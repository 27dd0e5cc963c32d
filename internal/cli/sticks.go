package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

// stickOptions are the flags of everything that writes to disks.
type stickOptions struct {
	yes      bool
	serials  []string
	unmount  bool
	full     bool
	noVerify bool
	eject    bool
	stall    time.Duration
}

func (o *stickOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.yes, "yes", false, "do not ask; the disks must be named by --serial or by links in /dev/disk/by-id")
	f.StringArrayVar(&o.serials, "serial", nil, "`SERIAL` number that a disk must have; once for each disk")
	f.BoolVar(&o.unmount, "unmount", false, "unmount what is mounted of the disks")
	f.BoolVar(&o.full, "full", false, "write everything, even where an earlier image has the same")
	f.BoolVar(&o.noVerify, "no-verify", false, "do not read back what was written")
	f.BoolVar(&o.eject, "eject", false, "eject the disks when they are done")
	f.DurationVar(&o.stall, "stall-timeout", device.DefaultStall, "give up a disk that does not answer for this `TIME`")
}

// declinedError says that the user did not say yes.
type declinedError struct{ path string }

func (e *declinedError) Error() string {
	return "nothing was written: " + e.path + " was not confirmed"
}

// silentError says that there is nobody to ask.
type silentError struct{ disk device.Disk }

func (e *silentError) Error() string {
	return "writing to " + e.disk.Path + " has to be confirmed, and standard input is no terminal"
}

// choice is what the flags and the arguments say of the disks that are meant.
func (o *stickOptions) choice(paths []string) device.Choice {
	return device.Choice{Paths: paths, Serials: o.serials}
}

// chooseDisks finds the disks to write to and has them confirmed, after the
// check.
func (a *app) chooseDisks(h device.Host, paths []string, opts stickOptions, what string, check func([]device.Disk) error) ([]device.Disk, error) {
	disks, err := h.Choose(opts.choice(paths), device.Policy{Unmount: opts.unmount, Unasked: opts.yes})
	if err != nil {
		return nil, plainTwice(err)
	}
	if err := check(disks); err != nil {
		return nil, err
	}
	a.warnSectors(disks)
	if opts.yes {
		return disks, nil
	}
	return disks, a.confirm(what, disks)
}

// plainTwice makes an error of usage of one about names.
func plainTwice(err error) error {
	if face.Is[*device.TwiceError](err) {
		return face.Usage(err)
	}
	return err
}

// takeDisks unmounts the disks and opens them for this process alone.
func (a *app) takeDisks(h device.Host, disks []device.Disk) ([]*device.Device, error) {
	if err := a.unmountDisks(h, disks); err != nil {
		return nil, err
	}
	return a.openDisks(disks, func(d device.Disk) (*device.Device, error) { return device.Open(h, d) })
}

// confirm shows the disks and has the user name each of them.
func (a *app) confirm(what string, disks []device.Disk) error {
	if a.In == nil || !term.IsTerminal(int(a.In.Fd())) {
		return &silentError{disks[0]}
	}
	answers := bufio.NewReader(a.In)
	for _, d := range disks {
		a.Console.Line(fmt.Sprintf("%s: %s", d.Path, report.Sketch(d)))
		if on := report.Contents(d); on != "" {
			a.Console.Line("  holds " + on)
		}
		for _, u := range d.Uses {
			a.Console.Line("  " + u.String() + ", and will be unmounted")
		}
		a.Console.Ask(fmt.Sprintf("All of it will be lost. Type %s to write %s to it: ", d.Name, what))
		answer, err := answers.ReadString('\n')
		answer = strings.TrimSpace(answer)
		if err != nil || answer != d.Name && answer != d.Path {
			return &declinedError{d.Path}
		}
	}
	return nil
}

// unmountDisks unmounts what is mounted of the disks, and looks at them again.
func (a *app) unmountDisks(h device.Host, disks []device.Disk) error {
	for i, d := range disks {
		if len(d.Uses) == 0 {
			continue
		}
		var err error
		if disks[i], err = device.Unmount(h, d); err != nil {
			return a.Rights(d.Path, err)
		}
		for _, u := range d.Mounts() {
			a.Console.Line("unmounted " + u.By)
		}
	}
	return nil
}

// openDisks opens all disks, or none.
func (a *app) openDisks(disks []device.Disk, open func(device.Disk) (*device.Device, error)) ([]*device.Device, error) {
	var opened []*device.Device
	for _, d := range disks {
		dev, err := open(d)
		if err != nil {
			return nil, errors.Join(a.Rights(d.Path, err), device.CloseAll(opened))
		}
		opened = append(opened, dev)
	}
	return opened, nil
}

// modesOf decides for each device whether what it holds is worth comparing.
func modesOf(devices []*device.Device, full bool) []device.Mode {
	modes := make([]device.Mode, len(devices))
	for i, dev := range devices {
		if !full && (device.Unfinished(dev) || medium.MadeHere(dev)) {
			modes[i] = device.Update
		}
	}
	return modes
}

// warnSectors warns about disks that an ISO image does not start from.
func (a *app) warnSectors(disks []device.Disk) {
	const usual = 512
	for _, d := range disks {
		if d.SectorSize != usual {
			a.Console.Warn(fmt.Sprintf("%s has sectors of %d bytes: computers start ISO images from disks with sectors of 512 bytes only", d.Path, d.SectorSize))
		}
	}
}
