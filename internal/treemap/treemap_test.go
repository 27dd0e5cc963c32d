package treemap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/inspection"
)

// TestLayout checks that rectangles have the areas of their weights, lie beside each other within the
// whole, and are not far from squares.
func TestLayout(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		in := Rect{random.Float64() * 10, random.Float64() * 10, 50 + random.Float64()*1000, 50 + random.Float64()*1000}
		weights, sum := make([]float64, 1+random.IntN(300)), 0.0
		for i := range weights {
			weights[i] = math.Floor(math.Exp(random.Float64() * 12))
			sum += weights[i]
		}
		slices.SortFunc(weights, func(a, b float64) int { return int(b - a) })
		weights = append(weights, 0, 0)
		rects := Layout(weights, in)
		for i, r := range rects {
			if want := weights[i] / sum * in.W * in.H; math.Abs(r.W*r.H-want) > 1e-6*in.W*in.H {
				t.Fatalf("weight %d of %d has an area of %g, want %g", i, len(weights), r.W*r.H, want)
			}
			const slack = 1e-6
			if weights[i] > 0 && (r.X < in.X-slack || r.Y < in.Y-slack || r.X+r.W > in.X+in.W+slack || r.Y+r.H > in.Y+in.H+slack) {
				t.Fatalf("%+v is not in %+v", r, in)
			}
			for _, other := range rects[:i] {
				if min(r.X+r.W, other.X+other.W)-max(r.X, other.X) > slack && min(r.Y+r.H, other.Y+other.H)-max(r.Y, other.Y) > slack {
					t.Fatalf("%+v and %+v overlap", r, other)
				}
			}
		}
	}
	// Of equal weights in a square, one that fits is square itself.
	for _, r := range Layout(slices.Repeat([]float64{1}, 16), Rect{0, 0, 100, 100}) {
		if ratio := r.W / r.H; ratio < 0.6 || ratio > 1.7 {
			t.Errorf("of sixteen equal ones, %+v is no square", r)
		}
	}
	if got := Layout([]float64{0, 0}, Rect{0, 0, 9, 9}); got[0].W*got[0].H != 0 {
		t.Errorf("nothing has the area %+v", got[0])
	}
}

// hostile are names as they could be on a medium.
var hostile = []string{
	`</script><script>window.pwned=1</script>`, `<img src=x onerror="window.pwned=1">`, `"onmouseover="window.pwned=1`, `]]>&amp;&lt;`,
	"\x1b[2J\a", "\u202egnp.exe", "broken\xff\xfe", "{{.Data}}", "<!--", "javascript:window.pwned=1", "__proto__", "constructor", "\u2028\u2029",
}

// sample is a Room with a package, a boot file, tables and hostile names everywhere.
func sample() *inspection.Room {
	p := func(kind inspection.PartKind, name string, size, bytes int64, need int, parts ...*inspection.Part) *inspection.Part {
		part := &inspection.Part{Name: name, Kind: kind, Size: size, Bytes: bytes, Files: 1, Need: need, Parts: parts}
		part.Packed = kind == inspection.StorePathPart || kind == inspection.PackagePart || strings.HasPrefix(name, "packed")
		for _, of := range parts {
			part.Size += of.Size
			part.Bytes += of.Bytes
			part.Files += of.Files
		}
		return part
	}
	const hash = "0123456789abcdfghijklmnpqrsvwxyz-"
	room := &inspection.Room{Needs: []inspection.Need{{}, {Path: "/nix/store/" + hash + "top"}, {Path: "/nix/store/" + hash + "glibc-2.40", By: 1}}}
	var bad []*inspection.Part
	for i, name := range hostile {
		room.Needs = append(room.Needs, inspection.Need{Path: "/nix/store/" + hash + name, By: 2})
		bad = append(bad, p(inspection.StorePathPart, hash+name, int64(90000-i*1000), int64(200000+i*10000), len(room.Needs)-1,
			p(inspection.FilePart, "packed"+name, 50000, 60000, 0), p(inspection.FolderPart, name, 0, 0, 0, p(inspection.FilePart, "packed file", 10000, 90000, 0))))
	}
	glibc := p(inspection.PackagePart, "glibc", 0, 0, 0,
		p(inspection.StorePathPart, hash+"glibc-2.40", 0, 0, 2, p(inspection.FilePart, "packed libc.so", 700000, 2000000, 0)),
		p(inspection.StorePathPart, hash+"glibc-2.40-bin", 300000, 1600000, 0))
	tail := []*inspection.Part{}
	for i := range 300 {
		tail = append(tail, p(inspection.FilePart, fmt.Sprintf("packed-%03d", i), int64(40-i/10), 100, 0))
	}
	store := p(inspection.FileSystemPart, "nix-store.squashfs", 0, 0, 0, slices.Concat([]*inspection.Part{glibc}, bad, tail,
		[]*inspection.Part{p(inspection.SmallerPart, "", 5000, 9000, 0)})...)
	room.Root = p(inspection.FolderPart, "LABEL", 0, 0, 0, store, p(inspection.FolderPart, "boot", 0, 0, 0, p(inspection.FilePart, "bzImage", 800000, 800000, 0)),
		p(inspection.TablesPart, "tables, directories and gaps", 200000, 200000, 0))
	return room
}

