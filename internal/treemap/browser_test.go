package treemap

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/judge"
)

// browser is a window of Chromium that shows a file, with all that went wrong in it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	failures []string
}

// openMap shows a page in a real browser. With LIVEBUILD_SCREENSHOTS set to a folder, pictures of it
// are kept there.
func openMap(t *testing.T, m Map) *browser {
	t.Helper()
	chromium := judge.Path(t, "chromium", "chromium")
	file := filepath.Join(t.TempDir(), "map.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.WriteHTML(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate("file://"+file), chromedp.WaitVisible(chromedp.CSS("#map button")))
	return b
}

// listen takes note of what a page that keeps to itself does not do.
func (b *browser) listen(event any) {
	failure := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "file://") || !strings.HasSuffix(e.Request.URL, "/map.html") {
			failure = "asks for " + e.Request.URL
		}
	case *runtime.EventExceptionThrown:
		failure = "throws " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		failure = "says " + e.Entry.Text // a violation of its policy, for one
	case *cdppage.EventJavascriptDialogOpening:
		failure = "asks " + e.Message
	}
	if failure != "" {
		b.mu.Lock()
		b.failures = append(b.failures, failure)
		b.mu.Unlock()
	}
}

// patience is how long a step may take: what waits for something that does not come is wrong.
const patience = time.Minute

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// call gives a command of the protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// value is what an expression of the page is.
func value[T any](b *browser, expression string, opts ...chromedp.EvaluateOption) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, opts...))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// screenshot keeps a picture if one is wanted.
func (b *browser) screenshot(name string) {
	folder := os.Getenv("LIVEBUILD_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o666); err != nil {
		b.t.Fatal(err)
	}
}

const (
	tileLabels = `[...document.querySelectorAll("#map button")].map(e => e.getAttribute("aria-label"))`
	wayNames   = `[...document.querySelectorAll("#way button")].map(e => e.textContent)`
	cardText   = `document.getElementById("card").hidden ? "" : document.getElementById("card").innerText`
	middleOf   = `(() => { const b = [...document.querySelectorAll("#map button")].find(e => e.getAttribute("aria-label").startsWith(%q)).getBoundingClientRect();
		return [b.left + b.width / 2, b.top + b.height / 2]; })()`
)

