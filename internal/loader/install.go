package loader

import (
	"slices"
	"strconv"
	"strings"
)

// withWord returns the way to the first item whose kernel is given a word, or nil.
func withWord(items []Item, word string) []int {
	for n, item := range items {
		if slices.Contains(strings.Fields(item.CommandLine), word) {
			return []int{n}
		}
		if path := withWord(item.Items, word); path != nil {
			return append([]int{n}, path...)
		}
	}
	return nil
}

// Start returns new texts of the menu's files, by their paths, with which the first entry whose kernel
// is given a word starts by itself, and its kernel is given more words. It returns false if there is no such
// entry, or if a text would become longer than there is room for, in bytes.
func (m Menus) Start(word string, more []string, room func(path string) int) (changed map[string]string, ok bool) {
	path := withWord(m.Items, word)
	if path == nil {
		return nil, false
	}
	changed = map[string]string{}
	for n, f := range m.Files {
		var edits []edit
		var spare []cut
		if m.Loader == GRUB {
			var words []string
			for _, n := range path {
				words = append(words, strconv.Itoa(n))
			}
			edits, spare = wordsBehind(f.Text, "linux", word, more), readGRUB(f.Text).spare
			if len(edits) == 0 {
				continue
			}
			// What comes last counts.
			tail := "\nset timeout=1\nset default=\"" + strings.Join(words, ">") + "\"\n"
			edits = append(edits, edit{cut{len(f.Text), len(f.Text)}, tail})
		} else {
			edits = wordsBehind(f.Text, "append", word, more)
			var all []edit
			if all, spare = changeLines(f.Text, "", true, true); n == 0 {
				edits = append([]edit{{insert: "TIMEOUT 1\nPROMPT 0\nONTIMEOUT " + labelAt(m.Items, path) + "\n"}}, edits...)
			}
			for _, e := range all {
				if e.insert == "" { // what would wait, or ask
					edits = append(edits, e)
				}
			}
		}
		if len(edits) == 0 {
			continue
		}
		if changed[f.Path], ok = squeeze(f.Text, edits, spare, room(f.Path)); !ok {
			return nil, false
		}
	}
	return changed, len(changed) > 0
}

// wordsBehind are the edits that put more words at the end of the first line of a command that has a word.
func wordsBehind(text, command, word string, more []string) []edit {
	at := 0
	for line := range strings.Lines(text) {
		end := at + len(strings.TrimRight(line, " \t\r\n"))
		words := strings.Fields(line)
		if len(words) > 0 && strings.EqualFold(words[0], command) && slices.Contains(words, word) {
			return []edit{{cut{end, end}, " " + strings.Join(more, " ")}}
		}
		at += len(line)
	}
	return nil
}
