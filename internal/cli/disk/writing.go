package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

// Writing is a transfer of an image to opened devices, and what is said about
// it.
type Writing struct {
	verbs
	devices    []*device.Device
	options    Options
	json       bool
	verifyOnly bool
	stamps     []stamp.Items       // of each device, or nil
	key        *adapt.Key          // that signs them, or nil
	sum        bool                // make the SHA-256 of what was written
	broker     *device.Broker      // that opened them; nil for this process
	kept       []*persistence.Kept // behind the image, nil where nothing is; all nil before look
	streamed   bool                // the image is written while it is made

	tasks   []*progress.Task // of each device
	results []device.Result
	stamped []*stamp.Stamp // of each device, when its transfer has ended
	keeps   []*report.Kept // likewise
}

// failedError says that some devices of several failed.
type failedError struct {
	failed, of int
	first      error
}

func (e *failedError) Error() string {
	return fmt.Sprintf("%d of %s failed", e.failed, human.Count(e.of, "disk"))
}

func (e *failedError) Unwrap() error { return e.first }

// begin starts the transfer. The image is written to what it returns.
func (w *Writing) begin(ctx context.Context, total int64, source io.ReaderAt) (*device.Transfer, error) {
	modes := make([]device.Mode, len(w.devices))
	if w.verifyOnly {
		for i := range modes {
			modes[i] = device.Compare
		}
	} else {
		modes = modesOf(w.devices, w.options.full)
	}
	var sink progress.Sink = w.Console
	if w.json {
		lines := &deviceLines{out: w.Out}
		if sink = lines; w.Console.Chosen() {
			sink = progress.Both(lines, w.Console)
		}
	}
	phase := device.Writing
	if w.verifyOnly {
		phase = device.Verifying
	}
	for _, name := range w.Names() {
		w.tasks = append(w.tasks, progress.Begin(sink, string(phase), name))
	}
	var apart [][]device.Span
	if w.verifyOnly {
		for _, dev := range w.devices {
			apart = append(apart, adapt.Stamped(dev))
		}
	}
	besides, err := w.besides(source)
	if err != nil {
		return nil, err
	}
	w.tellKept()
	transfer, err := device.NewTransfer(ctx, w.devices, device.Options{
		Apart:    apart,
		Besides:  besides,
		Modes:    modes,
		Verify:   !w.options.noVerify,
		Sum:      w.sum,
		Size:     total,
		Stall:    w.options.stall,
		Source:   source,
		Progress: w.progress,
	})
	return transfer, err
}

// copy writes so many bytes of a reader to the devices; if it has fewer, short
// is the error. The source, if there is one, is the same to read at random.
func (w *Writing) copy(ctx context.Context, r io.Reader, source io.ReaderAt, total int64, short error) error {
	if w.kept == nil {
		if err := w.look(); err != nil {
			return err
		}
	}
	if err := w.place(total); err != nil {
		return err
	}
	transfer, err := w.begin(ctx, total, source)
	if err != nil {
		return err
	}
	n, err := transfer.ReadFrom(r)
	if err == nil && n != total {
		err = short
	}
	if err != nil {
		return w.end(transfer.Abort(err), err)
	}
	return w.end(transfer.Finish(total), nil)
}

// Release gives the devices back if they were not written to.
func (w *Writing) Release() error {
	var err error
	if w.results == nil {
		err = device.CloseAll(w.devices)
	}
	return errors.Join(err, w.broker.Close())
}

// Names are the paths of the devices.
func (w *Writing) Names() []string {
	var names []string
	for _, dev := range w.devices {
		names = append(names, dev.Disk.Path)
	}
	return names
}

func (w *Writing) progress(i int, p device.Progress) {
	if p.Phase == device.Done || p.Phase == device.Failed { // the result says so
		return
	}
	w.tasks[i].Phase(string(p.Phase))
	w.tasks[i].Bytes(p.Done, p.Total)
}

// deviceLines are what --json prints while devices are at work.
type deviceLines struct {
	out io.Writer

	mu   sync.Mutex
	told map[string]toldLine // by device
}

type toldLine struct {
	phase string
	at    time.Time
}

// Send prints a line about a device in one phase now and then.
func (l *deviceLines) Send(e progress.Event) {
	if e.Kind != progress.Moved {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last, moved := l.told[e.Task.Of], e.Counts[0]
	if last.phase == e.Name && time.Since(last.at) < console.JSONInterval && moved.Done != moved.Total {
		return
	}
	if l.told == nil {
		l.told = map[string]toldLine{}
	}
	l.told[e.Task.Of] = toldLine{e.Name, time.Now()}
	printLine(l.out, report.DiskProgress{Event: "progress", Device: e.Task.Of, Phase: e.Name, Done: moved.Done, Total: moved.Total})
}

func printLine(out io.Writer, line any) {
	// A reader that has gone away is no reason to leave a stick half written.
	_ = json.NewEncoder(out).Encode(line)
}

// end says what became of the devices, and closes them. The error of the
// reading or packing, if any, is given.
func (w *Writing) end(results []device.Result, failure error) error {
	w.results, w.stamped = results, make([]*stamp.Stamp, len(results))
	w.keeps = make([]*report.Kept, len(results))
	var first error
	failed := 0
	for i, r := range results {
		dev := w.devices[i]
		var stalled *device.StalledError
		if !errors.As(r.Err, &stalled) { // that would not come back
			if r.Err == nil && w.stamps != nil {
				w.stamped[i], r.Err = adapt.Onto(dev, w.stamps[i], w.key, w.Tool)
			}
			if r.Err == nil {
				w.keeps[i] = w.describeKept(i)
			}
			if !w.verifyOnly {
				dev.Reread()
			}
			if r.Err == nil && w.options.eject {
				r.Err = dev.Eject()
			}
			r.Err = errors.Join(r.Err, dev.Close())
		}
		if r.Err != nil {
			failed++
			if first == nil {
				first = r.Err
			}
		}
		w.say(i, r, failure)
	}
	switch {
	case failed == 0 && failure == nil:
		return w.showSum()
	case failed == 0:
		return failure
	case len(results) == 1:
		return first
	}
	return &failedError{failed, len(results), first}
}

// showSum shows the sum of what all devices hold, for who compares it with another one.
func (w *Writing) showSum() error {
	if len(w.results) == 0 || w.results[0].SHA256 == "" {
		return nil
	}
	return w.ShowSum(w.results[0].SHA256, w.options.qr)
}

// say prints the verdict on a device.
func (w *Writing) say(i int, r device.Result, failure error) {
	path := w.devices[i].Disk.Path
	if w.json {
		line := report.NewDisk(path, r, w.stamped[i])
		line.Kept = w.keeps[i]
		printLine(w.Out, line)
	}
	switch {
	case r.Err == nil:
		w.tasks[i].End(path + ": " + report.Verdict(r, w.verifyOnly, w.stamped[i]))
	case len(w.devices) > 1 && failure == nil:
		w.tasks[i].Fail(r.Err, path+": failed: "+r.Err.Error())
	default:
		w.tasks[i].Fail(r.Err, nil)
	}
}
