package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/cli/face"
)

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		text string
		unit byte
		want int64 // -1: none
	}{
		{"20G", 'B', 20 << 30},
		{"2048", 'M', 2 << 30},
		{"512", 'B', 512},
		{"1k", 'B', 1 << 10},
		{"1K", 'B', 1 << 10},
		{"3MiB", 'B', 3 << 20},
		{"3mb", 'B', 3 << 20},
		{"2t", 'B', 2 << 40},
		{"8388607T", 'B', 8388607 << 40},
		{"8388608T", 'B', -1}, // 2^63
		{"999999999999999", 'G', -1},
		{"1000000000000000", 'B', -1}, // too many digits to be meant
		{"", 'M', -1},
		{"G", 'M', -1},
		{"-1", 'M', -1},
		{"1.5G", 'M', -1},
		{"1 G", 'M', -1},
		{"0x10", 'M', -1},
	} {
		got, err := parseSize(test.text, test.unit)
		if err != nil {
			got = -1
		}
		if got != test.want {
			t.Errorf("%q in %c: %d, %v, want %d", test.text, test.unit, got, err, test.want)
		}
	}
}

func TestOutputPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		"":            "x.iso",
		".":           "x.iso",
		"folder":      "folder/x.iso",
		"folder/":     "folder/x.iso",
		"absent/":     "absent/x.iso",
		"absent":      "absent",
		"file":        "file",
		"y.iso":       "y.iso",
		"folder/y":    "folder/y",
		"./folder/..": "x.iso",
	} {
		if got := outputPath(output, "x.iso"); got != filepath.FromSlash(want) {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}

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
		aboutChanges:          {"--module", "--ssh-key", "--volume-id"},
		aboutDisks:            {"--yes", "--stall-timeout"},
		aboutBoots:            {"--modes", "--memory"},
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
