package nix

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
)

// Phase is what Nix was asked to do.
type Phase int

const (
	Evaluating Phase = iota
	Querying         // finding out what there is and what is missing
	Building
)

func (p Phase) String() string {
	switch p {
	case Evaluating:
		return "evaluating"
	case Querying:
		return "querying"
	default:
		return "building"
	}
}

// Progress is how far a run of Nix has got. No count ever goes down during a
// run, but the expected ones go up while Nix finds out how much there is to do.
type Progress struct {
	Phase     Phase
	Files     int   // Nix files evaluated
	Builds    Count // derivations
	Paths     Count // store paths to be copied or downloaded
	Downloads Count // bytes
	Jobs      []Job // running builds, oldest first
}

// Count is a number of things.
type Count struct {
	Done, Expected int64
	Running        int64
}

// Job is a running build.
type Job struct {
	Name string // of the derivation, without hash and extension
	Line string // phase or last line of its log
}

// logTail is how many lines are kept of each build's log.
const logTail = 25

// maxNumber bounds what is believed of a number, so that sums do not overflow.
const maxNumber = 1 << 50

// monitor reads the standard error of one Nix process, an io.Writer: it keeps
// errors and the ends of build logs and reports progress and messages.
type monitor struct {
	options Options
	partial []byte // a line of which the end has not come

	state      Progress
	activities map[uint64]*activity
	finished   map[int]int64       // activity type -> sum of done of those that stopped
	logs       map[string][]string // derivation -> last lines
	errors     []report
	notes      []string // messages of level info while querying: what is missing
}

// activity is one that was started and not stopped.
type activity struct {
	kind     int
	drv      string // of a build
	job      Job
	count    Count
	expected int64 // download bytes, set on the activity of type realise
}

// report is an error message: raw is the error alone, full has the trace.
type report struct{ raw, full string }

func newMonitor(phase Phase, options Options) *monitor {
	return &monitor{
		options:    options,
		state:      Progress{Phase: phase},
		activities: map[uint64]*activity{},
		finished:   map[int]int64{},
		logs:       map[string][]string{},
	}
}

// Write takes a piece of standard error. Lines may be of any length.
func (m *monitor) Write(data []byte) (int, error) {
	rest := data
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			m.partial = append(m.partial, rest...)
			return len(data), nil
		}
		line := rest[:i]
		if len(m.partial) > 0 {
			line = append(m.partial, line...)
			m.partial = nil
		}
		m.line(line)
		rest = rest[i+1:]
	}
}

// flush reads a last line that has no newline.
func (m *monitor) flush() {
	if len(m.partial) > 0 {
		m.line(m.partial)
		m.partial = nil
	}
}

func (m *monitor) line(line []byte) {
	e := parseEntry(line)
	moved := false
	switch e.Action {
	case actionStart:
		moved = m.start(e)
	case actionStop:
		moved = m.stop(e)
	case actionResult:
		moved = m.result(e)
	case actionMessage:
		moved = m.message(e)
	}
	if moved && m.options.Progress != nil {
		m.options.Progress(m.snapshot())
	}
}

func (m *monitor) start(e entry) (moved bool) {
	a := &activity{kind: e.Type}
	m.activities[e.ID] = a
	if e.Type == actBuild && len(e.Fields) > 0 {
		a.drv = e.Fields[0].text
		a.job.Name = store.DerivationName(a.drv)
	}
	return e.Type == actBuild
}

func (m *monitor) stop(e entry) (moved bool) {
	a := m.activities[e.ID]
	if a == nil {
		return false
	}
	delete(m.activities, e.ID)
	m.finished[a.kind] += a.count.Done
	return a.kind == actBuild || a.kind == actFileTransfer
}

func (m *monitor) result(e entry) (moved bool) {
	a := m.activities[e.ID]
	if a == nil {
		return false
	}
	number := func(i int) int64 {
		if i >= len(e.Fields) {
			return 0
		}
		return min(max(0, e.Fields[i].number), maxNumber)
	}
	switch e.Type {
	case resProgress:
		// A download that starts again counts from 0 again.
		a.count = Count{
			Done:     max(a.count.Done, number(0)),
			Expected: max(a.count.Expected, number(1)),
			Running:  number(2),
		}
		return a.kind == actBuilds || a.kind == actCopyPaths || a.kind == actFileTransfer
	case resSetExpected:
		if number(0) == actFileTransfer {
			a.expected = max(a.expected, number(1))
			return true
		}
	case resBuildLogLine, resSetPhase:
		if a.kind != actBuild || len(e.Fields) == 0 {
			return false
		}
		text := lastVisible(e.Fields[0].text)
		a.job.Line = text
		if e.Type == resBuildLogLine {
			m.keep(a.drv, text)
			m.tell(Message{Level: LevelTalkative, Text: a.job.Name + "> " + text})
		}
		return true
	}
	return false
}

