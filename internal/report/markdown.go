package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/livebuild/livebuild/internal/human"
)

// Markdown is what was made as a summary on a web page, in GitHub's Markdown.
func (r *Image) Markdown(w io.Writer) error {
	var b bytes.Buffer
	name := filepath.Base(r.File)
	if r.File == "" {
		name = "image on " + strings.Join(r.Places, ", ")
	}
	fmt.Fprintf(&b, "### %s\n\n| | |\n|---|---|\n", plainCell(name))
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", what, plainCell(fmt.Sprintf(format, args...)))
	}
	row("size", "%s (%d bytes)", human.Size(r.Size), r.Size)
	if r.ImageBytes != r.Size {
		row("expanded", "%s (%d bytes)", human.Size(r.ImageBytes), r.ImageBytes)
	}
	if len(r.Parts) > 0 {
		row("parts", "%s of at most %s", human.Count(len(r.Parts), "file"), human.Size(r.Parts[0].Size))
	}
	if r.SHA256 != "" {
		row("SHA-256", "%s", r.SHA256)
	}
	row("volume ID", "%s", r.VolumeID)
	row("system", "%s", r.System)
	row("starts as", "%s", strings.Join(r.Modes, ", "))
	row("store", "%s, %s; %s with %s", human.Count(r.StorePaths, "store path"), human.Size(r.StoreBytes), human.Size(r.SquashfsBytes), r.Compression)
	row("reused", "%s of the store image", human.Percent(r.ReusedBytes, r.SquashfsBytes))
	row("time", "%s: evaluating %s, building %s, packing %s",
		took(r.Seconds.Total), took(r.Seconds.Evaluate), took(r.Seconds.Build), took(r.Seconds.Pack))
	b.WriteString("\n")
	if len(r.Boots) > 0 {
		writeBoots(&b, r.Boots)
	}
	writeSince(&b, r.Since)
	_, err := w.Write(b.Bytes())
	return err
}

// Markdown is what became of the boots as a summary on a web page, in GitHub's Markdown.
func (r Boots) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "### %s\n\n", plainCell(filepath.Base(r.File)))
	writeBoots(&b, r.Boots)
	writeSince(&b, r.Since)
	_, err := w.Write(b.Bytes())
	return err
}

// writeBoots writes a table of boots, and below it what the failed ones said last.
func writeBoots(b *bytes.Buffer, boots []Boot) {
	b.WriteString("| boot | | time | |\n|---|---|---|---|\n")
	for _, r := range boots {
		verdict, line := "**failed**", r.Outcome
		switch {
		case r.Passed:
			verdict, line = "passed", r.Line
		case r.Err != nil:
			verdict, line = "**not judged**", r.Err.Error()
		case r.Line != "":
			line += ": " + r.Line
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", r.Mode, verdict, plainCell(took(r.Seconds)), plainCell(line))
	}
	b.WriteString("\n")
	for _, r := range boots {
		if r.Passed || len(r.Console) == 0 {
			continue
		}
		fmt.Fprintf(b, "<details><summary>%s: the last lines of the console</summary>\n<pre>", r.Mode)
		for _, line := range r.Console { // without an empty line, which would end the HTML
			b.WriteString(plainCell(line) + "&#10;")
		}
		b.WriteString("</pre></details>\n\n")
	}
}

// writeSince writes what differs from the image before, if there was one.
func writeSince(b *bytes.Buffer, since *Difference) {
	if since != nil {
		since.writeMarkdown(b, "####")
		b.WriteString("\n")
	}
}

func took(seconds float64) string {
	return human.Seconds(time.Duration(seconds * float64(time.Second)))
}

// plainCell is a text as it stands, in one line: nothing in it is Markdown or HTML. Characters that
// are written by their numbers have no part in the structure (CommonMark §6.2).
func plainCell(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			b.WriteByte(' ')
		case strings.ContainsRune("\\`*_{}[]()#+!|~@:$=^", r): // and what GitHub adds: mentions, formulas, emoji, links
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteString(html.EscapeString(string(r)))
		}
	}
	return linkLike.ReplaceAllString(b.String(), "$1&#46;")
}

// linkLike is what GitHub makes a link of without any mark (GFM §6.9).
var linkLike = regexp.MustCompile(`(?i)(www)\.`)
