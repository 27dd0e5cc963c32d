// Package chart draws diagrams as SVG images, which follow the reader's colour scheme.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Point is one of a series in a chart.
type Point struct {
	X, Y  float64
	Label string
	Open  bool // drawn as a ring
}

// Line is a series of points, joined in their order.
type Line struct {
	Class  string // "ours" or "theirs": the colour, and on which side labels are
	Points []Point
}

// Panel is one diagram of a chart.
type Panel struct {
	Title, X, Y string // what it shows, and what the axes are
	Lines       []Line
	Zero        bool // the axes begin at 0; else they show what there is
}

// Sizes of a panel in pixels: the whole of it, and what is around the diagram.
const (
	panelWidth, panelHeight = 330, 270
	leftMargin, rightMargin = 58, 26
	topMargin, bottomMargin = 34, 44
	panelsInRow             = 3
)

const chartStyle = `<style>
svg { --paper: #ffffff; --ink: #24292f; --faint: #d8dee4; --ours: #0b62c4; --theirs: #b8470b }
@media (prefers-color-scheme: dark) {
svg { --paper: #0d1117; --ink: #d5dbe2; --faint: #30363d; --ours: #6cb2ff; --theirs: #ff9d57 } }
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink) }
.title { font-weight: 600; font-size: 13px }
.label { font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px }
.paper { fill: var(--paper) }
.grid { stroke: var(--faint) }
path.ours, path.theirs { stroke-width: 1.5; fill: none }
path.ours, circle.ours { stroke: var(--ours) } path.theirs, circle.theirs { stroke: var(--theirs) }
text.ours, circle.ours { fill: var(--ours) } text.theirs, circle.theirs { fill: var(--theirs) }
circle.open { fill: var(--paper) }
</style>
`

// Draw draws panels with a legend after them as an SVG image, which follows the reader's
// colour scheme. The legend is lines of text; one that begins with the class of a line and a colon
// is about that.
func Draw(about string, panels []Panel, legend []string) string {
	columns := min(panelsInRow, len(panels)+1)
	rows := (len(panels) + columns) / columns // the legend is a panel, too
	width, height := columns*panelWidth, rows*panelHeight
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(about))
	s.WriteString(chartStyle)
	fmt.Fprintf(&s, `<rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	place := func(i int) (x, y int) { return i % columns * panelWidth, i / columns * panelHeight }
	for i, p := range panels {
		x, y := place(i)
		fmt.Fprintf(&s, `<g transform="translate(%d %d)">`+"\n%s</g>\n", x, y, p.draw())
	}
	x, y := place(len(panels))
	fmt.Fprintf(&s, `<g transform="translate(%d %d)">`+"\n%s</g>\n</svg>\n", x, y, drawLegend(legend))
	return s.String()
}

func drawLegend(legend []string) string {
	var s strings.Builder
	for i, text := range legend {
		x, y := leftMargin, topMargin+22*i
		class, rest, found := strings.Cut(text, ": ")
		kind, _, _ := strings.Cut(class, " ")
		if found && (kind == "ours" || kind == "theirs") {
			fmt.Fprintf(&s, `<circle class="%s" cx="%d" cy="%d" r="4"/>`, class, x, y-4)
			text, x = rest, x+12
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d">%s</text>`+"\n", x, y, html.EscapeString(text))
	}
	return s.String()
}

