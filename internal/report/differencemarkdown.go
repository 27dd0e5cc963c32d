package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/difference"
)

// special are the characters that Markdown gives a meaning inside of a line (CommonMark 0.31.2 §2.4, and
// the pipe of GitHub's tables).
var special = regexp.MustCompile("[\\\\`*_\\[\\]<>#|~&$@]")

// escaped is text as Markdown shows it, of which GitHub makes no links either (GFM §6.9).
func escaped(text string) string {
	text = special.ReplaceAllString(shown(text), `\$0`)
	return linkLike.ReplaceAllString(strings.ReplaceAll(text, "://", `\://`), `$1\.`)
}

// backticks are those that a span of code may not have on its ends (CommonMark 0.31.2 §6.1).
var backticks = regexp.MustCompile("`+")

// code is text from strangers as Markdown shows it, in which nothing has a meaning.
func code(text string) string {
	text = shown(text)
	if text == "" {
		return ""
	}
	longest := 0
	for _, run := range backticks.FindAllString(text, -1) {
		longest = max(longest, len(run))
	}
	fence, space := strings.Repeat("`", longest+1), ""
	if longest > 0 {
		space = " "
	}
	return fence + space + strings.ReplaceAll(text, "|", `\|`) + space + fence
}

// Markdown says it for a release.
func (r *Difference) Markdown(out io.Writer) error {
	var b bytes.Buffer
	r.writeMarkdown(&b, "###")
	_, err := out.Write(b.Bytes())
	return err
}

// writeMarkdown writes it with headings of a level.
func (r *Difference) writeMarkdown(b *bytes.Buffer, level string) {
	fmt.Fprintf(b, "**%s → %s:** %s\n", escaped(r.A.Name), escaped(r.B.Name), escaped(r.Summary))
	if end := r.conclusion(); end != "" {
		fmt.Fprintf(b, "\n%s\n", escaped(end))
	}
	if len(r.Fields) > 0 {
		b.WriteString("\n|  | before | after |\n|---|---|---|\n")
	}
	for _, f := range r.Fields {
		fmt.Fprintf(b, "| %s | %s | %s |\n", f.Name, code(orNone(f.Before)), code(orNone(f.After)))
	}
	if line := r.store(); line != "" && !r.Equal {
		fmt.Fprintf(b, "\nStore: %s\n", escaped(line))
	}
	if len(r.Parameters) > 0 {
		fmt.Fprintf(b, "\n%s Kernel parameters\n\n", level)
	}
	for _, p := range r.Parameters {
		fmt.Fprintf(b, "- %s %s\n", code(parameter(p)), escaped(where(p)))
	}
	if len(r.Entries) > 0 {
		fmt.Fprintf(b, "\n%s Menu entries\n\n", level)
	}
	for _, e := range entryGroups(r.Entries) {
		fmt.Fprintf(b, "- %s: %s %s\n", e.change, code(e.title), e.where)
	}
	if len(r.Files) > 0 {
		fmt.Fprintf(b, "\n%s Other files\n\n", level)
	}
	for _, f := range r.Files[:min(len(r.Files), mostFiles)] {
		fmt.Fprintf(b, "- %s: %s\n", f.Change, code(f.Path))
	}
	if more := len(r.Files) - mostFiles; more > 0 {
		fmt.Fprintf(b, "- and %d more\n", more)
	}
	last := difference.Change("")
	for _, p := range r.Packages {
		if p.Change != last {
			fmt.Fprintf(b, "\n%s Packages %s\n\n| package | version | size |\n|---|---|---|\n", level, p.Change)
			last = p.Change
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", code(p.Name), code(versions(p)), room(p))
	}
	if len(r.Unknown) > 0 {
		fmt.Fprintf(b, "\n%s Not known\n\n", level)
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(b, "- %s\n", escaped(u))
	}
}
