// Package doctor finds out whether a machine can do what the verbs do: make an image of a
// configuration, start it, write it to a stick.
//
// What a verb would fail with, a [Check] has as its error: Nix, QEMU and disks are asked by the same
// functions as there, and the advice on the errors is the same. What works, but slowly, or will not
// for long, is a warning. Nothing is built, and nothing is changed but that Nix writes what it
// evaluates to its store, as ever.
//
// Whatever asks a network has a limit of time.
package doctor

import (
	"context"
	"time"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/qemu"
)

// State is how a check ended.
type State string

// The states. Only what failed keeps a verb from its work.
const (
	Good    State = "good"
	Warning State = "warning"
	Failed  State = "failed"
)

// Verbs that need what is checked.
const (
	ISO   = "iso" // and all that begins with a configuration
	Run   = "run"
	Test  = "test"
	Write = "write"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string // one word
	State State
	Text  string   // what was found, if Err is nil
	Err   error    // what is wrong
	For   []string // the verbs that need it
}

// Options say what is looked at.
type Options struct {
	Nix nix.Flags
	Env []string // of Nix, all of it

	// Begin begins the build of a configuration; nil for looking at the machine alone.
	Begin func(context.Context) (*build.Build, error)
	// Ref is the flake reference of the configuration, empty for one of a file; Folder is the
	// flake's on this machine, empty if it is elsewhere.
	Ref, Folder string

	Cache   string // livebuild's folder for what can be made again
	Output  string // the folder that images go to
	Verbs   []string
	Host    device.Host
	Sink    progress.Sink
	Checked func(Check) error // is told of each check, one at a time
}

// examination is one run.
type examination struct {
	Options
	nix     *nix.Nix
	build   *build.Build // of the configuration, once it is evaluated
	machine qemu.Machine // that images are started in
	slow    bool         // a cache does not answer
	err     error        // of Checked
}

// Examine makes all checks that the verbs need. Its error is that of Checked, or that ctx is done:
// what is wrong with the machine, Checked is told.
func Examine(ctx context.Context, opts Options) error {
	e := &examination{Options: opts, machine: qemu.Machine{Arch: hostArch()}}
	if e.wanted(ISO, Run) {
		e.checkNix(ctx)
	}
	if e.build != nil {
		defer e.build.Close()
	}
	if e.wanted(Run, Test) {
		e.checkMachine(ctx)
	}
	if e.wanted(Write) {
		e.checkDisks(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return e.err
}

// wanted reports whether one of the verbs is asked about.
func (e *examination) wanted(verbs ...string) bool {
	if len(e.Verbs) == 0 {
		return true
	}
	for _, v := range verbs {
		for _, w := range e.Verbs {
			if v == w {
				return true
			}
		}
	}
	return false
}

// tell tells of a check, unless the run is over.
func (e *examination) tell(ctx context.Context, c Check) {
	if e.err == nil && ctx.Err() == nil {
		e.err = e.Checked(c)
	}
}

// good tells that something works.
func (e *examination) good(ctx context.Context, name, text string, verbs ...string) {
	e.tell(ctx, Check{Name: name, State: Good, Text: text, For: verbs})
}

// wrong tells that something does not.
func (e *examination) wrong(ctx context.Context, name string, state State, err error, verbs ...string) {
	e.tell(ctx, Check{Name: name, State: state, Err: err, For: verbs})
}

// limited is a context that ends after a time, without which a network can take for ever.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, limit)
}
