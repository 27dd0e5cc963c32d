package qemu

import (
	"strings"
	"unicode/utf8"
)

// maxLine bounds a line of the console in bytes: what is longer is cut into several.
const maxLine = 4096

// console turns the bytes of a serial console into lines of text: escape sequences (ECMA-48),
// NULs and other control characters are left out, and so are blank lines. A carriage return
// and a movement of the cursor end a line as a line feed does, for menus are painted with them.
type console struct {
	line  []byte
	state escapeState
}

type escapeState int

const (
	inText    escapeState = iota
	inEscape              // after ESC
	inCharset             // after ESC and an intermediate byte: one more byte belongs to it
	inControl             // after ESC [, up to a final byte
	inString              // after ESC ], P, X, ^ or _, up to BEL or ESC \
)

const (
	bell = 0x07
	esc  = 0x1b
)

// write takes more bytes and returns the lines they complete.
func (c *console) write(data []byte) []string {
	var lines []string
	end := func() {
		if text := c.text(); text != "" {
			lines = append(lines, text)
		}
		c.line = c.line[:0]
	}
	for _, b := range data {
		switch c.state {
		case inText:
			switch {
			case b == esc:
				c.state = inEscape
			case b == '\n' || b == '\r':
				end()
			case b == '\t' || b >= ' ' && b != 0x7f:
				if len(c.line) >= maxLine {
					end()
				}
				c.line = append(c.line, b)
			}
		case inEscape:
			switch {
			case b == '[':
				c.state = inControl
			case strings.IndexByte("]PX^_", b) >= 0:
				c.state = inString
			case b >= ' ' && b <= '/':
				c.state = inCharset
			default:
				c.state = inText
			}
		case inCharset:
			c.state = inText
		case inControl:
			if b >= '@' && b <= '~' {
				c.state = inText
				if movesToOtherLine(b) {
					end()
				}
			} else if b < ' ' || b > '?' {
				c.state = inText
			}
		case inString:
			if b == bell {
				c.state = inText
			} else if b == esc {
				c.state = inEscape
			}
		}
	}
	return lines
}

// partial returns the text after the last line end: where prompts stand.
func (c *console) partial() string {
	return c.text()
}

func (c *console) text() string {
	text := strings.TrimRight(string(c.line), " \t")
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}

// movesToOtherLine reports whether a control sequence with this final byte is one of
// CUU, CUD, CNL, CPL, CUP, ED, VPA or HVP.
func movesToOtherLine(final byte) bool {
	return strings.IndexByte("ABEFHJdf", final) >= 0
}
