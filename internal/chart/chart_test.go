package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// A chart is well-formed, has what it is given, and no two ticks at one place.
func TestDraw(t *testing.T) {
	chart := Draw("a & b", []Panel{
		{Title: "a <panel>", X: "s", Y: "MB", Lines: []Line{{"ours", []Point{{1, 733.2, "lz4", false}, {1000, 741, "lz4:hc", true}}}}},
		{Title: "one point", Lines: []Line{{"theirs", []Point{{3, 3, "none", false}}}}},
		{Title: "nothing", Zero: true},
	}, []string{"ours: ours"})
	dec := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, chart)
		}
	}
	for _, want := range []string{"a &lt;panel&gt;", "s, logarithmic", ">100<", ">lz4:hc<", `class="ours open"`, "prefers-color-scheme: dark"} {
		if !strings.Contains(chart, want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
	for _, values := range [][]float64{{1}, {0.001, 0.0012}, {1, 9e9}, {17, 18}, {}} {
		a := newAxis(values, 0, 100, false)
		if len(a.ticks) < 2 || len(a.ticks) > 12 {
			t.Errorf("of %v the ticks are %v", values, a.ticks)
		}
		for i, tick := range a.ticks {
			if at := a.at(tick); at < 0 || at > 100.001 || i > 0 && at <= a.at(a.ticks[i-1]) {
				t.Errorf("of %v tick %v is at %v", values, tick, at)
			}
		}
	}
}
