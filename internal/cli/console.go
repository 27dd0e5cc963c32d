package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
)

// console is the standard error: what is at work, and all else that is said
// there. How that looks, its view decides.
//
// The rules of text: lower case, no full stop, one line for each thing said;
// what is wrong begins with "error:", what may be wrong with "warning:", and
// advice with "hint:".
type console struct {
	w       io.Writer
	verbose bool
	chosen  bool // somebody said how it is to look

	mu    sync.Mutex
	view  view
	muted int // warnings not shown
	shown int // warnings shown
}

// view is a way in which a console shows things. Its methods are called one
// at a time.
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

// message is something said that is not about a task.
type message struct {
	kind   string   // of messageNote and the others
	fact   any      // that the text is about, or nil
	text   string   // may have several lines
	log    []string // of what failed, above the message
	detail string   // all that is known, below it
	hint   string   // advice
}

// Kinds of messages.
const (
	messageNote    = "note"
	messageWarning = "warning"
	messageError   = "error"
)

// String is the message as people read it.
func (m message) String() string {
	var b strings.Builder
	for _, line := range m.log {
		fmt.Fprintf(&b, "  > %s\n", line)
	}
	switch m.kind {
	case messageNote:
		b.WriteString(m.text)
	default:
		b.WriteString(indent(m.kind+": ", m.text))
	}
	if m.detail != "" {
		b.WriteString("\n" + indent("  ", m.detail))
	}
	if m.hint != "" {
		b.WriteString("\n" + indent("hint: ", m.hint))
	}
	return b.String()
}

func newConsole(w io.Writer) *console {
	c := &console{w: w}
	c.show(progressAuto)
	return c
}

// How progress is shown; the words are those of BuildKit.
const (
	progressAuto  = "auto"
	progressPlain = "plain"
	progressJSON  = "json"
	progressQuiet = "quiet"
)

// show chooses the view. It reports whether there is one of that name.
func (c *console) show(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var v view
	switch screen, ok := screenOf(c.w); {
	case name == progressAuto && ok:
		v = newTerminal(screen, &c.mu)
	case name == progressAuto, name == progressPlain:
		v = &plain{w: c.w}
	case name == progressJSON:
		v = newJSONLines(c.w)
	case name == progressQuiet:
		v = &quiet{w: c.w}
	default:
		return false
	}
	if c.view != nil {
		c.view.close()
	}
	c.view = v
	return true
}

// progressFlag is the flag that chooses the view.
type progressFlag struct{ console *console }

func (f progressFlag) String() string { return "" } // the default is in the words of the help
func (f progressFlag) Type() string   { return "progress" }

func (f progressFlag) Set(name string) error {
	if !f.console.show(name) {
		return fmt.Errorf("there is no way %q", name)
	}
	f.console.chosen = true
	return nil
}

// progressVariable is the flag's default, for runs that somebody else calls.
const progressVariable = "LIVEBUILD_PROGRESS"

// showDefault chooses the view that the environment names. Its error is a
// *usageError.
func (c *console) showDefault() error {
	name := os.Getenv(progressVariable)
	if name == "" {
		return nil
	}
	if !c.show(name) {
		return &usageError{fmt.Errorf("%s needs auto, plain, json or quiet, not %q", progressVariable, name)}
	}
	c.chosen = true
	return nil
}

// Send shows an event.
func (c *console) Send(e progress.Event) {
	switch e.Kind {
	case progress.Noted:
		c.say(message{kind: messageNote, text: words(e.Fact), fact: e.Fact})
	case progress.Warned:
		if is[*image.UnmountableError](e.Err) || is[*unbootableError](e.Err) {
			c.say(message{kind: messageWarning, text: e.Err.Error(), hint: hintFor(e.Err)})
		} else {
			c.warn(e.Err.Error())
		}
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.view.event(e)
	}
}

func (c *console) say(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.say(m)
}

// line prints a line, or several.
func (c *console) line(text string) { c.say(message{kind: messageNote, text: text}) }

const warningsMax = 5 // shown; a configuration can have thousands

// warn prints the first few warnings and counts the others.
func (c *console) warn(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == warningsMax && !c.verbose {
		c.muted++
		return
	}
	c.shown++
	c.view.say(message{kind: messageWarning, text: text})
}

// ask prints a question, which the answer ends.
func (c *console) ask(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.ask(text)
}

// result prints a line of the result while something is at work.
func (c *console) result(out io.Writer, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.clear()
	_, err := fmt.Fprintln(out, text)
	return err
}

// finish takes the live lines away.
func (c *console) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.close()
	if c.muted > 0 {
		c.view.say(message{kind: messageWarning, text: fmt.Sprintf("%d more; -v shows them", c.muted)})
		c.muted = 0
	}
}

// Write prints what cobra has to say.
func (c *console) Write(p []byte) (int, error) {
	c.line(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
