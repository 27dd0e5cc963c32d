package console

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/livebuild/livebuild/internal/progress"
)

// actions shows progress as plain lines in a log of GitHub Actions, where what a task says is
// folded, and what is wrong becomes an annotation: by lines that the runner takes for commands
// (docs.github.com/actions, "Workflow commands"; actions/runner, src/Runner.Common/ActionCommand.cs).
// No other line is one, whatever a build or an image says.
type actions struct {
	plain
	commands io.Writer
	folded   *progress.Task // whose lines are in an open group, or nil
}

func newActions(w io.Writer, words func(any) string) *actions {
	return &actions{plain: plain{w: inertWriter{w}, words: words}, commands: w}
}

func (a *actions) event(e progress.Event) {
	switch {
	case e.Kind == progress.Began && len(a.tasks) == 0:
		a.tasks = map[*progress.Task]*plainTask{e.Task: {began: taskText(e), told: time.Now()}}
		a.command("group", taskText(e))
		a.folded = e.Task
		return
	case e.Kind == progress.Began && a.tasks[e.Task] == nil, e.Kind == progress.Ended && a.folded == e.Task:
		a.unfold() // groups have no groups in them
	}
	a.plain.event(e)
}

// unfold ends the group, if one is open.
func (a *actions) unfold() {
	if a.folded != nil {
		a.command("endgroup", "")
		a.folded = nil
	}
}

func (a *actions) say(m message) {
	if m.kind == note {
		a.plain.say(m)
		return
	}
	if m.kind == failure {
		a.unfold()
	}
	text := m.text
	if m.hint != "" {
		text += "\nhint: " + m.hint
	}
	if before := (message{kind: note, log: m.log, text: m.detail}).String(); before != "" {
		fmt.Fprintln(a.w, strings.TrimSuffix(before, "\n"))
	}
	a.command(m.kind+" title=livebuild", text)
}

func (a *actions) ask(text string) {
	a.unfold()
	a.plain.ask(text)
}

func (a *actions) clear() { a.unfold() }
func (a *actions) close() { a.unfold() }

// command writes a command with its data, of which it is one line.
func (a *actions) command(name, data string) {
	fmt.Fprintf(a.commands, "::%s::%s\n", name, dataEscapes.Replace(data))
}

var dataEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")

// inertWriter writes text of which no line is a command.
type inertWriter struct{ w io.Writer }

func (i inertWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(i.w, inert(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// inert keeps the lines of a text from being commands: the runner takes for one what begins with
// two colons, spaces aside, and what has "##[" anywhere. Lines end at a carriage return, too, and
// as the runner compares texts by the rules of a language, characters that nobody sees may stand
// between; they are left out.
func inert(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(colours.ReplaceAllString(text, ""))
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, text)
	text = strings.ReplaceAll(text, "##[", "## [")
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), ":") {
			b.WriteString("> ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// colours are what programs turn colours on and off with (ECMA-48 §5.4).
var colours = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")
