package human

import (
	"math"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 kB", 1049: "1.0 kB", 1050: "1.1 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		42_991_616: "43.0 MB", 256_060_514_304: "256.1 GB", math.MaxInt64: "9.2 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		part, whole int64
		want        string
	}{{0, 0, "0 %"}, {0, 7, "0 %"}, {1, 3, "33 %"}, {2, 3, "66 %"}, {999, 1000, "99 %"}, {7, 7, "100 %"}} {
		if got := Percent(test.part, test.whole); got != test.want {
			t.Errorf("%d of %d: %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 disks", 1: "1 disk", 2: "2 disks"} {
		if got := Count(n, "disk"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 1240 * time.Millisecond: "1.2 s", 59 * time.Second: "59.0 s", time.Minute: "1m0s", 3*time.Hour + 400*time.Millisecond: "3h0m0s",
	} {
		if got := Seconds(d); got != want {
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
		if got := Indent("error: ", text); got != want {
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
		if got := Cut(test.text, test.columns); got != test.want {
			t.Errorf("%q in %d columns: %q, want %q", test.text, test.columns, got, test.want)
		}
	}
}

func TestShellLine(t *testing.T) {
	words := []string{"qemu", "-drive", "if=none,file=a b", "", "it's", "$HOME", "#x"}
	want := `qemu -drive 'if=none,file=a b' '' 'it'\''s' '$HOME' '#x'`
	if got := ShellLine(words); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"a bb  ccc", 0, "  a bb  ccc"},
		{"a bb ccc", 80, "  a bb ccc"},
		{"aaa bbb ccc", 9, "  aaa bbb\n    ccc"},
		{"aaa bbb ccc", 8, "  aaa\n    bbb\n    ccc"},
		{"éé éé", 7, "  éé éé"},
		{"longer-than-all x", 5, "  longer-than-all\n    x"},
		{"", 5, "  "},
	} {
		if got := Wrap(c.line, "  ", c.columns); got != c.want {
			t.Errorf("%q in %d columns is %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"a b-é→🦊": "a b-é→🦊", "": "", "\x1b[2J": `"\x1b[2J"`, "a\nb": `"a\nb"`, "\u202egnp.exe": `"\u202egnp.exe"`, "x\xff": `"x\xff"`, "\u200b": `"\u200b"`,
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}