// click clicks on what a selector finds.
func (b *browser) click(selector string) {
	b.t.Helper()
	at := value[[]float64](b, fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()`, selector))
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

func (b *browser) expect(what, expression string, want ...string) {
	b.t.Helper()
	if got := value[[]string](b, expression); !slices.Equal(got, want) {
		b.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestBrowser goes through a page as people do, with names that want to do something to it.
func TestBrowser(t *testing.T) {
	b := openMap(t, sampleMap())
	b.screenshot("sample")
	labels := value[[]string](b, tileLabels)
	for _, want := range []string{"nix-store.squashfs, 2.9 MB, ", "glibc, 1.0 MB, ", "boot, 800.0 kB, ", "bzImage, 800.0 kB, ", `</script><script>window.pwned=1</script>, 150.0 kB, `} {
		if !slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("no part begins with %q: %q", want, labels)
		}
	}

	// The pointer above a part.
	at := value[[]float64](b, fmt.Sprintf(middleOf, "glibc, "))
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, at[0], at[1]))
	card := value[string](b, cardText)
	for _, want := range []string{"glibc\n", "1.0 MB, ", "3.6 MB, compressed to 27.8 %", "4 files", "top\nglibc-2.40"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
	b.screenshot("hover")

	// Into the package, and on; back by the way and by Escape.
	b.do(chromedp.MouseClickXY(at[0], at[1]))
	b.expect("in the package", wayNames, "the whole image", "nix-store.squashfs", "glibc")
	if labels := value[[]string](b, tileLabels); !slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "packed libc.so, 700.0 kB") }) {
		t.Errorf("the package holds %q", labels)
	}
	b.click(`#way button:nth-of-type(2)`)
	b.expect("by the way", wayNames, "the whole image", "nix-store.squashfs")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.expect("by Escape", wayNames, "the whole image")

	// By the keyboard alone.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#map button").focus()`), chromedp.KeyEvent(kb.ArrowDown))
	const focus = `document.activeElement.getAttribute("aria-label")`
	if at := value[string](b, focus); !strings.HasPrefix(at, hostile[0]) {
		t.Errorf("below the middle of the first part is %q", at)
	}
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	if at := value[string](b, focus); !strings.HasPrefix(at, "glibc, ") {
		t.Errorf("left of that is %q", at)
	}
	if card := value[string](b, cardText); !strings.HasPrefix(card, "glibc\n") {
		t.Errorf("the card of the part with the focus is %q", card)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.expect("by Enter", wayNames, "the whole image", "nix-store.squashfs", "glibc")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.expect("and back", wayNames, "the whole image", "nix-store.squashfs")

	// The other measure.
	b.click(`#measure label:nth-of-type(2)`)
	if labels := value[[]string](b, tileLabels); !strings.HasPrefix(labels[0], "glibc, 3.6 MB, ") {
		t.Errorf("when read, the first part is %q", labels[0])
	}

	// All that is too small to be seen, together.
	at = value[[]float64](b, fmt.Sprintf(middleOf, "300 smaller parts"))
	b.do(chromedp.MouseClickXY(at[0], at[1]))
	b.expect("in the small ones", wayNames, "the whole image", "nix-store.squashfs", "300 smaller parts")

	if value[bool](b, `"pwned" in window`) {
		t.Error("a name was run")
	}
	if n := value[int](b, `document.querySelectorAll("img, iframe, object, embed, link, a, form").length`); n != 0 {
		t.Errorf("names became %d elements", n)
	}
	for _, failure := range b.failures {
		t.Errorf("the page %s", failure)
	}
}

// TestBrowserShapes looks at a page in windows of several shapes, in light and dark: nothing sticks out,
// and what is in words is all there.
func TestBrowserShapes(t *testing.T) {
	b := openMap(t, sampleMap())
	pages := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		for _, size := range [][2]int64{{360, 740}, {1280, 900}, {2560, 1300}} {
			name := fmt.Sprintf("%s-%dx%d", scheme, size[0], size[1])
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			b.do(chromedp.EmulateViewport(size[0], size[1]))
			// Drawn anew by an observer, which runs before the second frame from now.
			value[bool](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise)
			b.screenshot(name)
			if wide := value[int64](b, `document.documentElement.scrollWidth`); wide > size[0] {
				t.Errorf("%s: the page is %d wide", name, wide)
			}
			out := value[[]string](b, `(() => { const m = document.getElementById("map").getBoundingClientRect();
				return [...document.querySelectorAll("#map button")].filter(e => { const b = e.getBoundingClientRect();
					return b.left < m.left - 1 || b.top < m.top - 1 || b.right > m.right + 1 || b.bottom > m.bottom + 1; }).map(e => e.getAttribute("aria-label")); })()`)
			if len(out) > 0 {
				t.Errorf("%s: outside of the map are %q", name, out)
			}
			pages[value[string](b, `getComputedStyle(document.body).backgroundColor`)] = true
		}
	}
	if len(pages) != 2 {
		t.Errorf("light and dark have the backgrounds %v", pages)
	}
	if rows := value[int](b, `document.querySelectorAll("tbody tr").length`); rows != listed {
		t.Errorf("%d parts are listed in words", rows)
	}
}

// TestBrowserLayout holds the layout of the page against Layout: they are two pieces of code.
func TestBrowserLayout(t *testing.T) {
	root := &inspection.Part{Kind: inspection.FolderPart}
	var weights []float64
	for i := range 40 {
		size := int64(1000000 / (i + 1))
		weights = append(weights, float64(size))
		root.Parts = append(root.Parts, &inspection.Part{Name: fmt.Sprintf("f%02d", i), Kind: inspection.FilePart, Size: size, Bytes: size, Files: 1})
		root.Size += size
		root.Bytes += size
	}
	b := openMap(t, Map{Title: "layout", Room: &inspection.Room{Root: root}})
	got := value[[][]float64](b, `(() => { const m = document.getElementById("map").getBoundingClientRect(); return [[m.width, m.height],
		...[...document.querySelectorAll("#map button")].map(e => { const b = e.getBoundingClientRect(); return [b.left - m.left, b.top - m.top, b.width + 1, b.height + 1]; })]; })()`)
	rects := Layout(weights, Rect{0, 0, got[0][0], got[0][1]})
	if len(got) != len(rects)+1 {
		t.Fatalf("the page has %d parts, want %d", len(got)-1, len(rects))
	}
	for i, r := range rects {
		for n, want := range []float64{r.X, r.Y, r.W, r.H} {
			if math.Abs(got[i+1][n]-want) > 1 {
				t.Fatalf("part %d is at %v, want %+v", i, got[i+1], r)
			}
		}
	}
}
