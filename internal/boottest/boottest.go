// Package boottest boots an image in virtual machines, in each of the ways that it claims to start a
// machine, and judges whether it comes up.
//
// A boot is judged by what the guest writes to its serial port. An image whose default entry leaves that
// alone, or waits for its user, is booted with a changed copy of its boot menu: the boot loader
// reads it in the place of the one on the medium, which itself is only read, and when the kernel
// is loaded the change is gone. Firmware, boot loader, kernel and medium are the image's own then, and
// nothing depends on how fast the machine is. Of an image that can be heard neither way it is never
// said that it did not boot, unless the firmware or the boot loader say so.
package boottest

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/livebuild/livebuild/internal/carrier"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/qemu"
)

// Options say how.
type Options struct {
	Machines Machines       // to boot in
	System   System         // that is to start
	Expect   *regexp.Regexp // what a system says that has come up; nil for [CameUp]
	Reject   *regexp.Regexp // what one says that has not; may be nil
	Limit    time.Duration  // for a boot; 0 for [Limit]
	AtOnce   int            // boots; 0 for as many as are wanted
	Progress progress.Sink  // nil for none
	Install  *Installation  // instead of the default entry; nil for that

	// Done is called with each result when it is known, one after the other; may be nil.
	Done func(*Result)
}

// Result is what became of a boot.
type Result struct {
	System  string // name of its configuration; empty as in a System
	Mode    medium.Mode
	Serial  Serial
	Menus   []string // files that the boot loader was shown changed
	Verdict qemu.Verdict
	Log     []byte // all that the guest said, as plain text
	Err     error  // it could not be tried, or not be judged: a [*UnheardError]
}

// Passed reports whether the system came up.
func (r *Result) Passed() bool { return r.Err == nil && r.Verdict.OK() }

// UnheardError says that an image said nothing by which it could be judged, and that it was not known how
// to make it speak.
type UnheardError struct {
	Mode   medium.Mode
	Reason string
}

func (e *UnheardError) Error() string {
	return fmt.Sprintf("%s cannot be judged: the system does not use its serial console, and %s", e.Mode, e.Reason)
}

// CameUp matches what a NixOS system says when it has started: agetty's prompt, or systemd about its
// target.
var CameUp = regexp.MustCompile(`\blogin:|Reached target (multi-user\.target|Multi-User System)`)

// Limit returns how long a boot may take by default. Where the processor is emulated it takes many times as
// long, and the more so the more the machine has to do beside.
func Limit(accel qemu.Accel) time.Duration {
	if accel == qemu.KVM {
		return 5 * time.Minute
	}
	return 20 * time.Minute
}

// Machines are those of boot modes, complete but for their medium.
type Machines map[medium.Mode]qemu.Machine

// Complete fills in what a machine leaves open and this host decides, for booting in each of these modes.
// What is missing for one of them is an error; see [qemu.Machine.Complete] and [carrier.FindGRUB].
func Complete(ctx context.Context, m qemu.Machine, modes []medium.Mode) (Machines, error) {
	machines := Machines{}
	for _, mode := range modes {
		if mode.AsFile() {
			if _, err := carrier.FindGRUB(string(m.Arch), firmwareOf(mode, m.Firmware32)); err != nil {
				return nil, err
			}
		}
		complete, err := machineFor(m, mode).Complete(ctx)
		if err != nil {
			return nil, err
		}
		machines[mode] = complete
	}
	return machines, nil
}

// Accel returns how the machines, which are all of one architecture, execute instructions.
func (m Machines) Accel() qemu.Accel {
	for _, machine := range m {
		return machine.Accel
	}
	return ""
}

// Run tries a system of an image in some modes, and returns a result for each, in their order. The error is the cause
// of ctx ending; what befalls a single boot is in its result.
func Run(ctx context.Context, m *medium.File, modes []medium.Mode, opts Options) ([]Result, error) {
	if opts.Progress == nil {
		opts.Progress = progress.Discard
	}
	if opts.Expect == nil {
		opts.Expect = CameUp
	}
	if opts.Limit == 0 {
		opts.Limit = Limit(opts.Machines.Accel())
	}
	results := make([]Result, len(modes))
	slots := make(chan struct{}, max(1, min(len(modes), opts.AtOnce)))
	if opts.AtOnce <= 0 {
		slots = make(chan struct{}, max(1, len(modes)))
	}
	var boots sync.WaitGroup
	var telling sync.Mutex
	for n, mode := range modes {
		slots <- struct{}{}
		boots.Add(1)
		go func() {
			defer boots.Done()
			defer func() { <-slots }()
			if opts.Install != nil {
				results[n] = install(ctx, m, opts.System, mode, opts)
			} else {
				results[n] = boot(ctx, m, mode, opts)
			}
			if ctx.Err() == nil && opts.Done != nil {
				telling.Lock()
				defer telling.Unlock()
				opts.Done(&results[n])
			}
		}()
	}
	boots.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, nil
}

