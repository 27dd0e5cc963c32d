package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScale(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	report := filepath.Join(t.TempDir(), "report.md")
	for _, words := range [][]string{{"5x900", "2x300"}, {"1x1+1G"}} { // the second keeps what the first found
		if err := scale(t.Context(), append([]string{"-report", report}, words...)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(beside(report, ".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := scale(t.Context(), []string{"-report", report, "2x300"}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(beside(report, ".json")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("what was there is measured again: %s\n%s\n%v", before, after, err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	two, five, large := strings.Index(string(text), "\n| 2 | 300 |"), strings.Index(string(text), "\n| 5 | 900 |"), strings.Index(string(text), "\n| 1 | 1 | 1 |")
	if two < 0 || five < two || large < five || !strings.Contains(string(text), "](report-scale.svg)") {
		t.Errorf("the report is\n%s", text)
	}
	if chart, err := os.ReadFile(beside(report, "-scale.svg")); err != nil || strings.Count(string(chart), "<path class=\"ours\"") != 4 {
		t.Errorf("the chart is\n%s\n%v", chart, err)
	}
	for _, word := range []string{"", "5", "0x0", "5x4", "1x1+x", "1x1+-1G"} {
		if _, err := parseShape(word); err == nil {
			t.Errorf("%q is taken for a size", word)
		}
	}
}
