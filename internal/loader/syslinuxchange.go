package loader

import (
	"slices"
	"strings"
)

// SpeakSYSLINUX changes a configuration file, and those that it includes, so that its menu starts an
// entry by itself, and every kernel writes to a serial port. Everything else stays, as
// in [SpeakGRUB]. It returns the changed texts by the names that they are included by, "" for the
// outermost, and false if there is no kernel to be started, or if a text
// would become longer than there is room for.
func SpeakSYSLINUX(text string, way []int, port string, include func(string) (string, bool), room func(name string) int) (changed map[string]string, ok bool) {
	p := readSYSLINUX(text, include)
	menu := p.finish()
	path := way
	if path == nil {
		path = firstKernel(menu.Items)
	}
	if path == nil {
		return nil, false
	}
	// Without modules nothing of the menu is shown; PROMPT would ask even so.
	head := "TIMEOUT 1\nPROMPT 0\n"
	elsewhere := menu.Sure && menu.DefaultItem().CommandLine == ""
	if p.onTimeout != "" { // a label of any menu, or a command
		elsewhere = !startsKernel(menu.Items, firstWord(p.onTimeout))
	}
	elsewhere = elsewhere || way != nil
	if elsewhere {
		head += "ONTIMEOUT " + labelAt(menu.Items, path) + "\n"
	}
	changed = map[string]string{}
	for _, name := range append([]string{""}, p.included...) {
		source := text
		if name != "" {
			source, _ = include(name)
		}
		edits, spare := changeLines(source, port, p.common != "", elsewhere)
		if name == "" {
			edits = append([]edit{{insert: head}}, edits...)
		}
		if len(edits) == 0 {
			continue
		}
		if changed[name], ok = squeeze(source, edits, spare, room(name)); !ok {
			return nil, false
		}
	}
	return changed, true
}

// startsKernel reports whether an item with that label starts a kernel.
func startsKernel(items []Item, label string) bool {
	return slices.ContainsFunc(items, func(i Item) bool {
		return i.ID == label && i.CommandLine != "" || startsKernel(i.Items, label)
	})
}

// labelAt returns the label of an item.
func labelAt(items []Item, path []int) (label string) {
	for _, n := range path {
		label = items[n].ID
		items = items[n].Items
	}
	return label
}

// kernelLines are those of an entry, or of none, that say what it starts.
type kernelLines struct {
	parameters cut // the line of APPEND without its end
	value      string
	kernel     int // offset of the end of the line with the kernel, 0 for none
	linux      bool
	module     bool
}

// changeLines returns the edits of a file's lines, and what of it has no meaning. Entries
// without parameters get some, unless there are common ones.
func changeLines(text, port string, common, onTimeout bool) (edits []edit, spare []cut) {
	var current kernelLines
	all := []kernelLines{}
	help, at := false, 0
	for line := range strings.Lines(text) {
		from := at
		at += len(line)
		whole := cut{from, at}
		content := cut{from, from + len(strings.TrimRight(line, " \t\r\n"))}
		words := strings.Fields(line)
		switch {
		case help:
			spare = append(spare, whole)
			help = !strings.EqualFold(words0(words), "ENDTEXT")
			continue
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
			spare = append(spare, whole)
			continue
		}
		if indent := strings.Index(line, words[0]); indent > 0 {
			spare = append(spare, cut{from, from + indent})
		}
		value := after(line, words[0])
		switch strings.ToUpper(words[0]) {
		case "TEXT":
			if help = strings.EqualFold(value, "HELP"); help {
				spare = append(spare, whole)
			}
		case "TIMEOUT", "PROMPT", "TOTALTIMEOUT":
			edits = append(edits, edit{cut: whole})
		case "ONTIMEOUT":
			if onTimeout {
				edits = append(edits, edit{cut: whole})
			}
		case "LABEL":
			all = append(all, current)
			current = kernelLines{}
		case "LINUX":
			current.kernel, current.linux = content.to, true
		case "KERNEL":
			current.kernel, current.module = content.to, isModule(value)
		case "LOCALBOOT", "CONFIG", "COM32", "COMBOOT", "BOOT", "BSS", "PXE", "FDIMAGE":
			current.module = true
		case "APPEND":
			current.parameters, current.value = content, value
		case "MENU":
			if len(words) > 1 && strings.EqualFold(words[1], "PASSWD") {
				edits = append(edits, edit{cut: whole}) // it would ask for it
			}
		}
	}
	for _, k := range append(all, current) {
		at := k.parameters.to
		switch {
		case port == "" || k.module && !k.linux || hasConsole(k.value, port):
		case at == 0 && k.kernel > 0 && !common:
			edits = append(edits, edit{cut{k.kernel, k.kernel}, "\nAPPEND " + Console(port)})
		case at > 0 && k.value == "-":
			edits = append(edits, edit{cut{at - 1, at}, Console(port)})
		case at > 0:
			edits = append(edits, edit{cut{at, at}, " " + Console(port)})
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	return edits, spare
}

func words0(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}
