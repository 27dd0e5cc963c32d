// Package human writes numbers, sizes, times and command lines as people read them.
package human

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Indent puts a label before the first line of a text and spaces before the
// others, unless they are empty.
func Indent(label, text string) string {
	spaces := "\n" + strings.Repeat(" ", len(label))
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", spaces)
	return label + strings.ReplaceAll(text, spaces+"\n", "\n\n")
}

// Printable is a name from a stranger as it is printed: one that could do something to a terminal,
// to the order of what is around it, or is no UTF-8, is quoted.
func Printable(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return strconv.Quote(name)
		}
	}
	return name
}

// Wrap breaks a line at spaces so that it has no more than so many columns behind an indent, which
// begins each piece; all but the first get two columns more. With 0 columns it is not broken.
func Wrap(line, indent string, columns int) string {
	if columns == 0 {
		return indent + line
	}
	var b strings.Builder
	at := 0
	for word := range strings.SplitSeq(line, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case at == 0:
			b.WriteString(indent)
			at = len(indent)
		case at+1+n > columns:
			b.WriteString("\n" + indent + "  ")
			at = len(indent) + 2
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// Cut shortens a text to a number of columns.
func Cut(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns || columns < 1 {
		return text
	}
	return string(runes[:columns-1]) + "…"
}

// Size is a number of bytes as people read it, in powers of 1000 as disks are
// sold.
func Size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.95 && i < len(units)-1 {
		v /= 1000
		i++
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// Percent is a part of a whole, rounded down: 100 % is all of it.
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%d %%", part*100/whole)
}

// Count is a number of things.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Wait is how long something waits for its user, in seconds; nil: as long as that takes.
func Wait(seconds *int) string {
	switch {
	case seconds == nil:
		return "for a key"
	case *seconds == 0:
		return "not at all"
	}
	return fmt.Sprintf("%d s", *seconds)
}

// Seconds is a time, rounded.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// plainWord is a word that every shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote writes a word as a shell reads it.
func Quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ShellLine is a command line as a shell reads it.
func ShellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}
