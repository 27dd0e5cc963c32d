package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

// way is a system that is tried, in some modes.
type way struct {
	system   boottest.System
	modes    []medium.Mode
	machines boottest.Machines
}

// waysOf are how the systems of an image are tried. What the host lacks for one is an error.
func (v verbs) waysOf(ctx context.Context, b *build.Build, t *Boots, systems []boottest.System) ([]way, error) {
	systems, err := choose(systems, t.systems)
	if err != nil {
		return nil, err
	}
	var claimed []medium.Mode
	for _, s := range systems {
		for _, mode := range s.Modes {
			if !slices.Contains(claimed, mode) {
				claimed = append(claimed, mode)
			}
		}
	}
	wanted, err := t.modesOf(claimed)
	if err != nil {
		return nil, err
	}
	var ways []way
	for _, s := range systems {
		modes := slices.DeleteFunc(slices.Clone(wanted), func(mode medium.Mode) bool { return !slices.Contains(s.Modes, mode) })
		if len(modes) == 0 {
			continue
		}
		w := way{system: s, modes: modes}
		for _, same := range ways {
			if same.system.Arch == s.Arch && same.system.Firmware32 == s.Firmware32 && slices.Equal(same.modes, modes) {
				w.machines = same.machines
			}
		}
		if w.machines == nil {
			if w.machines, err = v.hostMachines(ctx, b, t.guest(machineOf(s)), modes); err != nil {
				return nil, err
			}
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// bootAll tries an image in some ways, one system after the other.
func (v verbs) bootAll(ctx context.Context, t *Boots, ways []way, m *medium.File, tell func(string) error) (all []report.Boot, err error) {
	for _, w := range ways {
		boots, err := v.boot(ctx, t, w, m, tell)
		if err != nil {
			return nil, err
		}
		all = append(all, boots...)
	}
	return all, nil
}

// boot tries a system in its modes, as many at once as the host has room for, and tells
// the result of each when it is known.
func (v verbs) boot(ctx context.Context, t *Boots, w way, m *medium.File, tell func(string) error) (_ []report.Boot, err error) {
	machines, modes := w.machines, w.modes
	atOnce, err := machines[modes[0]].SideBySide(len(modes), runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	if t.jobs > 0 {
		atOnce = min(atOnce, t.jobs)
	}
	if err := t.makeFolder(); err != nil {
		return nil, err
	}
	machines, remove, err := t.trust.give(machines, m, v.Console.Line)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	var results []report.Boot
	opts := t.options
	opts.Machines, opts.System, opts.AtOnce, opts.Progress = machines, w.system, atOnce, v.Console
	opts.Done = func(r *boottest.Result) {
		result := newBootResult(r)
		v.keep(t, m, &result, r.Log)
		if err := v.report(&result, tell); err != nil {
			result.Err = err
		}
		results = append(results, result)
	}
	if _, err := boottest.Run(ctx, m, modes, opts); err != nil {
		return nil, err
	}
	slices.SortFunc(results, func(a, b report.Boot) int { return slices.Index(modes, a.Mode) - slices.Index(modes, b.Mode) })
	return results, nil
}

func newBootResult(r *boottest.Result) report.Boot {
	result := report.Boot{Mode: r.Mode, Configuration: r.System, Passed: r.Passed(), Serial: r.Serial, Menus: r.Menus, Verdict: r.Verdict, Err: r.Err}
	var unheard *boottest.UnheardError
	switch {
	case errors.As(r.Err, &unheard):
		result.Outcome, result.Seconds, result.Console = notJudged, r.Verdict.Duration.Seconds(), r.Verdict.Console
	case r.Err == nil:
		result.Outcome, result.Line, result.Link, result.Seconds = r.Verdict.Outcome.Name(), r.Verdict.Line, r.Verdict.Link, r.Verdict.Duration.Seconds()
		if !result.Passed {
			result.Console = r.Verdict.Console
		}
	}
	return result
}

// notJudged is the outcome of a boot of which nothing was heard, and from which nothing follows.
const notJudged = "not-judged"

func (t *Boots) makeFolder() error {
	if t.logs == "" {
		return nil
	}
	return os.MkdirAll(t.logs, 0o777)
}

// keep writes the files that are kept of a boot.
func (v verbs) keep(t *Boots, m *medium.File, r *report.Boot, log []byte) {
	if r.Passed && !t.keepAll {
		return
	}
	write := func(suffix string, data []byte) string {
		path := filepath.Join(t.logs, m.Name+"."+strings.ReplaceAll(r.Way(), " ", ".")+suffix)
		if len(data) == 0 {
			return ""
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			v.Console.Warn(err.Error()) // the verdict is what was asked for
			return ""
		}
		return path
	}
	r.Log = write(".log", log)
	r.Screenshot = write(".png", r.Verdict.Screen)
}

// shownLines are the last ones of the console that are printed about a failed boot.
const shownLines = 12

// report tells how a boot ended.
func (v verbs) report(r *report.Boot, tell func(string) error) error {
	if r.Err != nil {
		r.Error = r.Err.Error()
		if r.Outcome != notJudged {
			return nil // also the error of the run
		}
		return tell(r.Error)
	}
	if !r.Passed {
		for _, line := range r.Console[max(0, len(r.Console)-shownLines):] {
			v.Console.Line("  > " + line)
		}
	}
	err := tell(r.String())
	for _, file := range []string{r.Log, r.Screenshot} {
		if file != "" && !r.Passed {
			v.Console.Line("  kept " + file)
		}
	}
	return err
}

// failure is a *report.NotBootedError if a boot failed, else the error of one that could not be tried or not be
// judged.
func failure(boots []report.Boot) error {
	e := &report.NotBootedError{Boots: len(boots)}
	var untried error
	for _, r := range boots {
		switch {
		case r.Err != nil && untried == nil:
			untried = r.Err
		case r.Err == nil && !r.Passed:
			e.Failed = append(e.Failed, r)
		}
	}
	if len(e.Failed) == 0 {
		return untried
	}
	return e
}
