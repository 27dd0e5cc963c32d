package cli

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 kB", 1049: "1.0 kB", 1050: "1.1 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		42_991_616: "43.0 MB", 256_060_514_304: "256.1 GB", math.MaxInt64: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		part, whole int64
		want        string
	}{{0, 0, "0 %"}, {0, 7, "0 %"}, {1, 3, "33 %"}, {2, 3, "66 %"}, {999, 1000, "99 %"}, {7, 7, "100 %"}} {
		if got := percent(test.part, test.whole); got != test.want {
			t.Errorf("%d of %d: %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 disks", 1: "1 disk", 2: "2 disks"} {
		if got := count(n, "disk"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 1240 * time.Millisecond: "1.2 s", 59 * time.Second: "59.0 s", time.Minute: "1m0s", 3*time.Hour + 400*time.Millisecond: "3h0m0s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "error: ",
		"one":                "error: one",
		"one\n":              "error: one",
		"one\ntwo":           "error: one\n       two",
		"one\n\nthree\n\n\n": "error: one\n\n       three",
	} {
		if got := indent("error: ", text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü…", 3, "äö…"}, {"abc", 1, "…"}, {"abc", 0, "abc"}, {"abc", -5, "abc"}, {"", 3, ""}} {
		if got := cut(test.text, test.columns); got != test.want {
			t.Errorf("%q in %d columns: %q, want %q", test.text, test.columns, got, test.want)
		}
	}
}

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

func TestShellLine(t *testing.T) {
	words := []string{"qemu", "-drive", "if=none,file=a b", "", "it's", "$HOME", "#x"}
	want := `qemu -drive 'if=none,file=a b' '' 'it'\''s' '$HOME' '#x'`
	if got := shellLine(words); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Flags that belong together have a heading, and those that matter most have none.
func TestHelpHeadings(t *testing.T) {
	var out strings.Builder
	a := &app{out: &out, console: newConsole(&strings.Builder{})}
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
