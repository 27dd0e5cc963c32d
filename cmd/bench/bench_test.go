package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestMain lets this program be its own child.
func TestMain(m *testing.M) {
	if child := childOf(os.Args); child != nil {
		if err := child(context.Background(), os.Args[2:]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(judge.Main(m))
}

// makeCorpus makes what corpus.sh makes, of two small packages.
func makeCorpus(t *testing.T) string {
	t.Helper()
	mksquashfs := judge.Path(t, "squashfs-tools", "mksquashfs")
	dir := t.TempDir()
	t.Cleanup(func() { // store paths are read-only, and only root removes what is in such folders
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(path, 0o755)
			}
			return err
		})
	})
	add := func(name, contents string) string {
		folder := filepath.Join(t.TempDir(), name)
		write(t, filepath.Join(folder, "bin", "tool"), contents)
		if err := os.Symlink("tool", filepath.Join(folder, "bin", "alias")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(judge.Path(t, "nix-bin", "nix-store"), "--store", filepath.Join(dir, "store"), "--add", folder)
		cmd.Env = append(os.Environ(), "NIX_CONFIG=build-users-group =")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	steady := add("steady-1.0", strings.Repeat("the same in both variants\n", 100_000))
	before, after := add("small-1.0", "before"), add("small-1.0", "after")
	write(t, filepath.Join(dir, "a.paths"), steady+before)
	write(t, filepath.Join(dir, "b.paths"), steady+after)
	write(t, filepath.Join(dir, "README"), "a.paths: 2 store paths\ncorpus 7\n")
	write(t, filepath.Join(dir, "mksquashfs.version"), "the machine's own\n")
	if err := os.Symlink(mksquashfs, filepath.Join(dir, "mksquashfs")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, contents string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBenchmark(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	dir := makeCorpus(t)
	lz4, _, _, err := selectRows([]string{"lz4"})
	if err != nil {
		t.Fatal(err)
	}
	measure := func(runs int) *benchmark {
		b, err := newBenchmark(t.Context(), dir, t.TempDir(), "", runs)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.cold(t.Context(), lz4[0]); err != nil {
			t.Fatal(err)
		}
		return b
	}
	measure(1)
	b := measure(2) // goes on where the first ended
	ours, theirs := b.done(lz4[0], b.corpus.a, livebuild), b.done(lz4[0], b.corpus.a, mksquashfs)
	if len(b.results.records) != 4 || len(ours) != 2 || len(theirs) != 2 {
		t.Fatalf("%d runs of livebuild and %d of mksquashfs in %d records, want 2 and 2", len(ours), len(theirs), len(b.results.records))
	}
	if got := ours.readers(); len(got) != len(readers) {
		t.Errorf("read by %q", got)
	}
	if size := ours[0].Size; size == 0 || size >= 2_600_000 || ours[0].CPU == 0 || ours[0].Memory == 0 {
		t.Errorf("measured %+v", ours[0])
	}

	if err := b.reuse(t.Context(), lz4[0]); err != nil {
		t.Fatal(err)
	}
	if again := b.done(lz4[0], b.corpus.b, reusing); len(again) != 2 || again[0].Reused == 0 || again[0].Reused >= again[0].Data {
		t.Errorf("reused: %+v", again)
	}

	b.runs = 0 // only the report is wanted
	before := len(b.results.records)
	if err := errors.Join(b.cold(t.Context(), coldRows[0]), b.reuse(t.Context(), coldRows[7])); err != nil || len(b.results.records) != before {
		t.Errorf("%d runs were made, want none: %v", len(b.results.records)-before, err)
	}

	report := filepath.Join(dir, "report.md")
	write(t, report, "# Benchmarks\n\n## Others\n\ntheirs\n")
	for range 2 {
		if err := b.report(report); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); strings.Count(got, "## Packing") != 1 || !strings.Contains(got, "## Others\n\ntheirs\n") ||
		strings.Count(got, "\n| lz4 | 2 | ") != 2 || !strings.Contains(got, " 3 of 3 |\n") {
		t.Errorf("the report is\n%s", got)
	}
}

// TestChecking measures what checks an image, with the program itself.
func TestChecking(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	dir := makeCorpus(t)
	if err := os.Symlink(judge.Path(t, "squashfs-tools", "unsquashfs"), filepath.Join(dir, "unsquashfs")); err != nil {
		t.Fatal(err)
	}
	judge.Path(t, "genisoimage", "isoinfo")
	_, _, lz4, err := selectRows([]string{"verify:lz4"})
	if err != nil || len(lz4) != 1 {
		t.Fatal(lz4, err)
	}
	b, err := newBenchmark(t.Context(), dir, t.TempDir(), "", 2)
	if err != nil {
		t.Fatal(err)
	}
	b.program = filepath.Join(t.TempDir(), "livebuild")
	if out, err := exec.Command("go", "build", "-o", b.program, "./cmd/livebuild").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range 2 { // the second time nothing is left to do
		if err := b.checking(t.Context(), lz4[0]); err != nil {
			t.Fatal(err)
		}
	}
	ran := map[string]int{}
	for _, rec := range b.results.records {
		ran[rec.Tool]++
		if rec.CPU <= 0 || rec.Memory <= 0 {
			t.Errorf("measured %+v", rec)
		}
	}
	for _, tool := range checkers {
		if ran[tool] != 2 {
			t.Errorf("%d runs of %s, want 2", ran[tool], tool)
		}
	}
	if table := b.checkTable(); !strings.Contains(table, "\n| lz4 | 2 | ") || !strings.Contains(table, "\n| xz | none | |") {
		t.Errorf("the table is\n%s", table)
	}
}

// An image that is not its source must not pass.
func TestVerifyFindsDifferences(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	b, err := newBenchmark(t.Context(), makeCorpus(t), "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	lz4, _, _, err := selectRows([]string{"lz4"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.livebuild(t.Context(), lz4[0], b.corpus.a, ""); err != nil {
		t.Fatal(err)
	}
	want, err := manifestOf(b.corpus.b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t.Context(), b.image(lz4[0], b.corpus.a), t.TempDir(), want); err == nil {
		t.Error("the image of variant a passes for variant b")
	}
}

func TestCompareManifests(t *testing.T) {
	want := manifest{"a": "-r--r--r-- 1", "b": "L a"}
	for name, got := range map[string]manifest{
		"missing":     {"a": "-r--r--r-- 1"},
		"too much":    {"a": "-r--r--r-- 1", "b": "L a", "c": "L a"},
		"permissions": {"a": "-r-xr-xr-x 1", "b": "L a"},
		"target":      {"a": "-r--r--r-- 1", "b": "L b"},
	} {
		if want.compare(got) == nil {
			t.Errorf("%s: no difference found", name)
		}
	}
	if err := want.compare(manifest{"a": "-r--r--r-- 1", "b": "L a"}); err != nil {
		t.Error(err)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		walls []float64
		want  float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
	} {
		var s series
		for _, w := range test.walls {
			s = append(s, record{Wall: w})
		}
		if got := s.median(wall); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.walls, got, test.want)
		}
	}
}

func TestSelectRows(t *testing.T) {
	cold, reuse, _, err := selectRows(nil)
	if err != nil || len(cold) != len(coldRows) || len(reuse) != 3 {
		t.Errorf("without words: %d and %d rows, %v", len(cold), len(reuse), err)
	}
	cold, reuse, _, err = selectRows([]string{"zstd:3", "reuse:xz"})
	if err != nil || len(cold) != 1 || cold[0].name != "zstd:3" || len(reuse) != 1 || reuse[0].name != "xz" {
		t.Errorf("%v, %v, %v", cold, reuse, err)
	}
	for _, word := range []string{"zstd:4", "reuse:gzip:1", "reuse:"} {
		if _, _, _, err := selectRows([]string{word}); err == nil {
			t.Errorf("%s is taken for a row", word)
		}
	}
}

// A report keeps the rows that a later run elsewhere does not measure.
func TestReportKeepsRows(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.md")
	runs := func(rowName string, ours, theirs float64) []record {
		return []record{
			{Corpus: "7", Packer: "p", Row: rowName, Variant: "a", Tool: livebuild, Wall: ours, Size: 90e6, Machine: "A machine", Of: 3},
			{Corpus: "7", Packer: "p", Row: rowName, Variant: "a", Tool: mksquashfs, Wall: theirs, Size: 100e6, Machine: "A machine", Of: 3},
		}
	}
	made := func(records []record) string {
		t.Helper()
		all, err := openResults(filepath.Join(t.TempDir(), "results.jsonl"), report)
		if err != nil {
			t.Fatal(err)
		}
		all.records = records
		b := &benchmark{corpus: &corpus{key: "7", a: variant{name: "a"}, b: variant{name: "b"}}, results: all}
		if err := b.report(report); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	made(append(runs("lz4", 1, 2), runs("zstd:3", 8, 4)...))
	text := made(runs("zstd:6", 5, 6))
	for _, want := range []string{
		"| lz4 | 3 | 1.00 | 2.00 |", "| zstd:3 | 3 | 8.00 | 4.00 |", "| zstd:6 | 3 | 5.00 | 6.00 |",
		"2 of 3 settings", "| zstd:3 | 4.00 | 100.0 | **no**: zstd:3 in 2.00 of the time, 0.900 of the size |",
		"![Size of the image over the time to pack it](report.svg)", "- Machine: A machine.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if text := made(runs("lz4", 3, 4)); !strings.Contains(text, "| lz4 | 3 | 3.00 | 4.00 |") {
		t.Errorf("what was measured again is not what the report has:\n%s", text)
	}
}

// What runs of mksquashfs are left behind by runs of the same compressor, whatever their names.
func TestAnswer(t *testing.T) {
	ours := []setting{{"zstd:3", 4, 100}, {"zstd:6", 5, 90}, {"lz4", 1, 50}}
	for _, test := range []struct {
		theirs setting
		want   string
	}{
		{setting{"zstd:3", 6, 110}, "zstd:6"},
		{setting{"zstd:1", 4.5, 110}, "zstd:3"},
		{setting{"zstd:1", 4, 110}, ""},
		{setting{"gzip:1", 90, 900}, ""},
	} {
		if got, ok := answer(test.theirs, ours); got.name != test.want || ok != (test.want != "") {
			t.Errorf("%v is left behind by %q, want %q", test.theirs, got.name, test.want)
		}
	}
}
