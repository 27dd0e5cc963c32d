package loader

import "strings"

// ParseSYSLINUX reads a configuration file of SYSLINUX, ISOLINUX or PXELINUX (wiki.syslinux.org,
// "Config" and "Comboot/menu.c32"). Include returns the text of a file that it includes, or
// false.
func ParseSYSLINUX(text string, include func(name string) (string, bool)) Menu {
	p := &syslinux{include: include}
	p.read(text, 0)
	for len(p.open) > 0 {
		p.endMenu()
	}
	menu := Menu{Loader: SYSLINUX}
	for _, e := range p.current.entries {
		if e.hidden {
			continue
		}
		if e.isDefault || !p.hasDefault && e.label != "" && e.label == p.defaultLabel {
			menu.Default = len(menu.Items)
		}
		menu.Items = append(menu.Items, e.Item)
	}
	return menu
}

// syslinux is the state of a parser.
type syslinux struct {
	include func(string) (string, bool)

	current syslinuxMenu   // that lines belong to
	open    []syslinuxMenu // those around it, the outermost first
	help    bool           // between TEXT HELP and ENDTEXT

	defaultLabel string
	hasDefault   bool // some entry of the outermost menu has MENU DEFAULT
}

type syslinuxMenu struct {
	title   string
	label   string // of its line in the menu around it
	entries []syslinuxEntry
}

type syslinuxEntry struct {
	Item
	label     string
	kernel    string
	hidden    bool // or not to be chosen
	isDefault bool
}

// maxIncludes bounds how deep files include each other.
const maxIncludes = 8

func (p *syslinux) read(text string, depth int) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		keyword := strings.ToUpper(words[0])
		value := after(line, words[0])
		if p.help {
			p.help = keyword != "ENDTEXT"
			continue
		}
		entry := p.entry()
		switch keyword {
		case "INCLUDE":
			if included, ok := p.include(value); ok && depth < maxIncludes {
				p.read(included, depth+1)
			}
		case "DEFAULT":
			p.defaultLabel, _, _ = strings.Cut(value, " ")
		case "LABEL":
			p.current.entries = append(p.current.entries, syslinuxEntry{Item: Item{Title: value}, label: value})
		case "LINUX", "KERNEL":
			if entry != nil {
				entry.kernel = value
				entry.CommandLine = strings.TrimSpace(value + " " + entry.CommandLine)
			}
		case "APPEND":
			if entry != nil {
				entry.CommandLine = strings.TrimSpace(entry.kernel + " " + value)
			}
		case "TEXT":
			p.help = strings.EqualFold(value, "HELP")
		case "MENU":
			if len(words) > 1 {
				p.menu(strings.ToUpper(words[1]), after(value, words[1]))
			}
		}
	}
}

// menu takes a line that begins with MENU.
func (p *syslinux) menu(keyword, value string) {
	entry := p.entry()
	switch keyword {
	case "BEGIN":
		p.open = append(p.open, p.current)
		p.current = syslinuxMenu{title: value}
	case "END":
		if len(p.open) > 0 {
			p.endMenu()
		}
	case "TITLE":
		if len(p.open) > 0 {
			p.current.title = value
		}
	case "LABEL":
		if entry != nil {
			entry.Title = withoutHotkey(value)
		} else {
			p.current.label = withoutHotkey(value)
		}
	case "HIDE", "DISABLE":
		if entry != nil {
			entry.hidden = true
		}
	case "DEFAULT":
		if entry != nil {
			entry.isDefault = true
			p.hasDefault = p.hasDefault || len(p.open) == 0
		}
	case "EXIT", "QUIT", "GOTO":
		if entry != nil {
			entry.CommandLine = ""
		}
	}
}

// entry is what lines are about, or nil before the first.
func (p *syslinux) entry() *syslinuxEntry {
	if n := len(p.current.entries); n > 0 && p.current.entries[n-1].label != "" {
		return &p.current.entries[n-1]
	}
	return nil
}

func (p *syslinux) endMenu() {
	item := Item{Title: p.current.title}
	if p.current.label != "" {
		item.Title = p.current.label
	}
	for _, e := range p.current.entries {
		if !e.hidden {
			item.Items = append(item.Items, e.Item)
		}
	}
	p.current = p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	// Without a label of its own: further lines are not about it.
	p.current.entries = append(p.current.entries, syslinuxEntry{Item: item})
}

// after is what follows the first word of a line.
func after(line, word string) string {
	line = strings.TrimSpace(line)
	return strings.TrimSpace(line[len(word):])
}

// withoutHotkey is a label without the caret before its hotkey.
func withoutHotkey(label string) string { return strings.Replace(label, "^", "", 1) }