func (p Panel) draw() string {
	var xs, ys []float64
	for _, l := range p.Lines {
		for _, pt := range l.Points {
			xs, ys = append(xs, pt.X), append(ys, pt.Y)
		}
	}
	const right, bottom = panelWidth - rightMargin, panelHeight - bottomMargin
	h, v := newAxis(xs, leftMargin, right, p.Zero), newAxis(ys, bottom, topMargin, p.Zero)
	var s strings.Builder
	fmt.Fprintf(&s, `<text class="title" x="%d" y="18">%s</text>`+"\n", leftMargin, html.EscapeString(p.Title))
	for _, tick := range h.ticks {
		fmt.Fprintf(&s, `<path class="grid" d="M%.1f %dV%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			h.at(tick), topMargin, bottom, h.at(tick), bottom+16, number(tick))
	}
	for _, tick := range v.ticks {
		fmt.Fprintf(&s, `<path class="grid" d="M%d %.1fH%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			leftMargin, v.at(tick), right, leftMargin-6, v.at(tick)+4, number(tick))
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (leftMargin+right)/2, bottom+34, html.EscapeString(p.X+h.about()))
	fmt.Fprintf(&s, `<text transform="translate(13 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (topMargin+bottom)/2, html.EscapeString(p.Y+v.about()))
	for _, l := range p.Lines {
		var d strings.Builder
		for i, pt := range l.Points {
			fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(i, 1)], h.at(pt.X), v.at(pt.Y))
		}
		fmt.Fprintf(&s, `<path class="%s" d="%s"/>`+"\n", l.Class, d.String())
	}
	for _, l := range p.Lines {
		for _, pt := range l.Points {
			class, dx, dy, anchor := l.Class, 6, -6, "start" // theirs to the upper right, where they should be
			if l.Class == "ours" {
				dx, dy, anchor = -6, 14, "end"
				if h.at(pt.X) < leftMargin+50 {
					dx, anchor = 6, "start"
				}
			} else if h.at(pt.X) > right-50 {
				dx, anchor = -6, "end"
			}
			if pt.Open {
				class += " open"
			}
			fmt.Fprintf(&s, `<circle class="%s" cx="%.1f" cy="%.1f" r="4"/>`, class, h.at(pt.X), v.at(pt.Y))
			fmt.Fprintf(&s, `<text class="label %s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n",
				l.Class, h.at(pt.X)+float64(dx), v.at(pt.Y)+float64(dy), anchor, html.EscapeString(pt.Label))
		}
	}
	return s.String()
}

// axis maps values to pixels.
type axis struct {
	low, high float64
	from, to  float64 // pixels of low and high
	log       bool
	ticks     []float64
}

// logFrom is from which ratio of the greatest to the least value on an axis is logarithmic.
const logFrom = 8

func newAxis(values []float64, from, to int, zero bool) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, value := range values {
		low, high = min(low, value), max(high, value)
	}
	if len(values) == 0 {
		low, high = 0, 1
	}
	a := axis{from: float64(from), to: float64(to), log: !zero && low > 0 && high/low > logFrom}
	switch {
	case zero:
		a.low, a.high = 0, high*1.05
	case a.log:
		room := math.Pow(high/low, 0.08)
		a.low, a.high = low/room, high*room
	default:
		room := max((high-low)*0.2, high*0.02)
		a.low, a.high = low-room, high+room
	}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	a.ticks = a.findTicks()
	return a
}

// findTicks are the round values between the ends, about five.
func (a axis) findTicks() []float64 {
	var ticks []float64
	if a.log {
		steps := []float64{1, 2, 5}
		if a.high/a.low > 200 {
			steps = steps[:1]
		}
		for power := math.Pow(10, math.Floor(math.Log10(a.low))); power <= a.high; power *= 10 {
			for _, step := range steps {
				if t := step * power; t >= a.low && t <= a.high {
					ticks = append(ticks, t)
				}
			}
		}
		return ticks
	}
	raw := (a.high - a.low) / 4
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{5, 2} {
		if step*factor <= raw*1.3 {
			step *= factor
			break
		}
	}
	for n := math.Ceil(a.low / step); n*step <= a.high; n++ {
		ticks = append(ticks, n*step)
	}
	return ticks
}

func (a axis) at(value float64) float64 {
	share := (value - a.low) / (a.high - a.low)
	if a.log {
		share = math.Log(value/a.low) / math.Log(a.high/a.low)
	}
	return a.from + share*(a.to-a.from)
}

func (a axis) about() string {
	if a.log {
		return ", logarithmic"
	}
	return ""
}

// number is a value as people write it: a million as "1M".
func number(value float64) string {
	suffix := ""
	switch {
	case value >= 1e6:
		value, suffix = value/1e6, "M"
	case value >= 1e4:
		value, suffix = value/1e3, "k"
	}
	return strconv.FormatFloat(math.Round(value*1e4)/1e4, 'f', -1, 64) + suffix
}
