package qemu

import (
	"slices"
	"strings"
	"testing"
)

func TestConsoleLines(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		lines []string
		rest  string
	}{
		{"line ends", "one\ntwo\r\nthree\n\rfour", []string{"one", "two", "three"}, "four"},
		{"blank lines", "\n \n\t\r\n\nx\n", []string{"x"}, ""},
		{"NUL and other controls", "a\x00b\x07c\x7f\n", []string{"abc"}, ""},
		{"colours", "\x1b[0m\x1b[37m\x1b[40mgrub\x1b[1;33m> ", nil, "grub>"},
		{"cursor movement ends a line", "menu\x1b[2;34Hentry\x1b[2Jnext", []string{"menu", "entry"}, "next"},
		{"private modes", "\x1b[?25lhidden\x1b[=3h\n", []string{"hidden"}, ""},
		{"window title", "\x1b]0;title\x07text\x1b]2;t\x1b\\ more\n", []string{"text more"}, ""},
		{"character set", "\x1b(Btext\x1b)0\n", []string{"text"}, ""},
		{"two-byte escape", "\x1bcreset\x1b7\n", []string{"reset"}, ""},
		{"not UTF-8", "caf\xe9\n", []string{"caf\uFFFD"}, ""},
		{"UTF-8", "café\n", []string{"café"}, ""},
		{"without end", strings.Repeat("x", maxLine+1), []string{strings.Repeat("x", maxLine)}, "x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for size := 1; size <= 3; size++ {
				var c console
				var lines []string
				for chunk := range slices.Chunk([]byte(test.bytes), size) {
					lines = append(lines, c.write(chunk)...)
				}
				if !slices.Equal(lines, test.lines) || c.partial() != test.rest {
					t.Errorf("in pieces of %d: %q, rest %q, want %q, rest %q", size, lines, c.partial(), test.lines, test.rest)
				}
			}
		})
	}
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("\x1b[2J\x1b[01;01HWelcome to GRUB!\r\n\x1b]0;t\x1b\\grub> "))
	f.Add([]byte("[    0.000000] Linux version 6.1\r\n\x00\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c console
		lines := c.write(data)
		for _, line := range append(lines, c.partial()) {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				t.Errorf("line %q has control characters", line)
			}
			if len(line) > maxLine*len("\uFFFD") {
				t.Errorf("line of %d bytes", len(line))
			}
		}
		var again console
		var piecewise []string
		for i := range data {
			piecewise = append(piecewise, again.write(data[i:i+1])...)
		}
		if !slices.Equal(lines, piecewise) || c.partial() != again.partial() {
			t.Errorf("%q: in pieces %q, at once %q", data, piecewise, lines)
		}
	})
}
