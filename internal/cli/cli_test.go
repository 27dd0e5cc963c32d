package cli

import (
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/cli/create"
	"github.com/livebuild/livebuild/internal/cli/disk"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/machine"
	"github.com/livebuild/livebuild/internal/cli/request"
)

// Flags that belong together have a heading, and those that matter most have none.
func TestHelpHeadings(t *testing.T) {
	var out strings.Builder
	a := &app{&face.App{Out: &out, Console: newConsole(&strings.Builder{})}}
	root := a.rootCommand()
	root.SetArgs([]string{"iso", "--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(out.String(), "\n\n") {
		heading, rest, _ := strings.Cut(part, ":\n")
		sections[heading] = rest
	}
	for heading, flags := range map[string][]string{
		"Flags":               {"--output", "--compression", "--reuse", "--write", "--test", "--json"},
		request.AboutChanges:  {"--module", "--ssh-key", "--volume-id"},
		create.AboutPapers:    {"--checksum", "--manifest"},
		disk.AboutDisks:       {"--yes", "--stall-timeout"},
		machine.AboutBoots:    {"--modes", "--memory"},
		"Passed to Nix":       {"--offline", "--max-jobs"},
		"Flags of every verb": {"--progress", "--verbose"},
	} {
		for _, flag := range flags {
			if !strings.Contains(sections[heading], flag+" ") {
				t.Errorf("%s is not under %q:\n%s", flag, heading, sections[heading])
			}
		}
	}
	if n := strings.Count(sections["Flags"], "--"); n > 16 {
		t.Errorf("%d flags come first", n)
	}
}

func TestProgressVariable(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "auto": "", "json": "", "tty": `LIVEBUILD_PROGRESS needs auto, plain, json or quiet, not "tty"`,
	} {
		t.Setenv(progressVariable, value)
		got := ""
		if err := chooseDefault(newConsole(&strings.Builder{})); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// A flag's former name works, and its new one is said.
func TestFormerNames(t *testing.T) {
	for _, test := range []struct{ verb, old, now string }{{"test", "timeout=x", "test-timeout"}, {"run", "serial=x", "console"}} {
		var said strings.Builder
		a := &app{&face.App{Out: &strings.Builder{}, Console: newConsole(&said)}}
		root := a.rootCommand()
		root.SetArgs([]string{test.verb, "x.iso", "--" + test.old})
		err := root.Execute()
		old, _, _ := strings.Cut(test.old, "=")
		if err == nil || !strings.Contains(err.Error(), "--"+test.now) {
			t.Errorf("%s: %v, want an error about --%s", test.old, err, test.now)
		}
		if want := "warning: --" + old + " is --" + test.now + " now: "; strings.Count(said.String(), want) != 1 {
			t.Errorf("%q, want %q once", said.String(), want)
		}
	}
}
