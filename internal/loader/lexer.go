package loader

import "strings"

// lexer cuts a script of GRUB into commands.
type lexer struct {
	text    string
	at      int   // what has been taken of it
	wordEnd int   // offset behind the last word of a command
	spare   []cut // what has no meaning: comments, blank lines, and blanks that lines begin with
	filled  bool  // there is something in this line that has a meaning
	open    bool  // the text ends in quotes, or with a backslash
}

// cut is a part of a text, by its offsets.
type cut struct{ from, to int }

// end is what a command ends with.
type end int

const (
	endOfCommand end = iota
	openBlock
	closeBlock
	endOfText
)

func (l *lexer) rest() string { return l.text[l.at:] }

// command returns the words of the next command, without quotes, and what ends it.
func (l *lexer) command() (words []string, e end) {
	for {
		begin := l.at
		l.skipBlanks()
		l.leaveOut(begin)
		if l.at == len(l.text) {
			return words, endOfText
		}
		begin = l.at
		switch c := l.text[l.at]; c {
		case '\n':
			l.at++
			l.leaveOut(begin)
			l.filled = false
			return words, endOfCommand
		case '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' {
				l.at++
			}
			l.spare = append(l.spare, cut{begin, l.at})
			continue
		}
		l.filled = true
		switch c := l.text[l.at]; c {
		case ';', '&', '|':
			l.at++
			return words, endOfCommand
		case '{':
			l.at++
			return words, openBlock
		case '}':
			l.at++
			return words, closeBlock
		}
		words = append(words, l.word())
		l.wordEnd = l.at
	}
}

// leaveOut notes that what has been taken has no meaning, unless something before it in its
// line has one.
func (l *lexer) leaveOut(begin int) {
	if !l.filled && l.at > begin {
		l.spare = append(l.spare, cut{begin, l.at})
	}
}

// next takes a byte.
func (l *lexer) next() byte {
	l.at++
	return l.text[l.at-1]
}

// skipBlanks skips blanks, and line ends that a backslash hides.
func (l *lexer) skipBlanks() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case strings.HasPrefix(l.rest(), "\\\n"):
			l.at += 2
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		default:
			return
		}
	}
}

// word takes a word. Its variables stay as they are.
func (l *lexer) word() string {
	var b strings.Builder
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n;&|{}", l.text[l.at]) < 0 {
		switch c := l.next(); {
		case c == '\\' && l.at == len(l.text):
			l.open = true
		case c == '\\' && strings.HasPrefix(l.rest(), "\n"):
			l.at++ // the line goes on
		case c == '\\' && l.at < len(l.text):
			b.WriteByte(l.next())
		case c == '\'':
			l.until('\'', false, &b)
		case c == '"':
			l.until('"', true, &b)
		case c == '$' && strings.HasPrefix(l.rest(), "{"):
			b.WriteByte(c)
			l.until('}', false, &b)
			b.WriteByte('}')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// until takes all up to a closing character, which it leaves out.
func (l *lexer) until(closing byte, escapes bool, b *strings.Builder) {
	for l.at < len(l.text) {
		c := l.next()
		if c == closing {
			return
		}
		if escapes && c == '\\' && l.at < len(l.text) {
			c = l.next()
		}
		b.WriteByte(c)
	}
	l.open = true
}
