package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// summarises runs iso in a folder, and returns what the summary got.
func (c call) summarises(t *testing.T, args ...string) (o outcome, summary string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "summary.md")
	o = c.livebuild(t, append([]string{"iso", "--summary", file}, args...)...)
	if o.status != 0 {
		t.Fatalf("%q: status %d\n%s", args, o.status, o.stderr)
	}
	return o, string(readFile(t, file))
}

// differenceIn is what a summary says of the image before: nothing, or what diff says of files, with
// another level of headings.
func differenceIn(t *testing.T, summary string) (head, rest string) {
	t.Helper()
	_, found, _ := strings.Cut(summary, "\n\n**")
	if found == "" {
		return "", ""
	}
	head, rest, _ = strings.Cut(found, ":** ")
	return head, strings.ReplaceAll(strings.TrimSpace(rest), "\n#### ", "\n### ")
}

// TestSummarySince holds what the summary says of the image before against what diff says of the files:
// the one that is replaced, one that is named, one that is remembered.
func TestSummarySince(t *testing.T) {
	t.Parallel()
	mini, folder, cache := miniISO(t), t.TempDir(), t.TempDir()
	c := call{dir: folder, env: []string{"XDG_CACHE_HOME=" + cache}}
	here := func(name string) string { return filepath.Join(folder, name) }
	diff := func(a, b string) string {
		_, text, _ := strings.Cut(c.livebuild(t, "diff", "--markdown", a, b).stdout, ":** ")
		return strings.TrimSpace(text)
	}
	check := func(t *testing.T, summary, name, was, is string) {
		t.Helper()
		head, rest := differenceIn(t, summary)
		if want := diff(was, here(is)); head != name+" → "+is || rest != want {
			t.Errorf("it says %q, %q, want %q, %q", head, rest, name+" → "+is, want)
		}
	}
	special := miniFlake(t) + "#mini-special"

	if _, summary := c.summarises(t, special, "-o", "alone.iso", "--reuse", "none"); strings.Contains(summary, "→") {
		t.Errorf("of one image alone it says\n%s", summary)
	}
	if _, summary := (call{dir: folder}).summarises(t, special, "-o", "alone.iso"); !strings.Contains(summary, "the same, byte by byte") {
		t.Errorf("of the same image again it says\n%s", summary)
	}
	if err := os.Remove(here("alone.iso")); err != nil {
		t.Fatal(err)
	}

	writeFile(t, here("x.iso"), readFile(t, mini.File))
	_, summary := c.summarises(t, special, "-o", "x.iso", "--reuse", "none")
	check(t, summary, "the earlier x.iso", mini.File, "x.iso")
	if !strings.Contains(summary, "#### Menu entries") {
		t.Errorf("it says\n%s", summary)
	}
	_, summary = c.summarises(t, special, "-o", "y.iso", "--reuse", mini.File)
	check(t, summary, strings.ReplaceAll(mini.File, "_", `\_`), mini.File, "y.iso")
	_, summary = c.summarises(t, miniFlake(t)+"#mini", "-o", "z.iso") // x.iso or y.iso is remembered
	if head, rest := differenceIn(t, summary); !strings.HasSuffix(head, " → z.iso") || rest != diff(here("x.iso"), here("z.iso")) {
		t.Errorf("it says %q, %q", head, rest)
	}

	// A good image is not thrown away for the sake of its summary.
	damaged := readFile(t, mini.File)
	writeFile(t, here("x.iso"), damaged[:len(damaged)/2])
	o, summary := call{dir: folder}.summarises(t, special, "-o", "x.iso")
	if !strings.Contains(o.stderr, "warning: the summary does not say what differs from the earlier x.iso: ") || strings.Contains(summary, "→") {
		t.Errorf("of a damaged image it says\n%s\n%s", summary, o.stderr)
	}
	judge(t, "diffutils", "cmp", here("x.iso"), here("y.iso"))

	// What is compressed as a whole is expanded.
	for _, want := range []string{"", "the same, byte by byte"} {
		_, summary = c.summarises(t, filepath.Join(miniFlake(t), "iso.nix"), "-I", "nixpkgs="+miniFlake(t), "-o", "c.iso.zst", "--reuse", "none")
		if !strings.Contains(summary, want) || want == "" && strings.Contains(summary, "→") {
			t.Errorf("it says\n%s, want %q", summary, want)
		}
	}
}
