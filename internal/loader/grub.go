package loader

import (
	"strconv"
	"strings"
)

// ParseGRUB reads a script of GRUB (GNU GRUB Manual 2.12, §6.3 "Writing full configuration
// files directly").
func ParseGRUB(text string) Menu {
	p := &grub{lexer: lexer{rest: text, line: 1}}
	menu := Menu{Loader: GRUB, Items: p.block()}
	if n, err := strconv.Atoi(p.defaultEntry); err == nil && n > 0 && n < len(menu.Items) {
		menu.Default = n
	}
	return menu
}

// grub is the state of a parser.
type grub struct {
	lexer
	defaultEntry string
	depth        int
}

// maxBlocks bounds how deep blocks lie in each other.
const maxBlocks = 32

// block reads commands up to the end of the block, or of the text, and returns the items that
// they put into the menu.
func (p *grub) block() []Item {
	p.depth++
	defer func() { p.depth-- }()
	var items []Item
	for {
		words, line, end := p.command()
		if len(words) > 0 {
			switch words[0] {
			case "menuentry", "submenu":
				if end != openBlock {
					break
				}
				items = append(items, p.item(words, line))
				continue
			case "set":
				if name, value, _ := strings.Cut(last(words), "="); name == "default" && p.depth == 1 {
					p.defaultEntry = value
				}
			}
		}
		switch end {
		case openBlock: // of a function, or of an entry that is hidden
			if p.depth < maxBlocks {
				p.block()
			}
		case closeBlock, endOfText:
			return items
		}
	}
}

// item reads the block of an entry or of a submenu, which begins on a line.
func (p *grub) item(words []string, begin int) Item {
	item := Item{}
	if len(words) > 1 {
		item.Title = words[1]
	}
	if p.depth >= maxBlocks {
		return item
	}
	if words[0] == "submenu" {
		item.Items = p.block()
		return item
	}
	p.depth++
	defer func() { p.depth-- }()
	for {
		words, line, end := p.command()
		if len(words) > 1 && item.CommandLine == "" && strings.HasPrefix(words[0], "linux") {
			item.CommandLine = strings.Join(words[1:], " ")
			// The editor shows the arguments of the entry in a line of their own, then
			// all that stands after the brace.
			item.kernelLine = 1 + line - begin
		}
		switch end {
		case openBlock:
			if p.depth < maxBlocks {
				p.block()
			}
		case closeBlock, endOfText:
			return item
		}
	}
}

func last(words []string) string { return words[len(words)-1] }

// lexer cuts a script into commands.
type lexer struct {
	rest string
	line int
}

// end is what a command ends with.
type end int

const (
	endOfCommand end = iota
	openBlock
	closeBlock
	endOfText
)

// command returns the words of the next command, without quotes, the line that it begins on,
// and what ends it.
func (l *lexer) command() (words []string, line int, e end) {
	for {
		l.skipBlanks()
		if l.rest == "" {
			return words, line, endOfText
		}
		if len(words) == 0 {
			line = l.line
		}
		switch c := l.rest[0]; {
		case c == '\n':
			l.next()
			return words, line, endOfCommand
		case c == ';' || c == '&' || c == '|':
			l.next()
			return words, line, endOfCommand
		case c == '{':
			l.next()
			return words, line, openBlock
		case c == '}':
			l.next()
			return words, line, closeBlock
		case c == '#':
			for l.rest != "" && l.rest[0] != '\n' {
				l.next()
			}
		default:
			words = append(words, l.word())
		}
	}
}

// next takes a byte.
func (l *lexer) next() byte {
	c := l.rest[0]
	l.rest = l.rest[1:]
	if c == '\n' {
		l.line++
	}
	return c
}

// skipBlanks skips blanks, and line ends that a backslash hides.
func (l *lexer) skipBlanks() {
	for l.rest != "" {
		switch {
		case strings.HasPrefix(l.rest, "\\\n"):
			l.next()
			l.next()
		case l.rest[0] == ' ' || l.rest[0] == '\t' || l.rest[0] == '\r':
			l.next()
		default:
			return
		}
	}
}

// word takes a word. Its variables stay as they are.
func (l *lexer) word() string {
	var b strings.Builder
	for l.rest != "" && !strings.ContainsRune(" \t\r\n;&|{}", rune(l.rest[0])) {
		switch c := l.next(); {
		case c == '\\' && l.rest != "":
			b.WriteByte(l.next())
		case c == '\'':
			l.until('\'', false, &b)
		case c == '"':
			l.until('"', true, &b)
		case c == '$' && strings.HasPrefix(l.rest, "{"):
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
	for l.rest != "" {
		c := l.next()
		if c == closing {
			return
		}
		if escapes && c == '\\' && l.rest != "" {
			c = l.next()
		}
		b.WriteByte(c)
	}
}
