package qemu

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Watch says what to look for on the console, line by line.
type Watch struct {
	Expect *regexp.Regexp // a line that matches means that the guest came up
	Reject *regexp.Regexp // a line that matches means that it did not; may be nil
	Limit  time.Duration  // how long it may take; 0 for five minutes
	Copy   io.Writer      // receives the console's lines as plain text, its errors are ignored; may be nil
}

const (
	defaultLimit = 5 * time.Minute
	keptLines    = 40 // of the console, for the Verdict

	// settle is how long the console has to be silent before a line without an end counts as what
	// is expected, and doubt how long before it counts as a failure. A prompt stays,
	// the first half of a line does not, unless a busy host stops the guest for so long.
	settle = 300 * time.Millisecond
	doubt  = 10 * time.Second
)

// watch reads the console until a line decides, the guest went off, or the time is over. It
// returns false if ctx or the console ended before that. Of a guest that went off, all that it wrote is
// read first: quit makes QEMU, which stays without its guest, end the console.
func (w Watch) watch(ctx context.Context, output <-chan []byte, off <-chan struct{}, quit func()) (Verdict, bool) {
	limit := w.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	silence, longSilence := time.NewTimer(settle), time.NewTimer(doubt)
	defer silence.Stop()
	defer longSilence.Stop()
	wentOff := false

	var text console
	var verdict Verdict
	decides := func(line string) bool {
		outcome, ok := w.judge(line)
		if ok {
			verdict.Outcome, verdict.Line = outcome, line
			if outcome == Refused {
				verdict.Link = refusal(line)
			}
		}
		return ok
	}
	keep := func(line string) {
		if line == "" {
			return
		}
		verdict.Console = append(verdict.Console, line)
		if len(verdict.Console) > keptLines {
			verdict.Console = verdict.Console[1:]
		}
		if w.Copy != nil {
			fmt.Fprintln(w.Copy, line)
		}
	}
	for {
		select {
		case data, open := <-output:
			if !open {
				keep(text.partial())
				if wentOff && !decides(text.partial()) {
					verdict.Outcome = PoweredOff
				}
				return verdict, wentOff || decides(text.partial())
			}
			for _, line := range text.write(data) {
				keep(line)
				if decides(line) {
					return verdict, true
				}
			}
			silence.Reset(settle)
			longSilence.Reset(doubt)
		case <-silence.C:
			if outcome, ok := w.judge(text.partial()); ok && outcome == Passed && decides(text.partial()) {
				keep(text.partial())
				return verdict, true
			}
		case <-longSilence.C:
			if decides(text.partial()) {
				keep(text.partial())
				return verdict, true
			}
		case <-off:
			off, wentOff = nil, true
			go quit()
		case <-deadline.C:
			keep(text.partial())
			verdict.Outcome = TimedOut
			if silent(verdict.Console) {
				verdict.Outcome = Silent
			}
			return verdict, true
		case <-ctx.Done():
			keep(text.partial())
			return verdict, false
		}
	}
}
