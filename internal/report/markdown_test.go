package report

import (
	"bytes"
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	renderer "github.com/yuin/goldmark/renderer/html"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/qemu"
)

// page renders a summary as GitHub does, as far as goldmark knows it.
func page(t *testing.T, r interface{ Markdown(w *bytes.Buffer) error }) string {
	t.Helper()
	var source, rendered bytes.Buffer
	if err := r.Markdown(&source); err != nil {
		t.Fatal(err)
	}
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(renderer.WithUnsafe()))
	if err := md.Convert(source.Bytes(), &rendered); err != nil {
		t.Fatal(err)
	}
	return rendered.String()
}

type imageSummary struct{ *Image }

func (s imageSummary) Markdown(w *bytes.Buffer) error { return s.Image.Markdown(w) }

type bootsSummary struct{ Boots }

func (s bootsSummary) Markdown(w *bytes.Buffer) error { return s.Boots.Markdown(w) }

var tag = regexp.MustCompile(`</?([a-z0-9]+)[^>]*>`)

// shape is the tags of a page, and text what is between them, as a reader sees it.
func shape(page string) (tags []string, text string) {
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		tags = append(tags, m[1])
	}
	return tags, html.UnescapeString(tag.ReplaceAllString(page, ""))
}

func boots(text string) []Boot {
	return []Boot{
		{Mode: "bios-cd", Passed: true, Outcome: "passed", Line: text, Seconds: 24.1},
		{Mode: "uefi-cd", Outcome: "panic", Line: text, Seconds: 3, Console: []string{text, "", text}, Verdict: qemu.Verdict{}},
		{Mode: "uefi-usb", Outcome: "not-judged", Err: errors.New(text)},
	}
}

func summarised(text string) *Image {
	return &Image{
		File: "/home/" + strings.ReplaceAll(text, "/", "") + "x.iso", Size: 42_991_616, ImageBytes: 42_991_616, SHA256: strings.Repeat("a", 64),
		VolumeID: text, System: "x86_64-linux", Compression: "zstd:3", Modes: []string{"bios-cd", "uefi-cd"}, StorePaths: 50, StoreBytes: 81_800_000,
		SquashfsBytes: 21_000_000, ReusedBytes: 20_000_000, Parts: []image.Part{{Size: 21_000_000}, {Size: 21_000_000}}, Boots: boots(text),
		Seconds: seconds{1.2, 0.3, 1.2, 4},
	}
}

func TestSummary(t *testing.T) {
	got := page(t, imageSummary{summarised("MINI")})
	for _, want := range []string{
		"<h3>MINIx.iso</h3>", "<td>43.0 MB (42991616 bytes)</td>", "<td>2 files of at most 21.0 MB</td>", "<td>95 % of the store image</td>",
		"<td>50 store paths, 81.8 MB; 21.0 MB with zstd:3</td>", "<td>4.0 s: evaluating 1.2 s, building 0.3 s, packing 1.2 s</td>",
		"<td>bios-cd</td>\n<td>passed</td>\n<td>24.1 s</td>\n<td>MINI</td>",
		"<td>uefi-cd</td>\n<td><strong>failed</strong></td>\n<td>3.0 s</td>\n<td>panic: MINI</td>",
		"<td>uefi-usb</td>\n<td><strong>not judged</strong></td>",
		"<pre>MINI&#10;&#10;MINI&#10;</pre>",
	} {
		if !strings.Contains(html.UnescapeString(got), html.UnescapeString(want)) {
			t.Errorf("it lacks %s:\n%s", want, got)
		}
	}
}

// TestSummarySince has what differs from the image before below all else, of images that boot and of those
// that do not, and makes no links of what strangers call theirs.
func TestSummarySince(t *testing.T) {
	image := summarised("MINI")
	a, b := hostileSides()
	a.Name, b.Name = "https://www.example.com/x.iso", "www.example.com"
	image.Since = NewDifference(a, b)
	for _, r := range []interface{ Markdown(*bytes.Buffer) error }{
		imageSummary{image}, bootsSummary{Boots{File: "x.iso", Boots: boots("MINI"), Since: image.Since}},
	} {
		got := page(t, r)
		_, since, _ := strings.Cut(got, "</pre></details>")
		for _, want := range []string{
			"<p><strong>https://www.example.com/x.iso → www.example.com:</strong> packages: 1 updated, 1 added, 1 removed; ",
			"<h4>Packages updated</h4>\n<table>", "<td><code>x`y</code></td>\n<td><code>1.0 → 1.1</code></td>\n<td>+20 B</td>",
		} {
			if !strings.Contains(since, want) {
				t.Errorf("it lacks %s:\n%s", want, since)
			}
		}
		if strings.Contains(got, "<a ") || strings.Contains(got, "<img") {
			t.Errorf("it has links:\n%s", got)
		}
	}
}

// What an image says of itself, and on its console, is shown, and changes nothing of the page.
func TestSummaryHostile(t *testing.T) {
	plain, _ := shape(page(t, imageSummary{summarised("MINI")}))
	plainBoots, _ := shape(page(t, bootsSummary{Boots{File: "x.iso", Boots: boots("MINI")}}))
	for _, text := range []string{
		"a|b", "<script>alert(1)</script>", "</pre></details><img src=x>", "[x](https://example.com)", "![x](https://example.com/x.png)",
		"**bold** _it_ ~~no~~", "`code`", "# head", "$x$", "https://example.com", "www.example.com", "a@example.com", "@somebody", ":tada:",
		"\\", "&lt;", "--- | ---", "- [ ] task",
	} {
		tags, shown := shape(page(t, imageSummary{summarised(text)}))
		if strings.Join(tags, " ") != strings.Join(plain, " ") || strings.Count(shown, text) < 4 {
			t.Errorf("%q gives the tags %q and the text\n%s", text, tags, shown)
		}
		if tags, _ := shape(page(t, bootsSummary{Boots{File: "x.iso", Boots: boots(text)}})); strings.Join(tags, " ") != strings.Join(plainBoots, " ") {
			t.Errorf("%q gives the tags %q", text, tags)
		}
	}
	for _, text := range []string{"two\nlines", "two\n\nparagraphs", "a\r\nb\u2028c"} {
		if tags, _ := shape(page(t, imageSummary{summarised(text)})); strings.Join(tags, " ") != strings.Join(plain, " ") {
			t.Errorf("%q gives the tags %q", text, tags)
		}
	}
}
