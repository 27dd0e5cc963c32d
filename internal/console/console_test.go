package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/livebuild/livebuild/internal/progress"
)

func inWords(fact any) string { return fmt.Sprint(fact) }

func newTest(w io.Writer) *Console {
	return New(w, Options{Words: inWords, Advice: func(error) string { return "" }})
}

// play is a run: a build, an image, and two disks, one of which breaks.
func play(c *Console) {
	evaluating := progress.Begin(c, "evaluating", ".#exampleIso")
	evaluating.Moved("", progress.Count{Of: progress.Files, Done: 1})
	progress.Note(c, "it is made live")
	c.Warn("an option is old")
	evaluating.End("evaluated exampleIso")
	building := progress.Begin(c, "building", "")
	for i := range int64(3) {
		building.Moved("gcc> making all in libstdc++-v3, with a line that goes on for longer than any screen is wide, and a bit more",
			progress.Count{Of: progress.Builds, Done: i, Total: 3}, progress.Count{Of: progress.Downloads, Done: 5e6 * i, Total: 2e7})
	}
	building.End("built 3 store paths")
	packing := progress.Begin(c, "packing", "")
	packing.Bytes(0, 1e9)
	packing.Phase("packing")
	disks := []*progress.Task{progress.Begin(c, "writing", "/dev/sdx"), progress.Begin(c, "writing", "/dev/sdy")}
	for _, d := range disks {
		d.Bytes(4e8, 0)
	}
	packing.Bytes(1e9, 1e9)
	packing.Phase("syncing")
	packing.End("packed 3 store paths")
	disks[0].Phase("verifying")
	disks[0].Bytes(4e8, 1e9)
	disks[1].Fail(errors.New("input/output error"), "/dev/sdy: failed: input/output error")
	disks[0].End("/dev/sdx: wrote 1.0 GB")
	c.Finish()
	c.Report(errors.New("1 of 2 disks failed"), Explanation{Hint: "take another one", Detail: "not shown"})
}

var took = regexp.MustCompile(`\(\d+\.\d s\)`)

func TestPlain(t *testing.T) {
	var said strings.Builder
	c := newTest(&said)
	play(c)
	want := `evaluating .#exampleIso
it is made live
warning: an option is old
evaluated exampleIso (T)
building
built 3 store paths (T)
packing
writing /dev/sdx
writing /dev/sdy
syncing
packed 3 store paths (T)
verifying /dev/sdx
/dev/sdy: failed: input/output error
/dev/sdx: wrote 1.0 GB (T)
error: 1 of 2 disks failed
hint: take another one
`
	if got := took.ReplaceAllString(said.String(), "(T)"); got != want {
		t.Errorf("it said\n%s\nwant\n%s", got, want)
	}
}

func TestQuiet(t *testing.T) {
	var said strings.Builder
	c := newTest(&said)
	c.Choose(Quiet)
	play(c)
	want := "warning: an option is old\n/dev/sdy: failed: input/output error\nerror: 1 of 2 disks failed\nhint: take another one\n"
	if said.String() != want {
		t.Errorf("it said\n%s\nwant\n%s", said.String(), want)
	}
}

// TestJSONLines reads lines with the fields that docs/programs.md names.
func TestJSONLines(t *testing.T) {
	var said strings.Builder
	c := newTest(&said)
	c.Choose(JSON)
	play(c)
	readme, err := os.ReadFile("../../docs/programs.md")
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(said.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for name := range e {
			if !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("docs/programs.md does not name the field %s", name)
			}
		}
		if e["version"] != 1.0 || e["time"] == "" {
			t.Errorf("%s", line)
		}
		events = append(events, strings.TrimSpace(fmt.Sprint(e["event"], " ", e["name"])))
		if e["event"] == "progress" && e["name"] == "verifying" && e["of"] != "/dev/sdx" {
			t.Errorf("%s", line)
		}
	}
	for _, want := range []string{"begin evaluating", "progress evaluating", "end evaluating", "note <nil>", "warning <nil>", "progress building",
		"begin syncing", "end syncing", "begin verifying", "fail writing", "end verifying", "error <nil>"} {
		if !slices.Contains(events, want) {
			t.Errorf("%q is missing in %q", want, events)
		}
	}
}

