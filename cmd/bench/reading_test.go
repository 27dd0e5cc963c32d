package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestReading reads both images of a small corpus through the kernel.
func TestReading(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	judge.Root(t)
	dir := makeCorpus(t)
	report := filepath.Join(dir, "report.md")
	for range 2 { // the second time nothing is left to do
		if err := reading(t.Context(), []string{"-corpus", dir, "-report", report, "-runs", "1", "lz4"}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := openResults(filepath.Join(dir, "results.jsonl"), report)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.records) != 4 || len(all.kept) != 4 {
		t.Errorf("%d runs, of which the report keeps %d; want 4 and 4, of small files and of all", len(all.records), len(all.kept))
	}
	text, err := os.ReadFile(report)
	if err != nil || strings.Count(string(text), "\n| lz4 | 1 | ") != 2 {
		t.Errorf("the report is\n%s\n%v", text, err)
	}
}
