package disk

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

// Options are the flags of everything that writes to disks.
type Options struct {
	yes      bool
	serials  []string
	unmount  bool
	full     bool
	noVerify bool
	eject    bool
	qr       bool
	stall    time.Duration
	persist  persist
}

func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.yes, "yes", false, "do not ask; the disks must be named by --serial or by links in /dev/disk/by-id")
	f.StringArrayVar(&o.serials, "serial", nil, "`SERIAL` number that a disk must have; once for each disk")
	f.BoolVar(&o.unmount, "unmount", false, "unmount what is mounted of the disks")
	f.BoolVar(&o.full, "full", false, "write everything, even where an earlier image has the same")
	f.BoolVar(&o.noVerify, "no-verify", false, "do not read back what was written")
	f.BoolVar(&o.eject, "eject", false, "eject the disks when they are done")
	f.BoolVar(&o.qr, "qr", false, "draw the SHA-256 of what was written as a QR code, too")
	o.persist.addFlags(f)
	f.DurationVar(&o.stall, "stall-timeout", device.DefaultStall, "give up a disk that does not answer for this `TIME`")
}

// AboutDisks is the heading of the flags, with a verb that can do without.
const AboutDisks = "Onto disks, with --write"

// Check checks the flags. Its error is a *face.UsageError.
func (o *Options) Check() error {
	if o.stall <= 0 {
		return face.Usage(errors.New("--stall-timeout needs a time such as 90s or 2m"))
	}
	return o.persist.check()
}

// Named reports whether the flags name disks.
func (o *Options) Named() bool { return len(o.serials) > 0 }

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
func (o *Options) choice(paths []string) device.Choice {
	return device.Choice{Paths: paths, Serials: o.serials}
}

// chooseDisks finds the disks to write to and has them confirmed, after the
// check.
func (v verbs) chooseDisks(h device.Host, paths []string, opts Options, what string, check func([]device.Disk) error) ([]device.Disk, error) {
	disks, err := h.Choose(opts.choice(paths), device.Policy{Unmount: opts.unmount, Unasked: opts.yes})
	if err != nil {
		return nil, plainTwice(err)
	}
	if err := check(disks); err != nil {
		return nil, err
	}
	v.warnSectors(disks)
	if opts.yes {
		return disks, nil
	}
	return disks, v.confirm(what, disks, opts.persist)
}

// plainTwice makes an error of usage of one about names.
func plainTwice(err error) error {
	if face.Is[*device.TwiceError](err) {
		return face.Usage(err)
	}
	return err
}

// takeDisks unmounts the disks and opens them for this process alone.
func (v verbs) takeDisks(h device.Host, disks []device.Disk) ([]*device.Device, error) {
	if err := v.unmountDisks(h, disks); err != nil {
		return nil, err
	}
	return v.openDisks(disks, func(d device.Disk) (*device.Device, error) { return device.Open(h, d) })
}

// confirm shows the disks and has the user name each of them.
func (v verbs) confirm(what string, disks []device.Disk, persist persist) error {
	if v.In == nil || !term.IsTerminal(int(v.In.Fd())) {
		return &silentError{disks[0]}
	}
	answers := bufio.NewReader(v.In)
	for _, d := range disks {
		v.Console.Line(fmt.Sprintf("%s: %s", d.Path, report.Sketch(d)))
		if on := report.Contents(d); on != "" {
			v.Console.Line("  holds " + on)
		}
		for _, u := range d.Uses {
			v.Console.Line("  " + u.String() + ", and will be unmounted")
		}
		v.Console.Ask(fmt.Sprintf("%s Type %s to write %s to it: ", persist.loses(d), d.Name, what))
		answer, err := answers.ReadString('\n')
		answer = strings.TrimSpace(answer)
		if err != nil || answer != d.Name && answer != d.Path {
			return &declinedError{d.Path}
		}
	}
	return nil
}

// unmountDisks unmounts what is mounted of the disks, and looks at them again.
func (v verbs) unmountDisks(h device.Host, disks []device.Disk) error {
	for i, d := range disks {
		if len(d.Uses) == 0 {
			continue
		}
		var err error
		if disks[i], err = device.Unmount(h, d); err != nil {
			return v.Rights(d.Path, err)
		}
		for _, u := range d.Mounts() {
			v.Console.Line("unmounted " + u.By)
		}
	}
	return nil
}

// openDisks opens all disks, or none.
func (v verbs) openDisks(disks []device.Disk, open func(device.Disk) (*device.Device, error)) ([]*device.Device, error) {
	var opened []*device.Device
	for _, d := range disks {
		dev, err := open(d)
		if err != nil {
			return nil, errors.Join(v.Rights(d.Path, err), device.CloseAll(opened))
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
func (v verbs) warnSectors(disks []device.Disk) {
	const usual = 512
	for _, d := range disks {
		if d.SectorSize != usual {
			v.Console.Warn(fmt.Sprintf("%s has sectors of %d bytes: computers start ISO images from disks with sectors of 512 bytes only", d.Path, d.SectorSize))
		}
	}
}
