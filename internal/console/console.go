// Package console shows on standard error what is at work, and all else that is said
// there, in one of four ways: live lines on a terminal, plain lines, which GitHub Actions gets
// with annotations, lines of JSON, or nothing but what is wrong.
//
// The rules of text: lower case, no full stop, one line for each thing said; what is
// wrong begins with "error:", what may be wrong with "warning:", and advice with
// "hint:".
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/progress"
)

// Console is the standard error of a run. It is the [progress.Sink] of all that is at
// work.
type Console struct {
	w       io.Writer
	options Options

	mu      sync.Mutex
	view    view
	verbose bool
	chosen  bool
	way     string // that was chosen last
	muted   int    // warnings not shown
	shown   int    // warnings shown
}

// Options are what a console needs to know of those who use it.
type Options struct {
	// Dumb says that a terminal cannot move its cursor.
	Dumb bool
	// Actions says that what is written goes into a log of GitHub Actions.
	Actions bool
	// Words says what a fact of a [progress.Event] is in words.
	Words func(fact any) string
	// Advice is the advice on what is warned of, or empty.
	Advice func(error) string
}

// Ways to show progress; the words are those of BuildKit.
const (
	Auto  = "auto" // live lines on a terminal, plain ones elsewhere, with annotations for GitHub Actions
	Plain = "plain"
	JSON  = "json"
	Quiet = "quiet"
)

// New returns a console that writes to w, in the way of Auto.
func New(w io.Writer, opts Options) *Console {
	c := &Console{w: w, options: opts, way: Auto}
	c.show(Auto)
	return c
}

// Choose chooses one of the ways. It reports whether there is one of that name.
func (c *Console) Choose(way string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chosen = c.show(way); c.chosen {
		c.way = way
	}
	return c.chosen
}

// Way is the way in which progress is shown.
func (c *Console) Way() string { return c.way }

// Chosen reports whether somebody chose a way.
func (c *Console) Chosen() bool { return c.chosen }

// Live reports whether progress is shown by live lines on a terminal, to which somebody looks.
func (c *Console) Live() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.view.(*terminal)
	return ok
}

func (c *Console) show(way string) bool {
	var v view
	switch screen, ok := screenOf(c.w); {
	case way == Auto && ok && !c.options.Dumb:
		v = newTerminal(screen, &c.mu, c.options.Words)
	case way == Auto && c.options.Actions:
		v = newActions(c.w, c.options.Words)
	case way == Auto, way == Plain:
		v = &plain{w: c.w, words: c.options.Words}
	case way == JSON:
		v = newJSONLines(c.w, c.options.Words)
	case way == Quiet:
		v = &quiet{w: c.w, words: c.options.Words}
	default:
		return false
	}
	if c.view != nil {
		c.view.close()
	}
	c.view = v
	return true
}

// Verbose is where a flag puts whether all warnings are shown, and all that is known
// of errors.
func (c *Console) Verbose() *bool { return &c.verbose }

// view is a way in which a console shows things. Its methods are called one at a
// time.
type view interface {
	// event shows how far a task is, and what became of it.
	event(progress.Event)
	// say shows a message.
	say(message)
	// ask shows a question, which the answer ends.
	ask(text string)
	// clear makes room for a line that something else prints.
	clear()
	// close takes away what does not stay.
	close()
}

// Send shows an event.
func (c *Console) Send(e progress.Event) {
	switch e.Kind {
	case progress.Noted:
		c.say(message{kind: note, text: c.options.Words(e.Fact), fact: e.Fact})
	case progress.Warned:
		if hint := c.options.Advice(e.Err); hint != "" {
			c.say(message{kind: warning, text: e.Err.Error(), hint: hint})
		} else {
			c.Warn(e.Err.Error())
		}
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.view.event(e)
	}
}

func (c *Console) say(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.say(m)
}

// Line prints a line, or several.
func (c *Console) Line(text string) { c.say(message{kind: note, text: text}) }

const warningsMax = 5 // shown; a configuration can have thousands

// Warn prints the first few warnings and counts the others.
func (c *Console) Warn(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == warningsMax && !c.verbose {
		c.muted++
		return
	}
	c.shown++
	c.view.say(message{kind: warning, text: text})
}

// Explanation is what is known of an error beside its text.
type Explanation struct {
	Log    []string // last lines of what failed
	Detail string   // all that is known, which verbose consoles print
	Hint   string   // advice
}

// Report prints the error of a run.
func (c *Console) Report(err error, e Explanation) {
	m := message{kind: failure, text: err.Error(), log: e.Log, hint: e.Hint}
	if c.verbose {
		m.detail = e.Detail
	}
	c.say(m)
}

// Ask prints a question, which the answer ends.
func (c *Console) Ask(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.ask(text)
}

// Result prints a line of the result while something is at work.
func (c *Console) Result(out io.Writer, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.clear()
	if _, ok := c.view.(*actions); ok {
		text = inert(text)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// Finish takes the live lines away, and says how many warnings were not shown.
func (c *Console) Finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.close()
	if c.muted > 0 {
		c.view.say(message{kind: warning, text: fmt.Sprintf("%d more; -v shows them", c.muted)})
		c.muted = 0
	}
}

// Write prints what other libraries have to say.
func (c *Console) Write(p []byte) (int, error) {
	c.Line(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// Raw is the stream itself, for a program that asks a person something.
func (c *Console) Raw() io.Writer { return c.w }

// message is something said that is not about a task.
type message struct {
	kind   string   // note and the others
	fact   any      // that the text is about, or nil
	text   string   // may have several lines
	log    []string // of what failed, above the message
	detail string   // all that is known, below it
	hint   string   // advice
}

// Kinds of messages.
const (
	note    = "note"
	warning = "warning"
	failure = "error"
)

// String is the message as people read it.
func (m message) String() string {
	var b strings.Builder
	for _, line := range m.log {
		fmt.Fprintf(&b, "  > %s\n", line)
	}
	switch m.kind {
	case note:
		b.WriteString(m.text)
	default:
		b.WriteString(human.Indent(m.kind+": ", m.text))
	}
	if m.detail != "" {
		b.WriteString("\n" + human.Indent("  ", m.detail))
	}
	if m.hint != "" {
		b.WriteString("\n" + human.Indent("hint: ", m.hint))
	}
	return b.String()
}

// screen is a terminal that is written to.
type screen interface {
	io.Writer
	// size is that of the screen, in columns and lines.
	size() (columns, lines int)
}

type fileScreen struct{ *os.File }

func (s fileScreen) size() (columns, lines int) {
	if columns, lines, err := term.GetSize(int(s.Fd())); err == nil && columns > 0 && lines > 0 {
		return columns, lines
	}
	return 80, 24
}

// screenOf is the terminal that a writer is, if it is one.
func screenOf(w io.Writer) (screen, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return fileScreen{f}, true
}

// Columns is the width of the terminal that a writer is, or usual if it is none.
func Columns(w io.Writer, usual int) int {
	if s, ok := screenOf(w); ok {
		usual, _ = s.size()
	}
	return usual
}
