package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/doctor"
	"github.com/livebuild/livebuild/internal/human"
)

// Examination is what was found out about a machine.
type Examination struct {
	Healthy bool    `json:"healthy"` // nothing failed
	Checks  []Check `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Name  string   `json:"name"`
	State string   `json:"state"` // good, warning or failed
	Text  string   `json:"text"`
	Hint  string   `json:"hint"` // empty of what is good
	For   []string `json:"for"`  // verbs that need it
}

// NewCheck describes a check, with the advice on its error.
func NewCheck(c doctor.Check, hint string) Check {
	described := Check{Name: c.Name, State: string(c.State), Text: c.Text, For: c.For}
	if c.Err != nil {
		described.Text, described.Hint = c.Err.Error(), hint
	}
	return described
}

// stateWidth is that of the longest state.
const stateWidth = len("warning")

// Lines are a check for people, in so many columns; 0 leaves lines as long as they are. So are those
// of hints in any case, since what they say is copied.
func (c Check) Lines(columns int) string {
	head := fmt.Sprintf("%-*s  ", stateWidth, c.State)
	text := human.Indent(head, human.Wrap(c.Name+": "+c.Text, "", max(0, columns-len(head))))
	if c.Hint != "" {
		text += "\n" + human.Indent(strings.Repeat(" ", stateWidth+2)+"hint: ", c.Hint)
	}
	return text
}

// Text writes nothing: checks are told one by one as they are made.
func (e Examination) Text(io.Writer) error { return nil }

// Failure is the error of an examination with checks that failed, or nil.
func (e Examination) Failure() error {
	var failed []string
	for _, c := range e.Checks {
		if c.State == string(doctor.Failed) {
			failed = append(failed, c.Name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &UnhealthyError{failed, len(e.Checks)}
}

// UnhealthyError says that checks failed.
type UnhealthyError struct {
	Failed []string // names
	All    int      // how many checks there were
}

func (e *UnhealthyError) Error() string {
	return fmt.Sprintf("%d of %s failed: %s", len(e.Failed), human.Count(e.All, "check"), strings.Join(slices.Compact(slices.Clone(e.Failed)), ", "))
}