// fakeScreen does what a terminal does with what live lines need.
type fakeScreen struct {
	t              *testing.T
	columns, lines int
	shown          []string // lines, of which the cursor is behind the last
	live           int      // most lines that were taken away at once
}

func (s *fakeScreen) size() (columns, lines int) { return s.columns, s.lines }

var controls = regexp.MustCompile(`^\x1b\[(\d+)A\r\x1b\[J`)

func (s *fakeScreen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		if m := controls.FindStringSubmatch(text); m != nil {
			n := 0
			fmt.Sscan(m[1], &n)
			if n > len(s.shown) || n >= s.lines {
				s.t.Fatalf("the cursor goes up %d lines of %d", n, len(s.shown))
			}
			s.shown, s.live = s.shown[:len(s.shown)-n], max(s.live, n)
			text = text[len(m[0]):]
			continue
		}
		line, rest, ended := strings.Cut(text, "\n")
		if !ended || strings.ContainsAny(line, "\r\x1b") {
			s.t.Fatalf("the screen is given %q", text)
		}
		if n := utf8.RuneCountInString(line); n >= s.columns {
			s.t.Errorf("a line of %d columns on a screen of %d: %q", n, s.columns, line)
		}
		s.shown, text = append(s.shown, line), rest
	}
	return len(p), nil
}

func TestTerminal(t *testing.T) {
	for _, width := range []int{40, 80, 200} {
		s := &fakeScreen{t: t, columns: width, lines: 24}
		c := newTest(s)
		c.view = newTerminal(s, &c.mu, c.options.Words)
		play(c)
		var plain strings.Builder
		play(newTest(&plain))
		var want []string
		for line := range strings.Lines(took.ReplaceAllString(plain.String(), "(T)")) {
			if word, _, _ := strings.Cut(line, " "); !strings.HasSuffix(strings.TrimSpace(word), "ing") {
				want = append(want, strings.TrimSpace(line)) // what is not about something at work
			}
		}
		got := took.ReplaceAllString(strings.Join(s.shown, "\n"), "(T)")
		if got != strings.Join(want, "\n") {
			t.Errorf("%d columns: the screen has\n%s\nwant\n%s", width, got, strings.Join(want, "\n"))
		}
		if s.live != 3 {
			t.Errorf("%d live lines at most, want 3", s.live)
		}
	}
}

// A question stays on the screen until it is answered.
func TestTerminalAsks(t *testing.T) {
	var said strings.Builder
	var mu sync.Mutex
	view := newTerminal(builderScreen{&said}, &mu, nil)
	view.ask("All of it will be lost. Type sdx: ")
	if !strings.HasSuffix(said.String(), "sdx: ") || !view.asking {
		t.Errorf("%q", said.String())
	}
	view.say(message{kind: note, text: "opening"})
	if view.asking {
		t.Error("it still asks")
	}
}

// builderScreen is a screen of the usual size.
type builderScreen struct{ *strings.Builder }

func (builderScreen) size() (columns, lines int) { return 80, 24 }

// Advice belongs to a warning that has some, and is never left out.
func TestAdvice(t *testing.T) {
	var said strings.Builder
	c := New(&said, Options{Words: inWords, Advice: func(err error) string {
		if err == io.EOF {
			return "look at its end"
		}
		return ""
	}})
	for range 2 * warningsMax {
		progress.Warn(c, errors.New("plain"))
	}
	progress.Warn(c, io.EOF)
	c.Finish()
	want := strings.Repeat("warning: plain\n", warningsMax) + "warning: EOF\nhint: look at its end\nwarning: 5 more; -v shows them\n"
	if said.String() != want {
		t.Errorf("it said\n%s\nwant\n%s", said.String(), want)
	}
}

func TestReport(t *testing.T) {
	var said strings.Builder
	c := newTest(&said)
	*c.Verbose() = true
	c.Report(errors.New("it broke"), Explanation{Log: []string{"gcc: no"}, Detail: "all\nof it", Hint: "mend it"})
	if want := "  > gcc: no\nerror: it broke\n  all\n  of it\nhint: mend it\n"; said.String() != want {
		t.Errorf("%q, want %q", said.String(), want)
	}
}
