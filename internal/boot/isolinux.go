package boot

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/livebuild/livebuild/internal/medium"
)

// Units and limits of TIMEOUT in isolinux.cfg: tenths of a second, up to just
// below an hour; 0 would wait for the user.
const (
	timeoutUnit = 10
	maxTimeout  = 35996
	minTimeout  = 1
)

// Isolinux returns isolinux.cfg. What the screen shows is in its code page, the
// rest in UTF-8.
//
// Its form suits UNetbootin, which reads it to make a menu of its own:
// parameters in APPEND, no COM32 programs as kernels.
func (m *Menu) Isolinux() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("SERIAL 0 115200") // must come first
	line("TIMEOUT %d", m.isolinuxTimeout())
	line("UI vesamenu.c32")
	if m.SyslinuxBackground {
		line("MENU BACKGROUND /isolinux/background.png")
	}
	line("")
	if theme := strings.TrimRight(m.SyslinuxTheme, "\n"); theme != "" {
		line("%s\n", inCodePage(theme))
	}
	if len(m.Systems) == 1 {
		// nixpkgs always says "boot", which is no label if the configuration itself
		// is hidden.
		line("DEFAULT %s\n", m.first().Label)
	} else {
		// DEFAULT would open the submenu.
		line("ONTIMEOUT %s\n", m.first().Label)
	}

	entry := func(e Entry) {
		line("LABEL %s", e.Label)
		line("MENU LABEL %s", inCodePage(e.Title))
		line("LINUX %s", e.Kernel)
		if len(e.Params) > 0 {
			line("APPEND %s%s", e.CommandLine(), e.isolinuxGap())
		}
		if len(e.Initrds) > 0 {
			line("INITRD %s", e.isolinuxInitrds())
		}
		line("")
	}
	submenu := func(title string, body func()) {
		line("MENU BEGIN %s", inCodePage(title))
		line("MENU TITLE %s\n", inCodePage(title))
		body()
		line("MENU END\n")
	}
	entries := func(all []Entry) {
		for _, e := range all {
			entry(e)
		}
	}
	options := func(system Section) {
		submenu(OptionsTitle, func() {
			for _, g := range system.Options {
				submenu(g.Title, func() { entries(g.Entries) })
			}
		})
	}
	if len(m.Systems) == 1 {
		entries(m.Systems[0].Entries)
	} else {
		for i, system := range m.Systems {
			submenu(system.Title, func() {
				if i == m.Default {
					line("MENU DEFAULT\n") // of the menu around it
				}
				entries(system.Entries)
				options(system)
			})
		}
	}
	for _, e := range m.Install {
		entry(e)
	}
	if m.Check != nil {
		entry(m.isolinuxCheck())
	}
	if len(m.Systems) == 1 {
		options(m.Systems[0])
	}
	if m.Memtest != nil {
		entry(*m.Memtest)
	}
	return b.Bytes()
}

// isolinuxInitrds are the initrds as isolinux has them, in a file of its own and on the
// command line (Syslinux, "SYSLINUX config file", INITRD).
func (e Entry) isolinuxInitrds() string { return strings.Join(e.Initrds, ",") }

// isolinuxGap is what is behind the command line of an entry.
func (e Entry) isolinuxGap() string {
	if !e.StampParams {
		return ""
	}
	return string(medium.GapOf("")) + strings.TrimSuffix(medium.ParamsMark, "\n")
}

// isolinuxTimeout differs from nixpkgs for 0, which boots at once in NixOS and
// in GRUB, but never in isolinux.
func (m *Menu) isolinuxTimeout() int {
	if m.Timeout == nil {
		return maxTimeout
	}
	return min(max(*m.Timeout*timeoutUnit, minTimeout), maxTimeout)
}

// codePage is how isolinux understands a menu: each byte is the character of the font
// in the display adapter's memory, which is that of the first PC.
var codePage = charmap.CodePage437

// checkCodePage refuses a text with characters that the font lacks.
func checkCodePage(what, text string) error {
	for _, r := range text {
		if _, ok := codePage.EncodeRune(r); !ok {
			return &TextError{what, text, fmt.Sprintf("isolinux, which starts the image by BIOS, cannot show %q", r)}
		}
	}
	return nil
}

// inCodePage encodes a text that checkCodePage admits.
func inCodePage(text string) []byte {
	encoded := make([]byte, 0, len(text))
	for _, r := range text {
		b, ok := codePage.EncodeRune(r)
		if !ok {
			encoded = utf8.AppendRune(encoded, r)
			continue
		}
		encoded = append(encoded, b)
	}
	return encoded
}
