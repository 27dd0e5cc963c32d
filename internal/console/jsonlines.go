package console

import (
	"encoding/json"
	"io"
	"time"

	"github.com/livebuild/livebuild/internal/progress"
)

// jsonLines shows progress to programs: one object a line, as docs/programs.md has
// them. What is not known is left out.
type jsonLines struct {
	w     io.Writer
	words func(fact any) string
	tasks map[*progress.Task]*jsonTask
}

// jsonTask is a task at work.
type jsonTask struct {
	number int
	told   time.Time // of the last line about how far it is
}

func newJSONLines(w io.Writer, words func(any) string) *jsonLines {
	return &jsonLines{w: w, words: words, tasks: map[*progress.Task]*jsonTask{}}
}

// jsonVersion changes when a field gets another meaning or goes away; fields
// and events may be added.
const jsonVersion = 1

// JSONInterval is between lines about one task in one phase.
const JSONInterval = time.Second

// jsonEvent is a line.
type jsonEvent struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // "begin", "progress", "end", "fail", "note", "warning" or "error"

	// Of tasks.
	Task    int                         `json:"task,omitempty"` // which, from 1
	Name    string                      `json:"name,omitempty"` // what it does
	Of      string                      `json:"of,omitempty"`   // and to what
	Counts  map[progress.Unit]jsonCount `json:"counts,omitempty"`
	Seconds float64                     `json:"seconds,omitempty"` // of end and fail, since begin
	Result  any                         `json:"result,omitempty"`  // of end and note

	Text   string   `json:"text,omitempty"`
	Log    []string `json:"log,omitempty"`    // of an error, lines of what failed
	Detail string   `json:"detail,omitempty"` // of an error, all that Nix said
	Hint   string   `json:"hint,omitempty"`
}

type jsonCount struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
}

func (j *jsonLines) print(e jsonEvent) {
	e.Version, e.Time = jsonVersion, time.Now()
	encoder := json.NewEncoder(j.w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(e) // a reader that has gone away is no reason to stop
}

func (j *jsonLines) event(e progress.Event) {
	task := j.tasks[e.Task]
	if task == nil {
		task = &jsonTask{number: len(j.tasks) + 1}
		j.tasks[e.Task] = task
	}
	line := jsonEvent{Task: task.number, Name: e.Name, Of: e.Task.Of}
	switch e.Kind {
	case progress.Began:
		line.Event = "begin"
		task.told = time.Time{}
	case progress.Moved:
		if time.Since(task.told) < JSONInterval && !complete(e) {
			return
		}
		task.told = time.Now()
		line.Event, line.Text, line.Counts = "progress", e.Text, map[progress.Unit]jsonCount{}
		for _, c := range e.Counts {
			if c.Done != 0 || c.Total != 0 {
				line.Counts[c.Of] = jsonCount{c.Done, c.Total}
			}
		}
	case progress.Ended:
		line.Event, line.Seconds = "end", e.Took.Seconds()
		if e.Fact != nil {
			line.Text, line.Result = j.words(e.Fact), resultOf(e.Fact)
		}
		if e.Err != nil {
			line.Event, line.Text = "fail", e.Err.Error()
		}
	}
	j.print(line)
}

// complete reports whether all of a task's bytes are done.
func complete(e progress.Event) bool {
	return len(e.Counts) == 1 && e.Counts[0].Of == progress.Bytes && e.Counts[0].Done == e.Counts[0].Total
}

// resultOf is a fact for programs; texts say all in words.
func resultOf(fact any) any {
	if _, isText := fact.(string); isText {
		return nil
	}
	return fact
}

func (j *jsonLines) say(m message) {
	j.print(jsonEvent{Event: m.kind, Text: m.text, Result: resultOf(m.fact), Log: m.log, Detail: m.detail, Hint: m.hint})
}

// ask asks a person all the same.
func (j *jsonLines) ask(text string) { _, _ = io.WriteString(j.w, text) }
func (j *jsonLines) clear()          {}
func (j *jsonLines) close()          {}
