package report

import (
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/difference"
	"github.com/livebuild/livebuild/internal/inspection"
)

// hostileSides have names that mean something to Markdown, to terminals and to tables.
func hostileSides() (a, b *difference.Side) {
	const hash = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-"
	a = &difference.Side{Name: "a*b_.iso", Known: difference.Exact, Image: &inspection.Image{VolumeID: "A|B", Size: 1000}}
	b = &difference.Side{Name: "<b>.iso", Known: difference.Exact, Image: &inspection.Image{VolumeID: "`](http://x) @user", Size: 3000, Label: "\x1b[2J"}}
	a.Paths = []difference.Path{{Path: hash + "x`y-1.0", Size: 10}, {Path: hash + "|pipe-1", Size: 5}}
	b.Paths = []difference.Path{{Path: hash + "x`y-1.1", Size: 30}, {Path: hash + "![i](u)-2", Size: 7}}
	return a, b
}

func TestDifferenceText(t *testing.T) {
	var out strings.Builder
	if err := NewDifference(hostileSides()).Text(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a*b_.iso → <b>.iso: packages: 1 updated, 1 added, 1 removed; volume ID A|B → `](http://x) @user; 1.0 kB → 3.0 kB (+2.0 kB)\n",
		"label      none → \"\\x1b[2J\"\n", "store      2 → 2 store paths, 15 B → 37 B (+22 B)\n", "packages updated\n  x`y  1.0 → 1.1  +20 B\n", "packages removed\n  |pipe  1  −5 B\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a name could do something to a terminal")
	}
}

// TestDifferenceMarkdown checks that nothing of a name has a meaning: each is in a span of code, or
// without what has.
func TestDifferenceMarkdown(t *testing.T) {
	var out strings.Builder
	if err := NewDifference(hostileSides()).Markdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`**a\*b\_.iso → \<b\>.iso:** packages: 1 updated, 1 added, 1 removed; volume ID A\|B → ` + "\\`\\](http\\://x) \\@user; ",
		"| volume ID | `A\\|B` | `` `](http://x) @user `` |\n", "| `` x`y `` | `1.0 → 1.1` | +20 B |\n", "| `![i](u)` | `2` | +7 B |\n", "| `\\|pipe` | `1` | −5 B |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, &out)
		}
	}
	for _, rows := range strings.Split(out.String(), "\n\n") {
		cells := 0
		for line := range strings.Lines(rows) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if cells > 0 && n != cells {
				t.Errorf("a table of %d bars has a row %q", cells, line)
			}
			cells = n
		}
	}
}