func sampleMap() Map {
	return Map{Title: hostile[0] + ".iso", About: "a sample, " + hostile[1], Room: sample()}
}

// TestSame checks that a map is the same every time, and that write errors come back.
func TestSame(t *testing.T) {
	for name, write := range map[string]func(Map, io.Writer) error{"HTML": Map.WriteHTML, "SVG": Map.WriteSVG} {
		var a, b bytes.Buffer
		if err := errors.Join(write(sampleMap(), &a), write(sampleMap(), &b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("two pieces of %s differ, %v", name, err)
		}
		if err := write(sampleMap(), full{}); !errors.Is(err, errFull) {
			t.Errorf("%s into a full disk: %v", name, err)
		}
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestSVG checks that a drawing is well-formed whatever names there are, and that all that it
// tells of a part is there.
func TestSVG(t *testing.T) {
	var b bytes.Buffer
	if err := sampleMap().WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&b)
	elements := map[string]int{}
	var titles []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		elements[start.Name.Local]++
		for _, a := range start.Attr {
			if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") || a.Name.Local == "href" {
				t.Errorf("%s has the attribute %s", start.Name.Local, a.Name.Local)
			}
		}
		if start.Name.Local == "title" {
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			titles = append(titles, text)
		}
	}
	for name := range elements {
		if !slices.Contains([]string{"svg", "title", "desc", "style", "text", "rect"}, name) {
			t.Errorf("the drawing has an element %s", name)
		}
	}
	all := strings.Join(titles, "\n")
	for _, want := range []string{
		"glibc\n/nix-store.squashfs\n1.0 MB on the medium,", "3.6 MB when read, 4 files\nneeded by top → glibc-2.40",
		`<img src=x onerror="window.pwned=1">` + "\n/nix/store/0123456789abcdfghijklmnpqrsvwxyz-<img", "bzImage\n/boot/bzImage\n800.0 kB on the medium", `"\x1b[2J\a"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no title has %q:\n%s", want, all)
		}
	}
}

// TestContrast holds the text on all colours, in light and dark, against WCAG 2.2, success criterion
// 1.4.3: 4.5 to 1.
func TestContrast(t *testing.T) {
	blocks := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllStringSubmatch(style, -1)
	if len(blocks) != 2 {
		t.Fatalf("there are %d sets of colours", len(blocks))
	}
	for _, block := range blocks {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block[1], -1) {
			colours[m[1]] = m[2]
		}
		for name := range colours {
			if slices.Contains([]string{"ink", "dim", "line", "focus"}, name) {
				continue
			}
			if ratio := contrast(t, colours["ink"], colours[name]); ratio < 4.5 {
				t.Errorf("text on %s, %s, has a contrast of %.2f", name, colours[name], ratio)
			}
		}
		for _, pair := range [][2]string{{"dim", "page"}, {"dim", "group"}, {"focus", "page"}} {
			if ratio := contrast(t, colours[pair[0]], colours[pair[1]]); ratio < 4.5 {
				t.Errorf("%s on %s has a contrast of %.2f", pair[0], pair[1], ratio)
			}
		}
	}
}

// contrast is the ratio of the relative luminances of two colours.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(colour string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
