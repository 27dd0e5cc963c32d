package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
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
	Mode       image.Mode `json:"mode"`
	Passed     bool       `json:"passed"`
	Outcome    string     `json:"outcome"`
	Line       string     `json:"line"`   // of the console, which decided
	Serial     string     `json:"serial"` // how the kernel got its console: default, entry, typed or unknown
	Seconds    float64    `json:"seconds"`
	Console    []string   `json:"console,omitempty"` // the last lines of a failed boot
	Log        string     `json:"log,omitempty"`     // files that were kept
	Screenshot string     `json:"screenshot,omitempty"`
	Error      string     `json:"error,omitempty"` // why it could not be tried

	verdict qemu.Verdict
	err     error // it could not be tried
}

// String is the boot in one line.
func (r *bootResult) String() string {
	line := fmt.Sprintf("%s: %s after %s", r.Mode, r.verdict.Outcome, seconds(r.verdict.Duration))
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
func (a *app) boot(ctx context.Context, t *test, host qemu.Machine, m *medium, modes []image.Mode, tell func(string) error) ([]bootResult, error) {
	atOnce, err := host.SideBySide(len(modes), runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	if t.jobs > 0 {
		atOnce = min(atOnce, t.jobs)
	}
	if err := t.makeFolder(); err != nil {
		return nil, err
	}
	results := make([]bootResult, len(modes))
	slots := make(chan struct{}, atOnce)
	var boots sync.WaitGroup
	var telling sync.Mutex // one boot after the other
	for n, mode := range modes {
		slots <- struct{}{}
		boots.Add(1)
		go func() {
			defer boots.Done()
			defer func() { <-slots }()
			results[n] = a.bootOnce(ctx, t, host, m, mode)
			if ctx.Err() != nil {
				return
			}
			telling.Lock()
			defer telling.Unlock()
			if err := a.report(&results[n], tell); err != nil {
				results[n].err = err
			}
		}()
	}
	boots.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, nil
}

func (t *test) makeFolder() error {
	if t.logs == "" {
		return nil
	}
	return os.MkdirAll(t.logs, 0o777)
}

// bootOnce tries one mode.
func (a *app) bootOnce(ctx context.Context, t *test, host qemu.Machine, m *medium, mode image.Mode) bootResult {
	r := bootResult{Mode: mode}
	way, keys, err := serial(m.Inspection, mode)
	if err != nil {
		r.err = err
		return r
	}
	task := progress.Begin(a.console, "booting", m.name+" as "+string(mode))
	defer task.End(nil) // the verdict is told when the files about it are written
	r.Serial = serialWays[way]
	watch := t.watch
	watch.Keys = keys
	log := &consoleLog{tell: func(line string) { task.Moved(line) }}
	watch.Copy = log
	r.verdict, r.err = qemu.Run(ctx, machineFor(host, m.path, mode), watch)
	if r.err != nil {
		return r
	}
	r.Passed, r.Outcome, r.Line, r.Seconds = r.verdict.OK(), r.verdict.Outcome.Name(), r.verdict.Line, r.verdict.Duration.Seconds()
	if !r.Passed {
		r.Console = r.verdict.Console
	}
	a.keep(t, m, &r, log.text.Bytes())
	return r
}

// keep writes the files that are kept of a boot.
func (a *app) keep(t *test, m *medium, r *bootResult, log []byte) {
	if r.Passed && !t.keepAll {
		return
	}
	write := func(suffix string, data []byte) string {
		path := filepath.Join(t.logs, m.name+"."+string(r.Mode)+suffix)
		if len(data) == 0 {
			return ""
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			a.console.warn(err.Error()) // the verdict is what was asked for
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
		return nil // also the error of the run
	}
	if !r.Passed {
		for _, line := range r.Console[max(0, len(r.Console)-shownLines):] {
			a.console.line("  > " + line)
		}
	}
	err := tell(r.String())
	for _, file := range []string{r.Log, r.Screenshot} {
		if file != "" && !r.Passed {
			a.console.line("  kept " + file)
		}
	}
	return err
}

// failure is the error of a boot that could not be tried, or a *notBootedError if one failed.
func failure(boots []bootResult) error {
	e := &notBootedError{boots: len(boots)}
	for _, r := range boots {
		if r.err != nil {
			return r.err
		}
		if !r.Passed {
			e.failed = append(e.failed, r)
		}
	}
	if len(e.failed) == 0 {
		return nil
	}
	return e
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
