package boottest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/qemu"
)

// Installation asks for a system to be installed from the image, and for the disk to be booted
// alone then, instead of the image.
type Installation struct {
	Name   string   // of the system on the medium
	Disks  []string // of the system; each is given an empty one
	Size   int64    // of a disk in bytes
	Folder string   // for the disks, which are gone afterwards

	// NoPort leaves the installed system's boot menu as it is: it uses its serial console by
	// itself.
	NoPort bool
}

// What livebuild-install says, of package nixos.
var (
	installFailed = regexp.MustCompile(`livebuild-install: error: `)
	diskID        = "/dev/disk/by-id/virtio-"
)

func (i *Installation) installed() *regexp.Regexp {
	return regexp.MustCompile("livebuild-install: " + regexp.QuoteMeta(i.Name) + " is installed$")
}

// serial is what a disk is told by.
func serial(n int) string { return fmt.Sprintf("livebuild-%d", n) }

// words are those that the kernel of the live system is given.
func (i *Installation) words(port string) []string {
	words := []string{loader.Console(port)}
	for n, disk := range i.Disks {
		words = append(words, "livebuild.disk="+disk+"="+diskID+serial(n))
	}
	if !i.NoPort {
		words = append(words, "livebuild.console="+port)
	}
	return words
}

// Phase is the fact that the medium has done its work, and the disk is started alone.
type Phase struct {
	Mode medium.Mode `json:"mode"`
	Name string      `json:"name"`
}

func (p Phase) String() string {
	return fmt.Sprintf("%s: %s is installed; starting the disk alone", p.Mode, p.Name)
}

// prepareInstall has the boot loader start the entry that installs.
func prepareInstall(m *medium.File, of System, mode medium.Mode, i *Installation) (*Start, error) {
	s, err := prepare(&Start{Mode: mode, Serial: SerialUnknown, medium: m, system: of, install: i})
	if err == nil && s.Serial == SerialUnknown {
		err = &UnheardError{mode, s.Reason}
	}
	return s, err
}

// install tries to install a system in one mode, and to boot what that made.
func install(ctx context.Context, m *medium.File, of System, mode medium.Mode, opts Options) (r Result) {
	i := opts.Install
	r = Result{Mode: mode, System: of.Name}
	start, err := prepareInstall(m, of, mode, i)
	if err != nil {
		r.Err = err
		return r
	}
	r.Serial, r.Menus = start.Serial, start.Menus
	folder, err := os.MkdirTemp(i.Folder, "install-")
	if err != nil {
		r.Err = err
		return r
	}
	defer func() { r.Err = errors.Join(r.Err, os.RemoveAll(folder)) }()
	machine := opts.Machines[mode]
	machine.Network = false
	for n := range i.Disks {
		machine.Disks = append(machine.Disks, qemu.DiskFile{Path: filepath.Join(folder, serial(n)), Serial: serial(n)})
	}
	log := &consoleLog{}
	defer func() { r.Log = log.text.Bytes() }()

	r.Verdict, r.Err = attempt(ctx, opts, mode, "installing", &machine, log, func(m qemu.Machine, w qemu.Watch) (qemu.Verdict, error) {
		for _, disk := range m.Disks {
			if err := emptyDisk(disk.Path, i.Size); err != nil {
				return qemu.Verdict{}, err
			}
		}
		start.restore()
		w.Expect, w.Reject = i.installed(), installFailed
		return qemu.Run(ctx, start.Machine(m), w)
	})
	if r.Err != nil || !r.Verdict.OK() {
		return r
	}
	progress.Note(opts.Progress, Phase{mode, i.Name})
	took := r.Verdict.Duration
	// The disk alone, with the firmware of the mode, whose variables are new: what only they
	// would name is not started.
	r.Verdict, r.Err = attempt(ctx, opts, mode, "booting", &machine, log, func(m qemu.Machine, w qemu.Watch) (qemu.Verdict, error) {
		return qemu.Run(ctx, m, w)
	})
	r.Verdict.Duration += took
	return r
}

// attempt runs a machine, once more with a clock that does not depend on the speed of this machine where the
// guest fails and its processor is emulated; the machine keeps that.
func attempt(ctx context.Context, opts Options, mode medium.Mode, doing string, machine *qemu.Machine, log *consoleLog,
	run func(qemu.Machine, qemu.Watch) (qemu.Verdict, error)) (qemu.Verdict, error) {
	task := progress.Begin(opts.Progress, doing, opts.Install.Name+" as "+string(mode))
	defer task.End(nil) // the verdict is told by its result
	log.tell = func(line string) { task.Moved(line) }
	watch := qemu.Watch{Expect: opts.Expect, Reject: opts.Reject, Limit: opts.Limit, Copy: log}
	verdict, err := run(*machine, watch)
	if err == nil && machine.Accel == qemu.TCG && !machine.Even && guestFailed(verdict.Outcome) {
		progress.Note(opts.Progress, Again{mode, verdict.Outcome.Name(), verdict.String()})
		machine.Even = true
		verdict, err = run(*machine, watch)
	}
	return verdict, err
}

// emptyDisk makes a file of zeros that takes no room.
func emptyDisk(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}
