package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/progress"
)

// terminal shows progress as live lines, one for each task at work, below all
// that was said. One goroutine turns them, so that a task without news is seen
// to be at work.
type terminal struct {
	screen screen
	mu     *sync.Mutex // of the console
	words  func(fact any) string
	rows   []*row
	drawn  int           // lines on the screen
	asking bool          // a question stands there
	turned chan struct{} // closed to end the turning; nil if nothing turns
}

// row is a task at work.
type row struct {
	event progress.Event // the last about it
	bar   *progressbar.ProgressBar
	kind  barKind
}

// barKind is how a row is drawn.
type barKind int

const (
	spinner    barKind = iota
	openBytes          // of which the end is not known
	knownBytes         // of which it is
)

// turnInterval is between two looks of the live lines.
const turnInterval = 100 * time.Millisecond

func newTerminal(s screen, mu *sync.Mutex, words func(any) string) *terminal {
	return &terminal{screen: s, mu: mu, words: words}
}

func (t *terminal) event(e progress.Event) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.event.Task == e.Task })
	switch {
	case e.Kind == progress.Ended:
		if i >= 0 {
			t.rows = slices.Delete(t.rows, i, i+1)
		}
		t.draw(endedText(e, t.words))
	case i < 0:
		t.rows = append(t.rows, &row{event: e})
		t.turn()
		t.draw("")
	case e.Kind == progress.Began:
		*t.rows[i] = row{event: e}
		t.draw("")
	default:
		row := t.rows[i]
		fresh := len(row.event.Counts) == 0 && row.event.Text == ""
		row.event = e
		if fresh {
			t.draw("")
		}
	}
}

// turn begins to draw the lines anew now and then.
func (t *terminal) turn() {
	if t.turned != nil {
		return
	}
	turned := make(chan struct{})
	t.turned = turned
	go func() {
		tick := time.NewTicker(turnInterval)
		defer tick.Stop()
		for {
			select {
			case <-turned:
				return
			case <-tick.C:
			}
			t.mu.Lock()
			if t.turned == turned && !t.asking {
				t.draw("")
			}
			t.mu.Unlock()
		}
	}()
}

func (t *terminal) say(m message) { t.draw(m.String()) }

func (t *terminal) ask(text string) {
	t.clear()
	_, _ = io.WriteString(t.screen, text)
	t.asking = true
}

func (t *terminal) clear() {
	var b strings.Builder
	t.erase(&b)
	_, _ = io.WriteString(t.screen, b.String())
}

func (t *terminal) close() {
	t.clear()
	t.rows = nil
	if t.turned != nil {
		close(t.turned)
		t.turned = nil
	}
}

const (
	lineUp    = "\x1b[%dA\r" // cursor up by so many lines, ECMA-48 CUU
	eraseDown = "\x1b[J"     // to the end of the screen, ECMA-48 ED
)

// erase takes the live lines away.
func (t *terminal) erase(b *strings.Builder) {
	if t.drawn > 0 {
		fmt.Fprintf(b, lineUp+eraseDown, t.drawn)
		t.drawn = 0
	}
}

// draw puts text that stays, if any, and the live lines in the place of those
// that are there. The cursor stays behind them.
func (t *terminal) draw(text string) {
	t.asking = false
	var b strings.Builder
	t.erase(&b)
	if text != "" {
		b.WriteString(text + "\n")
	}
	columns, lines := t.screen.size()
	for _, r := range t.rows[:min(len(t.rows), lines-1)] {
		b.WriteString(r.line(columns-1) + "\n")
		t.drawn++
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(t.screen, b.String())
	}
}

// line is the row in so many columns.
func (r *row) line(columns int) string {
	title := taskText(r.event)
	var done progress.Count
	kind := spinner
	if len(r.event.Counts) == 1 && r.event.Counts[0].Of == progress.Bytes {
		if done, kind = r.event.Counts[0], openBytes; done.Total > 0 {
			kind = knownBytes
		}
	} else if text := movedText(r.event); text != "" {
		title += ": " + text
	}
	if r.bar == nil || r.kind != kind {
		r.bar, r.kind = newBar(kind, taskText(r.event), columns), kind
	}
	switch kind {
	case spinner:
		const around = 14 // spinner and time, as in [1h2m3s]
		r.bar.Describe(human.Cut(title, columns-around))
	case openBytes:
		_ = r.bar.Set64(done.Done)
	case knownBytes:
		if r.bar.GetMax64() != done.Total {
			r.bar.ChangeMax64(done.Total)
		}
		_ = r.bar.Set64(min(done.Done, done.Total))
	}
	return human.Cut(strings.TrimSpace(strings.NewReplacer("\r", "", "\n", " ").Replace(r.bar.String())), columns)
}

// newBar makes the bar that draws a row.
func newBar(kind barKind, title string, columns int) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(io.Discard), // the terminal takes the text
		progressbar.OptionSetDescription(title),
		progressbar.OptionThrottle(0),
		progressbar.OptionSetSpinnerChangeInterval(0), // turned by drawing
		progressbar.OptionSpinnerType(14),
	}
	if kind == spinner {
		return progressbar.NewOptions(-1, options...)
	}
	options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionShowCount())
	if kind == openBytes {
		return progressbar.NewOptions(-1, options...)
	}
	const around = 46 // percent, bytes, speed and times
	width := min(max(columns-len([]rune(title))-around, 8), 40)
	return progressbar.NewOptions64(1, append(options,
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(width))...)
}
