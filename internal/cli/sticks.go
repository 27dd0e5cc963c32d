package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
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

// unnamedError says that a disk needs a name that stays, and has none.
type unnamedError struct {
	disk   device.Disk
	reason string
}

func (e *unnamedError) Error() string { return fmt.Sprintf("%s %s", e.disk.Path, e.reason) }

// serialError says that --serial and the disks do not fit.
type serialError struct{ text string }

func (e *serialError) Error() string { return e.text }

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

// rightsError says that the user may not open a disk.
type rightsError struct {
	path    string
	command string // that would
}

func (e *rightsError) Error() string { return "opening " + e.path + " needs the rights of root" }

// chooseDisks finds the disks that arguments and serial numbers mean, and
// refuses those that are not certainly right.
func chooseDisks(h device.Host, paths []string, opts stickOptions) ([]device.Disk, error) {
	disks, err := findDisks(h, paths, opts.serials)
	if err != nil {
		return nil, err
	}
	for i, d := range disks {
		err := d.Check()
		var used *device.InUseError
		if opts.unmount && errors.As(err, &used) && !d.System() && len(d.Mounts()) == len(d.Uses) {
			err = nil // for unmountDisks
		}
		if err != nil {
			return nil, err
		}
		stable := slices.Contains(opts.serials, d.Serial) && d.Serial != "" || i < len(paths) && device.StableName(paths[i])
		switch {
		case stable:
		case opts.yes:
			return nil, &unnamedError{d, "can be another disk the next time; --yes needs a name that stays"}
		case !d.Stick():
			return nil, &unnamedError{d, fmt.Sprintf("is no stick (%s)", sketch(d))}
		}
	}
	return disks, nil
}

// findDisks finds disks by their paths, or without any by their serial numbers.
func findDisks(h device.Host, paths, serials []string) ([]device.Disk, error) {
	var disks []device.Disk
	for _, p := range paths {
		d, err := h.Find(p)
		if err != nil {
			return nil, err
		}
		for i, other := range disks {
			if other.Number == d.Number {
				return nil, &usageError{fmt.Errorf("%s and %s are one disk", paths[i], p)}
			}
		}
		if len(serials) > 0 && !slices.Contains(serials, d.Serial) {
			return nil, &serialError{fmt.Sprintf("%s has the serial number %q, not %s", p, d.Serial, strings.Join(serials, " or "))}
		}
		disks = append(disks, d)
	}
	all := disks
	if len(paths) == 0 {
		var err error
		if all, err = h.Disks(); err != nil {
			return nil, err
		}
	}
	for _, serial := range serials {
		var having []device.Disk
		for _, d := range all {
			if d.Serial == serial {
				having = append(having, d)
			}
		}
		switch {
		case len(having) == 0:
			return nil, &serialError{fmt.Sprintf("no disk has the serial number %q", serial)}
		case len(having) > 1:
			return nil, &serialError{fmt.Sprintf("%s and %s have the serial number %q", having[0].Path, having[1].Path, serial)}
		case len(paths) == 0:
			disks = append(disks, having[0])
		}
	}
	return disks, nil
}

// sketch is a disk in a few words.
func sketch(d device.Disk) string {
	words := []string{size(d.Size)}
	for _, w := range []string{string(d.Bus), model(d)} {
		if w != "" {
			words = append(words, w)
		}
	}
	if d.Serial != "" {
		words = append(words, "serial "+d.Serial)
	}
	return strings.Join(words, ", ")
}

// confirm shows the disks and has the user name each of them.
func (a *app) confirm(what string, disks []device.Disk) error {
	if a.in == nil || !term.IsTerminal(int(a.in.Fd())) {
		return &silentError{disks[0]}
	}
	answers := bufio.NewReader(a.in)
	for _, d := range disks {
		a.console.line(fmt.Sprintf("%s: %s", d.Path, sketch(d)))
		if on := contents(d); on != "" {
			a.console.line("  holds " + on)
		}
		for _, u := range d.Uses {
			a.console.line("  " + u.String() + ", and will be unmounted")
		}
		a.console.ask(fmt.Sprintf("All of it will be lost. Type %s to write %s to it: ", d.Name, what))
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
			return a.rights(d.Path, err)
		}
		for _, u := range d.Mounts() {
			a.console.line("unmounted " + u.By)
		}
	}
	return nil
}

// rights puts the command that would have them into an error about missing
// ones.
func (a *app) rights(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	program, errExe := os.Executable()
	if errExe != nil {
		program = "livebuild"
	}
	words := []string{"sudo", quote(program)} // sudo has a PATH of its own
	for _, arg := range a.args {
		words = append(words, quote(arg))
	}
	return &rightsError{path, strings.Join(words, " ")}
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/.-_=:+,@%#", r) && r != '#'
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// checkRights finds out early whether the disks can be opened.
func (a *app) checkRights(disks []device.Disk, mode uint32) error {
	for _, d := range disks {
		if err := unix.Access(d.Path, mode); err != nil {
			return a.rights(d.Path, &fs.PathError{Op: "opening", Path: d.Path, Err: err})
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
			return nil, errors.Join(a.rights(d.Path, err), closeDevices(opened))
		}
		opened = append(opened, dev)
	}
	return opened, nil
}

func closeDevices(devices []*device.Device) error {
	var err error
	for _, dev := range devices {
		err = errors.Join(err, dev.Close())
	}
	return err
}

// modesOf decides for each device whether what it holds is worth comparing.
func modesOf(devices []*device.Device, full bool) []device.Mode {
	modes := make([]device.Mode, len(devices))
	for i, dev := range devices {
		if !full && (device.Unfinished(dev) || image.MadeHere(dev)) {
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
			a.console.warn(fmt.Sprintf("%s has sectors of %d bytes: computers start ISO images from disks with sectors of 512 bytes only", d.Path, d.SectorSize))
		}
	}
}
