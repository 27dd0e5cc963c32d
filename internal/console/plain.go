package console

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/progress"
)

// plain shows progress as lines: one when a task begins, one now and then while
// it is at work, and one about what was done.
type plain struct {
	w     io.Writer
	words func(fact any) string
	tasks map[*progress.Task]*plainTask
}

// plainTask is a task at work.
type plainTask struct {
	began string    // the line about its beginning
	told  time.Time // of the last line about it
}

// plainInterval is between lines about one task.
const plainInterval = 10 * time.Second

func (p *plain) event(e progress.Event) {
	switch e.Kind {
	case progress.Began:
		p.begin(e)
	case progress.Moved:
		task := p.tasks[e.Task]
		if task == nil || time.Since(task.told) < plainInterval {
			return
		}
		if text := movedText(e); text != "" {
			task.told = time.Now()
			fmt.Fprintf(p.w, "%s: %s\n", task.began, text)
		}
	case progress.Ended:
		delete(p.tasks, e.Task)
		if text := endedText(e, p.words); text != "" {
			fmt.Fprintln(p.w, text)
		}
	}
}

// begin prints what a task does, unless that was the last thing said of it.
func (p *plain) begin(e progress.Event) {
	text := taskText(e)
	task := p.tasks[e.Task]
	if task == nil {
		if p.tasks == nil {
			p.tasks = map[*progress.Task]*plainTask{}
		}
		task = &plainTask{}
		p.tasks[e.Task] = task
	}
	if task.began == text {
		return
	}
	*task = plainTask{text, time.Now()}
	fmt.Fprintln(p.w, text)
}

func (p *plain) say(m message)   { fmt.Fprintln(p.w, m) }
func (p *plain) ask(text string) { fmt.Fprint(p.w, text) }
func (p *plain) clear()          {}
func (p *plain) close()          {}

// quiet shows what is wrong, or may be.
type quiet struct {
	w     io.Writer
	words func(fact any) string
}

func (q *quiet) event(e progress.Event) {
	if text := endedText(e, q.words); text != "" && e.Err != nil {
		fmt.Fprintln(q.w, text)
	}
}

func (q *quiet) say(m message) {
	if m.kind != note {
		fmt.Fprintln(q.w, m)
	}
}

func (q *quiet) ask(text string) { fmt.Fprint(q.w, text) }
func (q *quiet) clear()          {}
func (q *quiet) close()          {}

// taskText is what a task does.
func taskText(e progress.Event) string { return strings.TrimSpace(e.Name + " " + e.Task.Of) }

// endedText is what became of a task, or empty if it is not worth a word.
func endedText(e progress.Event, words func(any) string) string {
	if e.Kind != progress.Ended || e.Fact == nil {
		return ""
	}
	text := words(e.Fact)
	if text == "" || e.Err != nil {
		return text
	}
	return fmt.Sprintf("%s (%s)", text, human.Seconds(e.Took))
}

// movedText is how far a task is.
func movedText(e progress.Event) string {
	var parts []string
	for _, c := range e.Counts {
		if text := countText(c); text != "" {
			parts = append(parts, text)
		}
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	return strings.Join(parts, ", ")
}

// countText is how many of a number of things are done.
func countText(c progress.Count) string {
	switch c.Of {
	case progress.Files:
		return human.Count(int(c.Done), "file")
	case progress.Bytes:
		if c.Total > 0 {
			return human.Size(c.Done) + " of " + human.Size(c.Total)
		}
		return human.Size(c.Done)
	}
	done, known := map[progress.Unit]string{
		progress.Builds: "built", progress.Paths: "fetched", progress.Downloads: "downloaded",
	}[c.Of]
	switch {
	case !known || c.Total == 0:
		return ""
	case c.Of == progress.Downloads:
		return fmt.Sprintf("%s of %s %s", human.Size(c.Done), human.Size(c.Total), done)
	}
	return fmt.Sprintf("%d of %d %s", c.Done, c.Total, done)
}
