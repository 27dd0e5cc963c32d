// Package figures draws checksums for people who compare them: digits in large type, and QR
// codes (ISO/IEC 18004) that a telephone reads. Two pixels, one above the other, are one character
// of a terminal; all are in Unicode and in code page 437.
package figures

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// ends is how many digits of each end of a sum are compared.
const ends = 4

// Ends are the first and last four digits of a sum, as people compare them.
func Ends(sum string) (first, last string) {
	if len(sum) < 2*ends {
		return sum, ""
	}
	return sum[:ends], sum[len(sum)-ends:]
}

// pattern is one of pixels: a string for each row, of blanks and others.
type pattern []string

// digits are the hexadecimal ones, of 5 by 7 pixels. b, d are small as in sums, and unlike 8 and 0.
var digits = map[rune]pattern{
	'0': {" ### ", "#   #", "#  ##", "# # #", "##  #", "#   #", " ### "},
	'1': {"  #  ", " ##  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "},
	'2': {" ### ", "#   #", "    #", "   # ", "  #  ", " #   ", "#####"},
	'3': {" ### ", "#   #", "    #", "  ## ", "    #", "#   #", " ### "},
	'4': {"   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # "},
	'5': {"#####", "#    ", "#### ", "    #", "    #", "#   #", " ### "},
	'6': {"  ## ", " #   ", "#    ", "#### ", "#   #", "#   #", " ### "},
	'7': {"#####", "    #", "   # ", "  #  ", "  #  ", "  #  ", "  #  "},
	'8': {" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### "},
	'9': {" ### ", "#   #", "#   #", " ####", "    #", "   # ", " ##  "},
	'a': {"     ", "     ", " ### ", "    #", " ####", "#   #", " ####"},
	'b': {"#    ", "#    ", "#### ", "#   #", "#   #", "#   #", "#### "},
	'c': {"     ", "     ", " ### ", "#   #", "#    ", "#   #", " ### "},
	'd': {"    #", "    #", " ####", "#   #", "#   #", "#   #", " ####"},
	'e': {"     ", "     ", " ### ", "#   #", "#####", "#    ", " ### "},
	'f': {"  ## ", " #  #", " #   ", "###  ", " #   ", " #   ", " #   "},
	'…': {"     ", "     ", "     ", "     ", "     ", "     ", "# # #"},
}

// Large draws hexadecimal digits and dots in large type, in the colours that the terminal has. It
// returns the lines; letters that it does not know are blanks.
func Large(text string) []string {
	rows := make([]strings.Builder, 7)
	for i, r := range []rune(text) {
		d, ok := digits[r]
		if !ok {
			d = pattern{"     ", "     ", "     ", "     ", "     ", "     ", "     "}
		}
		for y := range rows {
			if i > 0 {
				rows[y].WriteString("  ")
			}
			rows[y].WriteString(d[y])
		}
	}
	var p pattern
	for y := range rows {
		p = append(p, rows[y].String())
	}
	return p.draw()
}

// draw makes one line of two rows.
func (p pattern) draw() (lines []string) {
	for y := 0; y < len(p); y += 2 {
		var b strings.Builder
		for x := range p[y] {
			upper, lower := p[y][x] != ' ', y+1 < len(p) && p[y+1][x] != ' '
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}

// Colours of a QR code on a terminal, which must not depend on its own: many readers want dark on light.
// They are of the part of the 256 colours that nobody changes (ECMA-48 SGR, xterm's extension).
const (
	darkOnLight = "\x1b[38;5;16;48;5;231m"
	asBefore    = "\x1b[0m"
)

// quiet is how many modules around a code must be light (ISO/IEC 18004 §9.1).
const quiet = 4

// QR draws a text as a QR code: on a terminal dark on light, elsewhere without colours, for paper.
func QR(text string, terminal bool) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code: %w", err)
	}
	var p pattern
	for y := -quiet; y < code.Size+quiet; y++ {
		row := make([]byte, 0, code.Size+2*quiet)
		for x := -quiet; x < code.Size+quiet; x++ {
			pixel := byte(' ')
			if code.Black(x, y) {
				pixel = '#'
			}
			row = append(row, pixel)
		}
		p = append(p, string(row))
	}
	lines := p.draw()
	if terminal {
		for i := range lines {
			lines[i] = darkOnLight + lines[i] + asBefore
		}
	}
	return lines, nil
}
