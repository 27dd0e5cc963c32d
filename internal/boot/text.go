package boot

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/livebuild/livebuild/internal/nixos"
)

// TextError reports a text of the configuration that a loader cannot carry.
type TextError struct {
	What   string // "title", "kernel parameter", "isoImage.syslinuxTheme"
	Text   string
	Reason string
}

func (e *TextError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.What, e.Text, e.Reason)
}

// check refuses what would reach a kernel of the systems, or the screen, in another form.
func (m *Menu) check(systems []*nixos.System) error {
	if m.BIOS {
		if err := checkCodePage("isoImage.syslinuxTheme", m.SyslinuxTheme); err != nil {
			return err
		}
	}
	for i, section := range m.Systems {
		entries := section.all()
		if m.Check != nil && i == m.Default {
			entries = append(entries, m.isolinuxCheck())
		}
		if m.Memtest != nil && i == m.Default {
			entries = append(entries, *m.Memtest)
		}
		if len(m.Systems) > 1 {
			if err := m.checkTitle(section.Title); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if err := m.checkEntryText(e); err != nil {
				return err
			}
			if err := e.checkCommandLine(systems[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Menu) checkTitle(title string) error {
	if i := strings.IndexFunc(title, unicode.IsControl); i >= 0 {
		return &TextError{"title", title, "it has a control character"}
	}
	if !m.BIOS {
		return nil
	}
	if strings.Contains(title, "^") {
		return &TextError{"title", title, "isolinux takes ^ for the mark of a hot key"}
	}
	return checkCodePage("title", title)
}

func (m *Menu) checkEntryText(e Entry) error {
	if err := m.checkTitle(e.Title); err != nil {
		return err
	}
	for _, p := range e.Params {
		if strings.IndexFunc(p, isControl) >= 0 {
			return &TextError{"kernel parameter", p, "it has a control character"}
		}
		if m.EFIArch != "" {
			if _, err := grubWords(p); err != nil {
				return &TextError{"kernel parameter", p, err.Error()}
			}
		}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7F }

// grubQuote returns text as one word of a GRUB script (GRUB manual, "Quoting").
func grubQuote(text string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("/._-+=:,@%", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// grubWords returns the words of a GRUB script that make GRUB's linux command
// hand the pieces of param on to the kernel.
//
// The kernel splits its command line at spaces outside of double quotes, and
// drops quotes that enclose a whole piece or its value (next_arg in
// lib/cmdline.c). GRUB puts quotes around a word with spaces, and a backslash,
// which the kernel does not know, before each quote and backslash
// (grub_create_loader_cmdline). So a quoted piece is written without its quotes,
// and no quote may remain.
func grubWords(param string) ([]string, error) {
	var words []string
	for rest := strings.TrimLeft(param, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		end, quoted := 0, false
		for end < len(rest) && (quoted || rest[end] != ' ') {
			if rest[end] == '"' {
				quoted = !quoted
			}
			end++
		}
		if quoted {
			return nil, errors.New("a double quote is not closed")
		}
		piece, err := unquote(rest[:end])
		if err != nil {
			return nil, err
		}
		words = append(words, grubQuote(piece))
		rest = rest[end:]
	}
	return words, nil
}

// unquote removes the quotes around a piece or its value.
func unquote(piece string) (string, error) {
	name, value := "", piece
	if i := strings.IndexByte(piece, '='); i >= 0 && !strings.HasPrefix(piece, `"`) {
		name, value = piece[:i+1], piece[i+1:]
	}
	if len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
		value = value[1 : len(value)-1]
	}
	if strings.ContainsAny(name+value, `"'\`) {
		return "", errors.New("GRUB would put a backslash before its quotes and backslashes")
	}
	return name + value, nil
}
