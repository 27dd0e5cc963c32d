package manual

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// WriteRoff writes the page in roff's language, for man.
func (p Page) WriteRoff(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %d \"%s\" %s\n", quoted(strings.ToUpper(p.Name)), p.Section, p.Date, quoted(p.Source))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escaped(p.Name), escaped(p.Short))
	first := false
	for _, block := range p.Blocks {
		block.roff(&b, first)
		_, first = block.(Heading)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (h Heading) roff(b *strings.Builder, _ bool) {
	fmt.Fprintf(b, ".SH %s\n", quoted(strings.ToUpper(string(h))))
}

func (u Usage) roff(b *strings.Builder, first bool) {
	var words []string
	for word := range strings.FieldsSeq(string(u)) {
		font := "B"
		if strings.ContainsAny(word, "[]") || strings.ToUpper(word) == word {
			font = "I"
		}
		words = append(words, `\f`+font+escaped(word)+`\fR`)
	}
	beginParagraph(b, first)
	fill(b, strings.Join(words, " "))
}

func (p Paragraph) roff(b *strings.Builder, first bool) {
	beginParagraph(b, first)
	fill(b, marked(string(p)))
}

func (v Verbatim) roff(b *strings.Builder, first bool) {
	beginParagraph(b, first)
	b.WriteString(".RS 4\n.nf\n")
	for line := range strings.Lines(string(v)) {
		b.WriteString(guarded(escaped(strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))) + "\n")
	}
	b.WriteString(".fi\n.RE\n")
}

func (l List) roff(b *strings.Builder, _ bool) {
	for _, item := range l {
		// Commas stand between names of one thing.
		names := strings.Split(item.Term, ", ")
		for i, name := range names {
			names[i] = `\fB` + escaped(name) + `\fR`
		}
		term := strings.Join(names, ", ")
		if item.Argument != "" {
			term += ` \fI` + escaped(item.Argument) + `\fR`
		}
		b.WriteString(".TP\n" + term + "\n")
		fill(b, marked(item.Text))
	}
}

// beginParagraph sets a paragraph off from the one before.
func beginParagraph(b *strings.Builder, first bool) {
	if !first {
		b.WriteString(".PP\n")
	}
}

// lineLength is how long lines of running text are in bytes, which is style alone.
const lineLength = 80

// fill writes running text, which roff breaks anew.
func fill(b *strings.Builder, text string) {
	w := textWriter{columns: lineLength}
	w.fill(text, 0)
	for line := range strings.Lines(w.String()) {
		b.WriteString(guarded(line))
	}
}

// command is what a text says between single quotes about this program, and flags.
var command = regexp.MustCompile(`'livebuild[^']*'|(^|[ (])--?[a-z][a-z-]*`)

// marked is running text in which commands and flags are bold.
func marked(text string) string {
	var b strings.Builder
	rest := 0
	for _, at := range command.FindAllStringIndex(text, -1) {
		found := text[at[0]:at[1]]
		before := ""
		if found[0] == ' ' || found[0] == '(' {
			before, found = found[:1], found[1:]
		}
		b.WriteString(escaped(text[rest:at[0]]+before) + `\fB` + escaped(strings.Trim(found, "'")) + `\fR`)
		rest = at[1]
	}
	return b.String() + escaped(text[rest:])
}

// specials are characters that roff takes for others, or for its own: man(7) and groff_char(7).
var specials = strings.NewReplacer(
	`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`,
)

// escaped is text that roff prints as it stands.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range specials.Replace(text) {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// guarded keeps a line that begins with a full stop from being a macro. No line begins with an
// apostrophe any more.
func guarded(line string) string {
	if strings.HasPrefix(line, ".") {
		return `\&` + line
	}
	return line
}

// quoted is an argument of a macro.
func quoted(text string) string { return `"` + escaped(text) + `"` }
