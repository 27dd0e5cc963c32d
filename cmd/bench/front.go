package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/chart"
)

// setting is what packing with a row's compression took, one of the points of a front.
type setting struct {
	name       string
	wall, size float64 // seconds, bytes
}

// family is the compressor of a setting: within one, what reads the image works alike.
func (s setting) family() string {
	name, _, _ := strings.Cut(s.name, ":")
	return name
}

// label is what is told of a setting within its family.
func (s setting) label() string {
	_, level, leveled := strings.Cut(s.name, ":")
	if !leveled {
		return s.name
	}
	return level
}

// beats says whether a setting takes less time than another and makes a smaller image.
func (s setting) beats(other setting) bool { return s.wall < other.wall && s.size < other.size }

// settingsOf are the settings that a tool was measured with, from the fastest on.
func (b *benchmark) settingsOf(tool string) []setting {
	var all []setting
	for _, r := range allRows {
		ours, theirs, ok := b.whole(r)
		if !ok {
			continue
		}
		s := ours
		if tool == mksquashfs {
			s = theirs
		}
		all = append(all, setting{r.name, s.median(wall), s.median(imageSize)})
	}
	slices.SortStableFunc(all, func(a, b setting) int { return cmp.Compare(a.wall, b.wall) })
	return all
}

// answer is the setting of ours that beats one of theirs, of those in its family the one with the
// smallest image.
func answer(theirs setting, ours []setting) (setting, bool) {
	var best setting
	found := false
	for _, o := range ours {
		if o.family() == theirs.family() && o.beats(theirs) && (!found || o.size < best.size) {
			best, found = o, true
		}
	}
	return best, found
}

// drawFront draws size over time, family by family.
func drawFront(ours, theirs []setting) string {
	var panels []chart.Panel
	for _, r := range allRows {
		family := setting{name: r.name}.family()
		if slices.ContainsFunc(panels, func(p chart.Panel) bool { return p.Title == family }) {
			continue
		}
		p := chart.Panel{Title: family, X: "seconds", Y: "MB"}
		for _, tool := range []struct {
			class string
			all   []setting
		}{{"theirs", theirs}, {"ours", ours}} {
			l := chart.Line{Class: tool.class}
			for _, s := range tool.all {
				if s.family() != family {
					continue
				}
				pt := chart.Point{X: s.wall, Y: s.size / 1e6, Label: s.label()}
				if tool.class == "theirs" {
					_, pt.Open = answer(s, ours)
				}
				l.Points = append(l.Points, pt)
			}
			p.Lines = append(p.Lines, l)
		}
		if len(p.Lines[0].Points) > 0 {
			panels = append(panels, p)
		}
	}
	return chart.Draw("Size of the image over the time to pack it, for livebuild and mksquashfs", panels, []string{
		"ours: livebuild", "theirs open: mksquashfs, left behind:", "one of ours is faster and smaller",
		"theirs: mksquashfs, not left behind", "Lower and further left is better.",
	})
}

// frontTable says of each setting of mksquashfs whether one of ours is left of it and below.
func (b *benchmark) frontTable(report string) string {
	ours, theirs := b.settingsOf(livebuild), b.settingsOf(mksquashfs)
	if len(theirs) == 0 {
		return ""
	}
	beaten := 0
	var rows strings.Builder
	for _, t := range theirs {
		verdict := ""
		if best, ok := answer(t, ours); ok {
			beaten++
			verdict = "yes: " + ratios(best, t)
		} else {
			i := slices.IndexFunc(ours, func(o setting) bool { return o.name == t.name })
			verdict = "**no**: " + ratios(ours[i], t)
		}
		fmt.Fprintf(&rows, "| %s | %.2f | %.1f | %s |\n", t.name, t.wall, t.size/1e6, verdict)
	}
	return fmt.Sprintf(`### Size over time

![Size of the image over the time to pack it](%s)

%d of %d settings of mksquashfs are left behind: for them livebuild has a setting of the same compressor
that takes less time and makes a smaller image.

| mksquashfs | wall s | image MB | left behind by a setting of livebuild |
|---|---|---|---|
%s
`, filepath.Base(beside(report, ".svg")), beaten, len(theirs), rows.String())
}

// ratios says what a setting takes of another's time and size.
func ratios(s, of setting) string {
	return fmt.Sprintf("%s in %.2f of the time, %.3f of the size", s.name, s.wall/of.wall, s.size/of.size)
}