// Changed is the fact that the boot loader is shown a changed menu.
type Changed struct {
	Mode  medium.Mode `json:"mode"`
	Menus []string    `json:"menus"`
}

func (c Changed) String() string {
	return fmt.Sprintf("%s: the boot loader is shown a changed %s, whose default entry starts by itself and has a serial console",
		c.Mode, strings.Join(c.Menus, " and "))
}

// Again is the fact that a boot failed whose processor is emulated, and is tried again, with a clock that the
// host's speed does nothing to. What comes of that counts.
type Again struct {
	Mode    medium.Mode `json:"mode"`
	Outcome string      `json:"outcome"`
	text    string
}

func (a Again) String() string {
	return fmt.Sprintf("%s: %s; trying again with a clock that does not depend on the speed of this machine", a.Mode, a.text)
}

// Unknown is the fact that a system has to be heard of its own accord.
type Unknown struct {
	Mode   medium.Mode `json:"mode"`
	Reason string      `json:"reason"`
}

func (u Unknown) String() string {
	return fmt.Sprintf("%s: %s, so the boot can be judged only if the system uses its serial console by itself", u.Mode, u.Reason)
}

// boot tries one mode.
func boot(ctx context.Context, m *medium.File, mode medium.Mode, opts Options) (r Result) {
	r = Result{Mode: mode, System: opts.System.Name}
	start, err := Prepare(m, opts.System, mode)
	if err != nil {
		r.Err = err
		return r
	}
	defer func() {
		if err := start.Close(); r.Err == nil {
			r.Err = err
		}
	}()
	r.Serial, r.Menus = start.Serial, start.Menus
	switch {
	case start.Serial == SerialAdded && len(start.Menus) > 0:
		progress.Note(opts.Progress, Changed{mode, start.Menus})
	case start.Serial == SerialUnknown:
		progress.Note(opts.Progress, Unknown{mode, start.Reason})
	}
	task := progress.Begin(opts.Progress, "booting", m.Name+" as "+string(mode))
	defer task.End(nil) // the verdict is told by its result
	log := &consoleLog{tell: func(line string) { task.Moved(line) }}
	machine := start.Machine(opts.Machines[mode])
	watch := qemu.Watch{Expect: opts.Expect, Reject: start.reject(opts.Reject), Limit: opts.Limit, Copy: log}
	r.Verdict, r.Err = qemu.Run(ctx, machine, watch)
	if r.Err == nil && machine.Accel == qemu.TCG && guestFailed(r.Verdict.Outcome) {
		progress.Note(opts.Progress, Again{mode, r.Verdict.Outcome.Name(), r.Verdict.String()})
		machine.Even = true
		log.text.Reset()
		start.restore()
		r.Verdict, r.Err = qemu.Run(ctx, machine, watch)
	}
	r.Log = log.text.Bytes()
	if r.Err == nil && start.Serial == SerialUnknown && unheard(r.Verdict.Outcome) {
		r.Err = &UnheardError{mode, start.Reason}
	}
	return r
}

// guestFailed reports whether an outcome is one that the guest brought about, and that it might not have on
// a faster host: kernels and systems wait for devices, and give up.
func guestFailed(o qemu.Outcome) bool {
	return o == qemu.KernelPanic || o == qemu.EmergencyShell || o == qemu.Rejected || o == qemu.PoweredOff
}

// unheard reports whether an outcome may be that of a good system that says nothing.
func unheard(o qemu.Outcome) bool {
	return o == qemu.TimedOut || o == qemu.Silent || o == qemu.PoweredOff
}

// consoleLog keeps what a guest writes, up to a bound, and tells each line.
type consoleLog struct {
	tell func(line string)
	text bytes.Buffer
}

// maxLog is more than any sound boot writes, in bytes.
const maxLog = 4 << 20

func (l *consoleLog) Write(line []byte) (int, error) {
	if l.text.Len()+len(line) <= maxLog {
		l.text.Write(line)
	}
	l.tell(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}
