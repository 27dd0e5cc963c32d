// Package manual writes documentation as text for a screen and as pages for man.
//
// A [Page] is a title and blocks: headings, paragraphs, lists of terms, and what is shown as it
// stands. Of the roff language it uses the macros of man(7) alone, so that groff and mandoc both
// read what comes out: man(7) of man-db 2.11 and of mandoc 1.14. What has no end in sight, such as
// tables and nested lists, is out of scope.
package manual

import (
	"strings"
	"unicode/utf8"
)

// Page is a page of the manual.
type Page struct {
	Name    string // "livebuild-iso"
	Section int    // of the manual: 1 for commands, 7 for what spans them
	Short   string // what it is about, in a few words
	Date    string // "2006-01-02", or empty
	Source  string // the program and its version
	Blocks  []Block
}

// Block is a part of a page: a [Heading], a [Usage], a [Paragraph], [Verbatim] or a [List].
type Block interface {
	text(w *textWriter)
	// roff writes it in roff's language, first after a heading or not.
	roff(b *strings.Builder, first bool)
}

// Heading begins a section.
type Heading string

// Usage is how a command is called: words as they stand, and in capitals what is put in.
type Usage string

// Paragraph is running text; its lines are broken anew.
type Paragraph string

// Verbatim is lines that are shown as they stand.
type Verbatim string

// List is terms with what they mean.
type List []Item

// Item is a term of a list. What of it a user puts in, its arguments, is told apart from what is
// written as it stands.
type Item struct {
	Term     string // "-o, --output", or a variable
	Argument string // "FILE", or empty
	Text     string
}

// Parse reads text as help texts are written: paragraphs, between empty lines; those of which all
// lines are indented are verbatim.
func Parse(text string) (blocks []Block) {
	for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		lines := strings.Split(strings.Trim(part, "\n"), "\n")
		if part = strings.Join(lines, "\n"); strings.TrimSpace(part) == "" {
			continue
		}
		indented := true
		for _, line := range lines {
			indented = indented && strings.HasPrefix(line, "  ")
		}
		if indented {
			blocks = append(blocks, Verbatim(part))
		} else {
			blocks = append(blocks, Paragraph(strings.Join(strings.Fields(part), " ")))
		}
	}
	return blocks
}

// Text is blocks for a screen of so many columns.
func Text(blocks []Block, columns int) string {
	w := &textWriter{columns: columns}
	for i, block := range blocks {
		if i > 0 {
			w.WriteByte('\n')
		}
		block.text(w)
	}
	return w.String()
}

type textWriter struct {
	strings.Builder
	columns int
}

// fill writes running text below one another, each line behind an indentation.
func (w *textWriter) fill(text string, indent int) {
	margin := strings.Repeat(" ", indent)
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = margin + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > w.columns:
			w.WriteString(line + "\n")
			line = margin + word
		default:
			line += " " + word
		}
	}
	if line != "" {
		w.WriteString(line + "\n")
	}
}

func (h Heading) text(w *textWriter)   { w.WriteString(string(h) + ":\n") }
func (u Usage) text(w *textWriter)     { w.WriteString("  " + string(u) + "\n") }
func (p Paragraph) text(w *textWriter) { w.fill(string(p), 0) }
func (v Verbatim) text(w *textWriter)  { w.WriteString(string(v) + "\n") }

// widestTerm is how many columns a term may have that its meaning stands beside.
const widestTerm = 18

func (l List) text(w *textWriter) {
	wide := 0
	for _, item := range l {
		if n := utf8.RuneCountInString(item.label()); n <= widestTerm {
			wide = max(wide, n)
		}
	}
	if wide == 0 {
		wide = 4
	}
	for _, item := range l {
		text := textWriter{columns: w.columns}
		text.fill(item.Text, wide+4)
		w.WriteString("  " + item.label())
		if missing := wide - utf8.RuneCountInString(item.label()); missing >= 0 {
			w.WriteString(strings.Repeat(" ", missing+2) + strings.TrimLeft(text.String(), " "))
		} else {
			w.WriteString("\n" + text.String())
		}
	}
}

func (i Item) label() string { return strings.TrimSuffix(i.Term+" "+i.Argument, " ") }
