package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
)

// testResult is what --json prints.
type testResult struct {
	File     string       `json:"file"`
	VolumeID string       `json:"volume_id"`
	Arch     string       `json:"arch"`
	Accel    qemu.Accel   `json:"accel"` // "kvm" or "tcg"
	Passed   bool         `json:"passed"`
	Boots    []bootResult `json:"boots"`
}

// text is empty: each boot was told when it ended.
func (testResult) text(io.Writer) error { return nil }

type bootResult struct {
	Mode       medium.Mode     `json:"mode"`
	Passed     bool            `json:"passed"`
	Outcome    string          `json:"outcome"`
	Line       string          `json:"line"`            // of the console, which decided
	Serial     boottest.Serial `json:"serial"`          // how the kernel got its console: default, added or unknown
	Menus      []string        `json:"menus,omitempty"` // files that the boot loader was shown changed
	Seconds    float64         `json:"seconds"`
	Console    []string        `json:"console,omitempty"` // the last lines of a failed boot
	Log        string          `json:"log,omitempty"`     // files that were kept
	Screenshot string          `json:"screenshot,omitempty"`
	Error      string          `json:"error,omitempty"` // why it could not be tried

	verdict qemu.Verdict
	err     error // it could not be tried
}

// String is the boot in one line.
func (r *bootResult) String() string {
	line := fmt.Sprintf("%s: %s after %s", r.Mode, r.verdict.Outcome, human.Seconds(r.verdict.Duration))
	if r.Line != "" {
		line += ": " + r.Line
	}
	return line
}

// notBootedError says that an image was tried and did not come up.
type notBootedError struct {
	failed []bootResult
	boots  int
}

func (e *notBootedError) Error() string {
	if e.boots == 1 {
		return fmt.Sprintf("the image did not boot: %s %s", e.failed[0].Mode, e.failed[0].verdict.Outcome)
	}
	var reasons []string
	for _, r := range e.failed {
		reasons = append(reasons, fmt.Sprintf("%s %s", r.Mode, r.verdict.Outcome))
	}
	return fmt.Sprintf("%d of %d boots failed: %s", len(e.failed), e.boots, strings.Join(reasons, ", "))
}

// boot tries an image in these modes, as many at once as the host has room for, and tells
// the result of each when it is known.
func (a *app) boot(ctx context.Context, t *test, machines boottest.Machines, m *medium.File, modes []medium.Mode, tell func(string) error) ([]bootResult, error) {
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
	var results []bootResult
	opts := t.options
	opts.Machines, opts.AtOnce, opts.Progress = machines, atOnce, a.console
	opts.Done = func(r *boottest.Result) {
		result := newBootResult(r)
		a.keep(t, m, &result, r.Log)
		if err := a.report(&result, tell); err != nil {
			result.err = err
		}
		results = append(results, result)
	}
	if _, err := boottest.Run(ctx, m, modes, opts); err != nil {
		return nil, err
	}
	slices.SortFunc(results, func(a, b bootResult) int { return slices.Index(modes, a.Mode) - slices.Index(modes, b.Mode) })
	return results, nil
}

func newBootResult(r *boottest.Result) bootResult {
	result := bootResult{Mode: r.Mode, Passed: r.Passed(), Serial: r.Serial, Menus: r.Menus, verdict: r.Verdict, err: r.Err}
	var unheard *boottest.UnheardError
	switch {
	case errors.As(r.Err, &unheard):
		result.Outcome, result.Seconds, result.Console = notJudged, r.Verdict.Duration.Seconds(), r.Verdict.Console
	case r.Err == nil:
		result.Outcome, result.Line, result.Seconds = r.Verdict.Outcome.Name(), r.Verdict.Line, r.Verdict.Duration.Seconds()
		if !result.Passed {
			result.Console = r.Verdict.Console
		}
	}
	return result
}

// notJudged is the outcome of a boot of which nothing was heard, and from which nothing follows.
const notJudged = "not-judged"

func (t *test) makeFolder() error {
	if t.logs == "" {
		return nil
	}
	return os.MkdirAll(t.logs, 0o777)
}

// keep writes the files that are kept of a boot.
func (a *app) keep(t *test, m *medium.File, r *bootResult, log []byte) {
	if r.Passed && !t.keepAll {
		return
	}
	write := func(suffix string, data []byte) string {
		path := filepath.Join(t.logs, m.Name+"."+string(r.Mode)+suffix)
		if len(data) == 0 {
			return ""
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			a.console.Warn(err.Error()) // the verdict is what was asked for
			return ""
		}
		return path
	}
	r.Log = write(".log", log)
	r.Screenshot = write(".png", r.verdict.Screen)
}

// shownLines are the last ones of the console that are printed about a failed boot.
const shownLines = 12

// report tells how a boot ended.
func (a *app) report(r *bootResult, tell func(string) error) error {
	if r.err != nil {
		r.Error = r.err.Error()
		if r.Outcome != notJudged {
			return nil // also the error of the run
		}
		return tell(r.Error)
	}
	if !r.Passed {
		for _, line := range r.Console[max(0, len(r.Console)-shownLines):] {
			a.console.Line("  > " + line)
		}
	}
	err := tell(r.String())
	for _, file := range []string{r.Log, r.Screenshot} {
		if file != "" && !r.Passed {
			a.console.Line("  kept " + file)
		}
	}
	return err
}

// failure is a *notBootedError if a boot failed, else the error of one that could not be tried or not be
// judged.
func failure(boots []bootResult) error {
	e := &notBootedError{boots: len(boots)}
	var untried error
	for _, r := range boots {
		switch {
		case r.err != nil && untried == nil:
			untried = r.err
		case r.err == nil && !r.Passed:
			e.failed = append(e.failed, r)
		}
	}
	if len(e.failed) == 0 {
		return untried
	}
	return e
}
