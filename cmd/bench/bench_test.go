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
	"github.com/livebuild/livebuild/internal/readback"
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
	lz4, err := selectRows([]string{"lz4"})
	if err != nil {
		t.Fatal(err)
	}
	measure := func(runs int) *benchmark {
		b, err := newBenchmark(t.Context(), dir, t.TempDir(), "", runs)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.afresh(t.Context(), lz4[0]); err != nil {
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
	if got := ours.readers(); len(got) != readback.Readers() {
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

	for range 2 { // the second time nothing is left to do
		if err := errors.Join(b.uncached(t.Context(), lz4[0]), b.crowd(t.Context(), lz4[0])); err != nil {
			t.Fatal(err)
		}
	}
	if ours, theirs, ok := b.fromDisk(lz4[0]); !ok || len(ours) != 2 || len(theirs) != 2 {
		t.Errorf("from a cold page cache: %+v and %+v", ours, theirs)
	}
	if crowd, ok := b.crowded(lz4[0]); !ok || len(crowd) != 1 || crowd[0].Workers != many || crowd[0].SHA256 != ours[0].SHA256 {
		t.Errorf("with many workers: %+v", crowd)
	}

	b.runs = 0 // only the report is wanted
	before := len(b.results.records)
	if err := errors.Join(b.afresh(t.Context(), allRows[0]), b.reuse(t.Context(), allRows[12]), b.crowd(t.Context(), lz4[0])); err != nil || len(b.results.records) != before {
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
		strings.Count(got, "\n| lz4 | 2 | ") != 3 || !strings.Contains(got, " MiB | yes |\n") || !strings.Contains(got, " 3 of 3 |\n") {
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
	lz4, err := selectRows([]string{"lz4"})
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
	lz4, err := selectRows([]string{"lz4"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.livebuild(t.Context(), lz4[0], b.corpus.a, ""); err != nil {
		t.Fatal(err)
	}
	b.scratch = t.TempDir()
	if _, err := b.readBack(t.Context(), b.image(lz4[0], b.corpus.a), b.corpus.b); err == nil {
		t.Error("the image of variant a passes for variant b")
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

func TestSelectTasks(t *testing.T) {
	names := func(words ...string) string {
		t.Helper()
		tasks, err := selectTasks(words)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, task := range tasks {
			all = append(all, task.prefix+task.name)
		}
		return strings.Join(all, " ")
	}
	if got := names("reuse:xz", "zstd:3", "uncached:lz4"); got != "reuse:xz zstd:3 uncached:lz4" {
		t.Errorf("selected are %s", got)
	}
	// What is compared with the rows of the first table comes after them.
	if got := names(); !strings.HasPrefix(got, "none lz4 ") || !strings.Contains(got, " xz:x86 reuse:lz4 reuse:zstd:19 reuse:xz uncached:lz4 ") {
		t.Errorf("without words: %s", got)
	}
	for _, word := range []string{"zstd:4", "reuse:gzip:1", "reuse:", "uncached:xz"} {
		if _, err := selectTasks([]string{word}); err == nil {
			t.Errorf("%s is taken for a row", word)
		}
	}
	if rows, err := selectRows(nil); err != nil || len(rows) != len(allRows) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if _, err := selectRows([]string{"reuse:lz4"}); err == nil {
		t.Error("a question is taken for a row")
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
