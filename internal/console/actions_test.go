package console

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/progress"
)

func newActionsTest(said *strings.Builder) *Console {
	return New(said, Options{Actions: true, Words: inWords, Advice: func(error) string { return "" }})
}

// TestActions has tasks alone folded, those side by side not, and what is wrong annotated.
func TestActions(t *testing.T) {
	var said strings.Builder
	c := newActionsTest(&said)
	play(c)
	want := `::group::evaluating .#exampleIso
it is made live
::warning title=livebuild::an option is old
::endgroup::
evaluated exampleIso (T)
::group::building
::endgroup::
built 3 store paths (T)
::group::packing
::endgroup::
writing /dev/sdx
writing /dev/sdy
syncing
packed 3 store paths (T)
verifying /dev/sdx
/dev/sdy: failed: input/output error
/dev/sdx: wrote 1.0 GB (T)
::error title=livebuild::1 of 2 disks failed%0Ahint: take another one
`
	if got := took.ReplaceAllString(said.String(), "(T)"); got != want {
		t.Errorf("it said\n%s\nwant\n%s", got, want)
	}
	for _, way := range []string{Plain, Quiet} {
		said.Reset()
		c := newActionsTest(&said)
		c.Choose(way)
		play(c)
		if strings.Contains(said.String(), "::") {
			t.Errorf("%s: it said\n%s", way, said.String())
		}
	}
}

// What a failed build said comes before the annotation, and data is one line.
func TestActionsFailure(t *testing.T) {
	var said, out strings.Builder
	c := newActionsTest(&said)
	task := progress.Begin(c, "building", "100%\nfoo")
	task.Fail(errors.New("no"), nil)
	progress.Begin(c, "booting", "")
	if err := c.Result(&out, "bios-cd: came up: ::error::"); err != nil {
		t.Fatal(err)
	}
	*c.Verbose() = true
	c.Report(errors.New("two\nlines: 100%\r"), Explanation{Log: []string{"make: ***", "::add-mask::a"}, Detail: "all\nof it"})
	want := `::group::building 100%25%0Afoo
::endgroup::
::group::booting
::endgroup::
  > make: ***
  > ::add-mask::a
all
of it
::error title=livebuild::two%0Alines: 100%25%0D
`
	if said.String() != want {
		t.Errorf("it said\n%s\nwant\n%s", said.String(), want)
	}
}

// command is what the runner takes for one (actions/runner, src/Runner.Common/ActionCommand.cs),
// however it compares texts.
var (
	command   = regexp.MustCompile(`^\s*::|##\[`)
	invisible = regexp.MustCompile(`[\x00-\x08\x0e-\x1f\x{ad}\x{200b}-\x{200f}\x{2060}\x{feff}]`)
)

// checkInert checks that no line of what a console showed of a text is a command, but its own.
func checkInert(t *testing.T, text string) {
	t.Helper()
	var said, out strings.Builder
	c := newActionsTest(&said)
	c.Line(text)
	task := progress.Begin(c, "building", text)
	task.Phase(text)
	c.Warn(text)
	if err := c.Result(&out, text); err != nil {
		t.Fatal(err)
	}
	task.Fail(errors.New(text), text)
	c.Report(errors.New(text), Explanation{Log: []string{text}, Detail: text, Hint: text})
	own := 0
	for _, line := range regexp.MustCompile(`[\r\n]`).Split(said.String()+out.String(), -1) {
		switch {
		case regexp.MustCompile(`^::(group|endgroup|(warning|error) title=livebuild)::`).MatchString(line):
			own++
		case command.MatchString(invisible.ReplaceAllString(line, "")):
			t.Errorf("%q gives the line %q", text, line)
		}
	}
	if own != 4 {
		t.Errorf("%q: %d commands of its own, want 4:\n%s", text, own, said.String())
	}
}

var hostile = []string{
	"plain", "::error::x", "  ::add-mask::x", "a\n::stop-commands::x", "a\r::stop-commands::x", "a ##[add-path]/tmp",
	"\u00ad::error::x", ":\u200b:error::x", "#\x1b[0m#[error]x", "#\x00#[error]x", "\u2003::error::x", ":", "\x1b[31m::error::x", "%0A::error::x",
	"##\r[error]", "##[[error]x",
}

func TestActionsInert(t *testing.T) {
	for _, text := range hostile {
		checkInert(t, text)
	}
}

func FuzzActions(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "::") { // which may be one of its own
			text = text[1:]
		}
		checkInert(t, text)
	})
}