// keep adds a line to the end of a build's log.
func (m *monitor) keep(drv, line string) {
	lines := append(m.logs[drv], line)
	if len(lines) > logTail {
		lines = slices.Delete(lines, 0, len(lines)-logTail)
	}
	m.logs[drv] = lines
}

func (m *monitor) message(e entry) (moved bool) {
	text := plain(e.Msg)
	if e.Level == LevelTalkative && strings.HasPrefix(text, "evaluating file ") {
		m.state.Files++
		return true
	}
	raw, isError := errorText(e)
	switch {
	case isError:
		m.errors = append(m.errors, report{raw: raw, full: text})
		e.Level = LevelError
	case e.Level == LevelError:
		// builtins.trace and remarks to an error come at this level too.
		e.Level = LevelNotice
		for _, prefix := range []string{"trace: warning: ", "trace: evaluation warning: "} { // of lib.warn
			if rest, ok := strings.CutPrefix(text, prefix); ok {
				e.Level, text = LevelWarning, rest
			}
		}
	case e.Level == LevelInfo && m.state.Phase == Querying:
		m.notes = append(m.notes, strings.Split(text, "\n")...)
	}
	text = strings.TrimPrefix(text, "warning: ")
	if e.Level == LevelWarning && lockFileWritten.MatchString(text) {
		// Nothing is wrong with creating or updating it, but the user's folder
		// changes.
		e.Level = LevelNotice
	}
	if !expectedMessage(text) {
		m.tell(Message{Level: e.Level, Text: text})
	}
	return false
}

func (m *monitor) tell(message Message) {
	if m.options.Message != nil {
		m.options.Message(message)
	}
}

var lockFileWritten = regexp.MustCompile(`^(?:creating|updating) lock file ['"]`)

// expectedMessages are warnings about what is done here on purpose or what
// the user knows.
var expectedMessages = []string{
	"Git tree '",
	`Git tree "`,
	"not writing modified lock file of flake",
	"you did not specify '--add-root'",
	"(use '--show-trace'",
}

func expectedMessage(text string) bool {
	return slices.ContainsFunc(expectedMessages, func(start string) bool {
		return strings.HasPrefix(text, start)
	})
}

// snapshot sums the activities up.
func (m *monitor) snapshot() Progress {
	s := &m.state
	builds, paths, downloads := m.sum(actBuilds), m.sum(actCopyPaths), m.sum(actFileTransfer)
	var expected int64
	s.Jobs = nil
	for _, id := range slices.Sorted(maps.Keys(m.activities)) {
		a := m.activities[id]
		if a.kind == actRealise {
			expected += a.expected
		}
		if a.kind == actBuild {
			s.Jobs = append(s.Jobs, a.job)
		}
	}
	downloads.Expected = max(downloads.Expected, expected)
	s.Builds, s.Paths, s.Downloads = s.Builds.advance(builds), s.Paths.advance(paths), s.Downloads.advance(downloads)
	return *s
}

// sum adds the counts of all activities of a type, running or stopped.
func (m *monitor) sum(kind int) Count {
	sum := Count{Done: m.finished[kind], Expected: m.finished[kind]}
	for _, a := range m.activities {
		if a.kind == kind {
			sum.Done += a.count.Done
			sum.Expected += max(a.count.Expected, a.count.Done)
			sum.Running += a.count.Running
		}
	}
	return sum
}

// advance returns the new count, raised to the old one where that is higher:
// Nix takes back expectations when something fails.
func (c Count) advance(to Count) Count {
	done := max(c.Done, to.Done)
	return Count{Done: done, Expected: max(c.Expected, to.Expected, done), Running: to.Running}
}

// interrupted reports whether Nix says that it got a signal.
func (m *monitor) interrupted() bool {
	return slices.ContainsFunc(m.errors, func(e report) bool {
		return strings.Contains(e.raw, "interrupted by the user")
	})
}
