package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// board is a group of live lines, one for each thing that is at work at the
// same time. The bars draw into nothing; the board puts what they drew below
// each other, and takes it away for other lines. Without a terminal each thing
// gets a plain line now and then.
type board struct {
	rows  []*boardRow
	drawn int // lines on the screen
	shown time.Time
}

type boardRow struct {
	name  string
	phase string
	bar   *progressbar.ProgressBar
	told  time.Time // of the last plain line
}

// beginBoard starts a phase of several things.
func (c *console) beginBoard(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = time.Now()
	c.clear()
	c.bar = nil
	c.board = &board{}
	for _, name := range names {
		c.board.rows = append(c.board.rows, &boardRow{name: name})
	}
}

// setRow tells how far a thing is; a total of 0 is not known.
func (c *console) setRow(i int, phase string, done, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.board == nil {
		return
	}
	row := c.board.rows[i]
	if row.phase != phase {
		row.phase, row.bar, row.told = phase, nil, time.Time{}
		c.board.shown = time.Time{}
	}
	if !c.terminal {
		row.tell(c.w, done, total)
		return
	}
	if row.bar == nil {
		row.bar = progressbar.NewOptions64(max(total, done, 1),
			progressbar.OptionSetWriter(io.Discard),
			progressbar.OptionSetDescription(phase+" "+row.name),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(total > 0),
			progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(barThrottle))
	}
	if total > 0 && row.bar.GetMax64() != total {
		row.bar.ChangeMax64(total)
	} else if done >= row.bar.GetMax64() && total == 0 {
		row.bar.ChangeMax64(done + 1)
	}
	_ = row.bar.Set64(done)
	if time.Since(c.board.shown) >= barThrottle {
		c.board.shown = time.Now()
		c.board.draw(c.w, c.width())
	}
}

// tell prints a plain line about a thing, if it is time for one.
func (r *boardRow) tell(w io.Writer, done, total int64) {
	if time.Since(r.told) < plainInterval {
		return
	}
	first := r.told.IsZero()
	r.told = time.Now()
	switch {
	case first:
		fmt.Fprintf(w, "%s %s\n", r.phase, r.name)
	case total > 0:
		fmt.Fprintf(w, "%s %s: %s of %s\n", r.phase, r.name, size(done), size(total))
	default:
		fmt.Fprintf(w, "%s %s: %s\n", r.phase, r.name, size(done))
	}
}

// hideRow takes the live line of a thing away.
func (c *console) hideRow(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.board.rows[i].bar = nil
}

// endRow puts what became of a thing in the place of its line.
func (c *console) endRow(i int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.board != nil {
		c.board.rows[i].bar = nil
	}
	fmt.Fprintln(c.w, text)
}

// endBoard takes the live lines away, and returns how long the phase took.
func (c *console) endBoard() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.board = nil
	return time.Since(c.started)
}

const (
	lineUp    = "\x1b[%dA\r" // cursor up by so many lines, ECMA-48 CUU
	eraseDown = "\x1b[J"     // to the end of the screen, ECMA-48 ED
)

// draw puts the lines below each other; the cursor stays behind them.
func (b *board) draw(w io.Writer, width int) {
	var text strings.Builder
	b.erase(&text)
	for _, row := range b.rows {
		if row.bar == nil {
			continue
		}
		fmt.Fprintln(&text, cut(strings.Trim(row.bar.String(), "\r\n "), width-1))
		b.drawn++
	}
	_, _ = io.WriteString(w, text.String())
}

// erase takes the lines away.
func (b *board) erase(w io.Writer) {
	if b.drawn > 0 {
		fmt.Fprintf(w, lineUp+eraseDown, b.drawn)
		b.drawn = 0
	}
}
