package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/nix"
)

// console is the standard error. On a terminal the phase at work has a live
// line, which other lines push down; elsewhere it gets a line now and then.
//
// Its rules: lower case, no full stop, one line for each thing said; what is
// wrong begins with "error:", what may be wrong with "warning:", and advice
// with "hint:".
type console struct {
	w        io.Writer
	terminal bool
	verbose  bool

	mu      sync.Mutex
	bar     *progressbar.ProgressBar // of the phase at work, on a terminal
	board   *board                   // of the things at work at once, instead
	phase   string
	started time.Time
	told    time.Time // of the last plain line about the phase at work
	muted   int       // warnings not shown
	shown   int       // warnings shown
}

const (
	barThrottle   = 100 * time.Millisecond
	plainInterval = 10 * time.Second // between lines about one phase, without a terminal
	warningsMax   = 5                // shown; a configuration can have thousands
	liveExtra     = 14               // columns of a live line around its text: spinner and time, as in [1h2m3s]
)

func newConsole(w io.Writer) *console {
	f, ok := w.(*os.File)
	return &console{w: w, terminal: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"}
}

// begin starts a phase of which the extent is not known.
func (c *console) begin(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = time.Now()
	c.spin(phase)
}

// goOn goes on with the phase at work under another name.
func (c *console) goOn(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.spin(phase)
}

func (c *console) spin(phase string) {
	c.show(phase)
	if c.terminal {
		c.bar = progressbar.NewOptions(-1, c.barOptions(phase,
			// Turned by step: by itself it would go on over other lines.
			progressbar.OptionSetSpinnerChangeInterval(0),
			progressbar.OptionSpinnerType(14))...)
		_ = c.bar.RenderBlank()
	}
}

// goOnBytes goes on with the phase at work under another name, dealing with
// bytes of which setBytes tells.
func (c *console) goOnBytes(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.show(phase)
	if c.terminal {
		c.bar = progressbar.NewOptions64(0, c.barOptions(phase,
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetWidth(30))...)
	}
}

// barOptions are what all live lines have in common.
func (c *console) barOptions(phase string, more ...progressbar.Option) []progressbar.Option {
	return append([]progressbar.Option{
		progressbar.OptionSetWriter(c.w),
		progressbar.OptionSetDescription(phase),
		progressbar.OptionUseANSICodes(true), // clears the whole line, whatever stood there
		progressbar.OptionThrottle(barThrottle),
		progressbar.OptionClearOnFinish(),
	}, more...)
}

func (c *console) show(phase string) {
	c.phase, c.told = phase, time.Now()
	if !c.terminal {
		fmt.Fprintln(c.w, phase)
	}
}

// step tells how far a phase begun with begin is.
func (c *console) step(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		c.bar.Describe(cut(c.phase+": "+text, c.width()-liveExtra))
		_ = c.bar.Add(1)
	} else if time.Since(c.told) >= plainInterval {
		c.told = time.Now()
		fmt.Fprintf(c.w, "%s: %s\n", c.phase, text)
	}
}

// setBytes tells how far a phase of goOnBytes is.
func (c *console) setBytes(done, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		if c.bar.GetMax64() != total {
			c.bar.ChangeMax64(total)
		}
		_ = c.bar.Set64(done)
	} else if time.Since(c.told) >= plainInterval {
		c.told = time.Now()
		fmt.Fprintf(c.w, "%s: %s of %s\n", c.phase, size(done), size(total))
	}
}

// end ends the phase at work with a line about what was done, and returns how
// long it took.
func (c *console) end(done string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Since(c.started)
	c.clear()
	fmt.Fprintf(c.w, "%s (%s)\n", done, seconds(took))
	c.bar = nil
	return took
}

// finish takes the live line away.
func (c *console) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.bar, c.board = nil, nil
	if c.muted > 0 {
		fmt.Fprintf(c.w, "warning: %d more; -v shows them\n", c.muted)
	}
}

// clear makes room for a line. The live line comes back with the next step.
func (c *console) clear() {
	if c.bar != nil {
		_ = c.bar.Clear()
	}
	if c.board != nil {
		c.board.erase(c.w)
	}
}

// line prints a line, or several.
func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprintln(c.w, text)
}

// ask prints a question, which the answer ends.
func (c *console) ask(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprint(c.w, text)
}

// result prints a line of the result while a phase is at work.
func (c *console) result(out io.Writer, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	_, err := fmt.Fprintln(out, text)
	return err
}

// warn prints the first few warnings and counts the others.
func (c *console) warn(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == warningsMax && !c.verbose {
		c.muted++
		return
	}
	c.shown++
	c.clear()
	fmt.Fprintln(c.w, indent("warning: ", text))
}

// warnAbout prints a warning about what is not an error yet, and advice on it.
func (c *console) warnAbout(err error) {
	c.line(indent("warning: ", err.Error()) + "\n" + indent("hint: ", hintFor(err)))
}

// Write prints what cobra has to say.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	return c.w.Write(p)
}

// width is the terminal's, in columns.
func (c *console) width() int {
	if f, ok := c.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// nixMessage prints what Nix says, as far as it is to be seen.
func (c *console) nixMessage(m nix.Message) {
	switch {
	case m.Level == nix.LevelWarning:
		// Of a download that is tried again, Nix says "error: …; retrying".
		c.warn(strings.TrimPrefix(m.Text, "error: "))
	case m.Level == nix.LevelError:
		// Comes back as the error of the run.
	case m.Level == nix.LevelNotice, c.verbose && m.Level <= nix.LevelTalkative:
		c.line(m.Text)
	}
}

// nixProgress shows how far Nix is.
func (c *console) nixProgress(p nix.Progress) {
	switch {
	case p.Phase == nix.Evaluating:
		c.step(fmt.Sprintf("%d files", p.Files))
	case p.Phase == nix.Building:
		c.step(buildProgress(p))
	}
}

func buildProgress(p nix.Progress) string {
	var parts []string
	if p.Builds.Expected > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d built", p.Builds.Done, p.Builds.Expected))
	}
	if p.Paths.Expected > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d fetched", p.Paths.Done, p.Paths.Expected))
	}
	if p.Downloads.Expected > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s downloaded", size(p.Downloads.Done), size(p.Downloads.Expected)))
	}
	if len(p.Jobs) > 0 {
		job := p.Jobs[0].Name
		if p.Jobs[0].Line != "" {
			job += "> " + p.Jobs[0].Line
		}
		parts = append(parts, job)
	}
	return strings.Join(parts, ", ")
}
