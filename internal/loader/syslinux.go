package loader

import (
	"strconv"
	"strings"
	"time"
)

// ParseSYSLINUX reads a configuration file of SYSLINUX, ISOLINUX or PXELINUX (wiki.syslinux.org,
// "Config" and "Comboot/menu.c32"). Include returns the text of a file that it includes, or
// false.
func ParseSYSLINUX(text string, include func(name string) (string, bool)) Menu {
	return readSYSLINUX(text, include).finish()
}

func readSYSLINUX(text string, include func(name string) (string, bool)) *syslinux {
	p := &syslinux{include: include}
	p.read(text)
	for len(p.open) > 0 {
		p.endMenu()
	}
	return p
}

// finish returns the menu that was read.
func (p *syslinux) finish() Menu {
	menu := Menu{Loader: SYSLINUX, Timeout: p.waits(), Sure: true}
	start, found := p.defaultLabel, false
	if p.onTimeout != "" {
		start, p.hasDefault = p.onTimeout, false
	}
	start = firstWord(start)
	for _, e := range p.current.entries {
		if !e.hidden && e.isDefault && p.hasDefault || !p.hasDefault && e.label != "" && e.label == start {
			menu.Default, found = []int{len(menu.Items)}, true
		}
		if !e.hidden || e.label == start {
			menu.Items = append(menu.Items, p.item(e))
		}
	}
	if !found && start != "" && !p.hasDefault { // a label of another menu starts, too
		menu.Default = wayTo(menu.Items, func(i Item) bool { return i.ID == start })
		found = menu.Default != nil
	}
	if len(menu.Items) > 0 && menu.Default == nil {
		menu.Default = []int{0}
	}
	// A label that is hidden in another menu, or a command.
	menu.Sure = found || start == "" || p.shown && isModule(start)
	return menu
}

// waits returns how long SYSLINUX or its menu waits (wiki.syslinux.org, "Config": PROMPT, TIMEOUT).
func (p *syslinux) waits() time.Duration {
	tenths, err := strconv.Atoi(p.timeout)
	switch {
	case !p.shown && !p.prompt:
		return 0
	case err != nil || tenths <= 0:
		return Forever
	}
	return time.Duration(tenths) * time.Second / 10
}

// isModule reports whether the file of a KERNEL line, by its name, is a program for SYSLINUX or a boot
// sector, and no kernel ("Config": KERNEL).
func isModule(file string) bool {
	for _, extension := range []string{".c32", ".com", ".cbt", ".bs", ".bin", ".bss", ".0", ".img", ".efi", ".iso"} {
		if strings.HasSuffix(strings.ToLower(file), extension) {
			return true
		}
	}
	return strings.HasSuffix(strings.ToLower(file), "memdisk")
}

// syslinux is the state of a parser.
type syslinux struct {
	include func(string) (string, bool)

	current syslinuxMenu   // that lines belong to
	open    []syslinuxMenu // those around it, the outermost first
	help    bool           // between TEXT HELP and ENDTEXT

	defaultLabel string
	onTimeout    string // label that starts instead of the default one
	hasDefault   bool   // some entry of the outermost menu has MENU DEFAULT
	common       string // parameters of entries that have none of their own
	timeout      string
	prompt       bool
	shown        bool // as a menu, by a module
	depth        int  // of files in files
	included     []string
}

type syslinuxMenu struct {
	title   string
	label   string // of its line in the menu around it
	chosen  bool   // its line is the default of the menu around it
	entries []syslinuxEntry
}

type syslinuxEntry struct {
	Item
	label      string
	kernel     string
	linux      bool   // by LINUX: a kernel whatever its name
	initrd     string // by INITRD; otherwise it is among the parameters
	parameters string
	appended   bool // it has parameters of its own
	hidden     bool // or not to be chosen
	isDefault  bool
}

// maxIncludes bounds how deep files include each other, and maxFiles how many they are.
const (
	maxIncludes = 8
	maxFiles    = 64
)

func (p *syslinux) includes(name string) {
	if p.depth >= maxIncludes || len(p.included) >= maxFiles {
		return
	}
	text, ok := p.include(name)
	if !ok {
		return
	}
	p.included = append(p.included, name)
	p.depth++
	p.read(text)
	p.depth--
}

func (p *syslinux) read(text string) {
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
			p.includes(value)
		case "DEFAULT":
			p.defaultLabel = value
			p.shown = p.shown || isModule(firstWord(value))
		case "UI":
			p.shown = true
		case "ONTIMEOUT":
			p.onTimeout = value
		case "TIMEOUT":
			p.timeout = value
		case "PROMPT":
			p.prompt = value != "" && value != "0"
		case "LABEL":
			p.current.entries = append(p.current.entries, syslinuxEntry{Item: Item{Title: value, ID: value}, label: value})
		case "LINUX", "KERNEL":
			if entry != nil {
				entry.kernel, entry.linux = value, keyword == "LINUX"
			}
		case "INITRD":
			if entry != nil {
				entry.initrd = value
			}
		case "APPEND":
			if entry != nil {
				entry.parameters, entry.appended = value, true
			} else {
				p.common = value
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
	case "INCLUDE":
		p.includes(value)
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
		} else {
			p.current.chosen = true
		}
	case "EXIT", "QUIT", "GOTO":
		if entry != nil {
			entry.kernel = ""
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
			item.Items = append(item.Items, p.item(e))
		}
	}
	chosen := p.current.chosen
	p.current = p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	p.hasDefault = p.hasDefault || chosen && len(p.open) == 0
	// Without a label of its own: further lines are not about it.
	p.current.entries = append(p.current.entries, syslinuxEntry{Item: item, isDefault: chosen})
}

// item returns the item of an entry.
func (p *syslinux) item(e syslinuxEntry) Item {
	if !e.appended {
		e.parameters = p.common
	}
	if e.startsLinux() {
		e.CommandLine = strings.TrimSpace(e.kernel + " " + strings.TrimPrefix(e.parameters, "-"))
		for word := range strings.FieldsSeq(e.parameters) {
			if files, ok := strings.CutPrefix(word, "initrd="); ok && e.initrd == "" {
				e.initrd = files
			}
		}
		if e.initrd != "" {
			e.Initrds = strings.Split(e.initrd, ",") // "Config": INITRD
		}
	}
	return e.Item
}

// startsLinux reports whether an entry starts a kernel that has parameters.
func (e syslinuxEntry) startsLinux() bool {
	return e.kernel != "" && (e.linux || !isModule(e.kernel))
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// after is what follows the first word of a line.
func after(line, word string) string {
	line = strings.TrimSpace(line)
	return strings.TrimSpace(line[len(word):])
}

// withoutHotkey is a label without the caret before its hotkey.
func withoutHotkey(label string) string { return strings.Replace(label, "^", "", 1) }
