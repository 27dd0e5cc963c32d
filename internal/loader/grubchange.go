package loader

import (
	"slices"
	"strconv"
	"strings"
)

// consoleVariable is what changed scripts of GRUB have the parameter in: it takes less room on each
// line.
const consoleVariable = "serialconsole"

// SpeakGRUB changes a script so that its menu starts an entry by itself, and every kernel that it loads
// writes to a serial port. Everything else stays: what the script does, the entries,
// which of them is the default, unless a way leads to another. Only where the default starts no kernel,
// it becomes the first entry that does. It returns false if the script loads no kernel, if it ends in the middle of a word, or if its new
// text would be longer than room in bytes. Without a port the consoles of the kernels stay as they are.
func SpeakGRUB(text string, way []int, port string, room int) (changed string, ok bool) {
	p := readGRUB(text)
	if len(p.lines) == 0 || p.open {
		return "", false
	}
	head := "set " + consoleVariable + "=" + Console(port) + "\nexport " + consoleVariable + "\n"
	edits := []edit{{insert: head}}
	if port == "" {
		edits, p.lines = nil, nil
	}
	for _, l := range p.lines {
		if !hasConsole(l.line, port) {
			edits = append(edits, edit{cut{l.end, l.end}, " $" + consoleVariable})
		}
	}
	// What comes last counts.
	tail := "\nset timeout=1\n"
	menu := ParseGRUB(text)
	switch {
	case way != nil:
		tail += setDefault(way)
	case menu.DefaultItem().CommandLine == "" && !strings.Contains(p.defaultEntry, "$"):
		from := slices.Clone(menu.Default)
		path := firstKernel(menu.DefaultItem().Items)
		if path == nil {
			from, path = nil, firstKernel(menu.Items)
		}
		if path != nil {
			tail += setDefault(append(from, path...))
		}
	}
	if strings.Contains(text, "superusers") {
		tail += "unset superusers\n" // or it would ask for a password
	}
	edits = append(edits, edit{cut{len(text), len(text)}, tail})
	return squeeze(text, edits, p.spare, room)
}

// setDefault is the command that makes an entry the default.
func setDefault(way []int) string {
	words := make([]string, len(way))
	for i, n := range way {
		words[i] = strconv.Itoa(n)
	}
	return "set default=\"" + strings.Join(words, ">") + "\"\n"
}

// grubSources returns the paths of further scripts that a script reads, without the device that
// they are on. There can be variables in them.
func grubSources(text string) []string {
	var paths []string
	for _, path := range readGRUB(text).source {
		if i := strings.IndexByte(path, '/'); i >= 0 {
			paths = append(paths, strings.TrimPrefix(path[i:], "/"))
		}
	}
	return paths
}
