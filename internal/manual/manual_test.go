package manual

import (
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// overstruck is how terminals of old make letters bold.
var overstruck = regexp.MustCompile(`.\x08`)

func TestParse(t *testing.T) {
	got := Parse("One\ntwo.\n\n  a --b\n    c\n\n\n  not verbatim\nthree\n")
	want := []Block{Paragraph("One two."), Verbatim("  a --b\n    c"), Paragraph("not verbatim three")}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Parse(" \n\n"); got != nil {
		t.Errorf("nothing is %q", got)
	}
}

// TestText breaks lines, and puts meanings beside short terms.
func TestText(t *testing.T) {
	blocks := []Block{
		Heading("Flags"),
		Paragraph("one two three four five"),
		List{{"-a", "FILE", "what it does is said"}, {"--much-longer-than-others", "", "below"}},
		Verbatim("  as   it stands"),
		Usage("it FILE"),
	}
	const want = `Flags:

one two three four
five

  -a FILE  what it
           does is
           said
  --much-longer-than-others
           below

  as   it stands

  it FILE
`
	if got := Text(blocks, 20); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// texts are what roff may take for something else.
var texts = []string{
	"plain words",
	".SH no macro, 'nor this, at the beginning",
	"'apostrophe first",
	`back\slash \fBnot bold\fR \" no comment \n(.x \*(xx`,
	"--flags-with-dashes, - alone, a-b",
	`"quotes" and 'these' and ` + "`those`",
	"~/.ssh ^caret naïve … × 漢字",
	"say 'livebuild iso .#x --test' now",
	"a word. Another (--yes) and -v",
	strings.Repeat("long lines are broken . and ' stay text ", 10),
	"$NAME %s {{.}} | < > & #",
}

// TestRoff has mandoc and groff read what comes out, and looks whether it is what went in.
func TestRoff(t *testing.T) {
	mandoc := judge.Path(t, "mandoc", "mandoc")
	for _, text := range texts {
		page := Page{
			Name: "it-self", Section: 1, Short: text, Date: "2026-01-02", Source: "it 1.0",
			Blocks: []Block{
				Heading("Description"), Paragraph(text), Usage("it FILE"), Verbatim("  " + text), List{{text, "FILE", text}, {"-x", "", text}},
				Heading("Examples"), Verbatim("  " + text),
			},
		}
		var b strings.Builder
		if err := page.WriteRoff(&b); err != nil {
			t.Fatal(err)
		}
		lint := exec.Command(mandoc, "-T", "lint", "-W", "warning")
		lint.Stdin = strings.NewReader(b.String())
		if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%q: mandoc: %v\n%s%s", text, err, out, b.String())
		}
		// Bold commands lose the quotes around them, here and there.
		bare := func(text string) string {
			return strings.Join(strings.Fields(strings.ReplaceAll(overstruck.ReplaceAllString(text, ""), "'", "")), "")
		}
		for name, cmd := range map[string]*exec.Cmd{
			"mandoc": exec.Command(mandoc, "-T", "utf8", "-O", "width=200"),
			"groff":  exec.Command(judge.Path(t, "groff-base", "groff"), "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-rLL=200n", "-rHY=0", "-K", "utf8", "-ww"),
		} {
			cmd.Stdin = strings.NewReader(b.String())
			shown := judge.Output(t, cmd)
			if n := strings.Count(bare(shown), bare(text)); n != 7 { // name, paragraph, list, verbatim
				t.Errorf("%q: %s shows it %d times in\n%s", text, name, n, shown)
			}
		}
	}
}
