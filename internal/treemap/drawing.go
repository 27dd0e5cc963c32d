package treemap

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// Measures of a drawing, in pixels as they are by default.
const (
	width, height  = 1600, 1000
	headHeight     = 84 // title and legend
	groupHeader    = 22
	groupEdge      = 3
	leastTile      = 2   // of a side
	letter         = 8.2 // of a bold font
	smallestGroupW = 80
	smallestGroupH = 70
	levels         = 3
)

// drawingStyle is what a drawing has beside the colours.
const drawingStyle = `#map { background: var(--page); }
text { font: 13px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: var(--ink); }
.title { font-size: 24px; font-weight: 600; } .name { font-weight: 600; } .dim { fill: var(--dim); }
.group { fill: var(--group); stroke: var(--line); }
`

// drawing is one that is written.
type drawing struct {
	*bufio.Writer
	room *inspection.Room
}

// WriteSVG writes a drawing of the parts down to packages, with what is known of each as its title,
// which browsers show where the pointer is (SVG 2 §5.7).
func (m Map) WriteSVG(w io.Writer) error {
	d := drawing{bufio.NewWriter(w), m.Room}
	title := human.Printable(m.Title)
	fmt.Fprintf(d, `<?xml version="1.0" encoding="UTF-8"?>
<svg id="map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title about">
<title id="title">%s: what takes the room</title>
<desc id="about">%s</desc>
<style>%s</style>
`, width, height, width, height, escape(title), escape(m.words()), escape(style+drawingStyle))
	fmt.Fprintf(d, "<text class=\"title\" x=\"4\" y=\"26\">%s</text>\n", escape(human.Cut(title, 80)))
	fmt.Fprintf(d, "<text class=\"dim\" x=\"4\" y=\"48\">%s</text>\n", escape(human.Cut(human.Printable(m.About), 200)))
	x := 4.0
	for _, h := range legend() {
		fmt.Fprintf(d, "<rect class=\"%s\" x=\"%.0f\" y=\"60\" width=\"13\" height=\"13\" rx=\"2\"/><text class=\"dim\" x=\"%.0f\" y=\"71\">%s</text>\n", h.Class, x, x+19, escape(h.Name))
		x += 19 + float64(len(h.Name)+2)*letter
	}
	d.parts(place{part: m.Room.Root}, Rect{0, headHeight, width, height - headHeight}, 1)
	fmt.Fprintln(d, "</svg>")
	return d.Flush() // with the first error of all
}

// escape is text in XML. What XML cannot have, such as control characters, is replaced.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes all
	return b.String()
}

// words are the largest parts in a sentence.
func (m Map) words() string {
	root := m.Room.Root
	var names []string
	for _, p := range largest(root, 20) {
		names = append(names, fmt.Sprintf("%s %s (%s)", label(p.part), human.Size(p.part.Size), share(p.part.Size, root.Size)))
	}
	return human.Printable(m.About) + ". The largest parts: " + strings.Join(names, ", ") + "."
}

// parts draws what a part holds.
func (d drawing) parts(of place, in Rect, level int) {
	parts := slices.Clone(of.part.Parts)
	slices.SortStableFunc(parts, func(a, b *inspection.Part) int { return cmp.Compare(b.Size, a.Size) })
	weights := make([]float64, len(parts))
	for i, p := range parts {
		weights[i] = float64(p.Size)
	}
	for i, r := range Layout(weights, in) {
		p := of.child(parts[i])
		most := levels
		if r.W*r.H*6 > width*(height-headHeight) {
			most = 2 * levels // of what is large, more is seen
		}
		switch {
		case r.W < leastTile || r.H < leastTile:
		case level < most && (level == 1 || isFolder(p.part)) && len(p.part.Parts) > 0 && r.W > smallestGroupW && r.H > smallestGroupH:
			d.group(p, r, level)
		default:
			d.tile(p, r)
		}
	}
}

func (d drawing) group(p place, r Rect, level int) {
	d.begin(p, r)
	fmt.Fprint(d, `<rect class="group" width="100%" height="100%" rx="3"/>`)
	d.text(r.W, "name", 16, label(p.part)+"  "+human.Size(p.part.Size))
	fmt.Fprintln(d, "</svg>")
	d.parts(p, Rect{r.X + groupEdge, r.Y + groupHeader, r.W - 2*groupEdge, r.H - groupHeader - groupEdge}, level+1)
}

func (d drawing) tile(p place, r Rect) {
	d.begin(p, r)
	fmt.Fprintf(d, `<rect class="%s" width="100%%" height="100%%" rx="2"/>`, class(p.part))
	if r.W > 44 && r.H > 20 {
		d.text(r.W, "name", 16, label(p.part))
	}
	if r.W > 60 && r.H > 38 {
		d.text(r.W, "size", 33, human.Size(p.part.Size))
	}
	fmt.Fprintln(d, "</svg>")
}

// begin begins a rectangle, beyond which nothing of it is seen, with a gap to the next one.
func (d drawing) begin(p place, r Rect) {
	fmt.Fprintf(d, `<svg x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title>`, r.X, r.Y, r.W-1, r.H-1, escape(d.about(p)))
}

// text writes what fits of a line into a width.
func (d drawing) text(width float64, class string, below float64, line string) {
	fmt.Fprintf(d, `<text class="%s" x="5" y="%.0f">%s</text>`, class, below, escape(human.Cut(line, int((width-8)/letter))))
}

// about is all that is known of a part.
func (d drawing) about(p place) string {
	root := d.room.Root
	text := fmt.Sprintf("%s\n%s\n%s on the medium, %s of the image\n%s when read", label(p.part), p.path(),
		human.Size(p.part.Size), share(p.part.Size, root.Size), human.Size(p.part.Bytes))
	if p.part.Files > 1 {
		text += ", " + human.Count(p.part.Files, "file")
	}
	if names := chain(d.room.Needs, p.need()); len(names) > 1 {
		text += "\nneeded by " + strings.Join(names, " → ")
	}
	return text
}
