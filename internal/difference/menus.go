package difference

import (
	"cmp"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// Entry is an entry of a boot menu that only one side has.
type Entry struct {
	Title   string   `json:"title"` // those of its submenus before it, with Below between
	Loaders []string `json:"loaders"`
	Change  Change   `json:"change"` // Added or Removed
}

// Below is between the title of a submenu and that of an entry in it.
const Below = " > "

// Parameter is a change in what kernels are given.
type Parameter struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Entries int      `json:"entries"` // in so many
	Of      int      `json:"of"`
	First   string   `json:"first"` // the title of one
}

// entry is one of a menu, without those below it.
type entry struct {
	loader, title, line string
	initrds             []string
}

// flat are all entries that start a kernel.
func flat(menus []inspection.Menu) []entry {
	var list []entry
	var add func(loader, above string, entries []inspection.Entry)
	add = func(loader, above string, entries []inspection.Entry) {
		for _, e := range entries {
			if e.Line != "" {
				list = append(list, entry{loader, above + e.Title, e.Line, e.Initrds})
			}
			add(loader, above+e.Title+Below, e.Entries)
		}
	}
	for _, m := range menus {
		add(m.Loader, "", m.Entries)
	}
	return list
}

// parameters are what a kernel is given beside what names the system, which is told by itself.
func (e entry) parameters() []string {
	words := strings.Fields(e.line)
	return slices.DeleteFunc(words[1:], func(word string) bool { return strings.HasPrefix(word, "init=") })
}

type entryKey struct {
	loader, title string
	nth           int // of those of this title
}

// byKey are entries by what they are called. Titles may be there more than once.
func byKey(entries []entry) (keys []entryKey, list map[entryKey]entry) {
	list = map[entryKey]entry{}
	count := map[entryKey]int{}
	for _, e := range entries {
		k := entryKey{loader: e.loader, title: e.title}
		k.nth, count[k] = count[k], count[k]+1
		keys = append(keys, k)
		list[k] = e
	}
	return keys, list
}

// compareMenus compares entries by their titles, and of those that both sides have the parameters.
func (d *Difference) compareMenus(a, b *inspection.Image) {
	beforeKeys, before := byKey(flat(a.Menus))
	afterKeys, after := byKey(flat(b.Menus))
	if len(before) > 0 && len(before) == len(after) {
		retitle(beforeKeys, before, afterKeys, after)
	}
	changes := map[string]*Parameter{}
	var order []string
	both := 0
	for _, k := range beforeKeys {
		other, ok := after[k]
		if !ok {
			d.tellEntry(k, Removed)
			continue
		}
		both++
		was, is := before[k].parameters(), other.parameters()
		added, removed := missing(is, was), missing(was, is)
		if len(added)+len(removed) == 0 {
			continue
		}
		id := strings.Join(added, " ") + "\n" + strings.Join(removed, " ")
		if changes[id] == nil {
			changes[id] = &Parameter{Added: added, Removed: removed, First: k.title}
			order = append(order, id)
		}
		changes[id].Entries++
	}
	for _, k := range afterKeys {
		if _, ok := before[k]; !ok {
			d.tellEntry(k, Added)
		}
	}
	for _, id := range order {
		changes[id].Of = both
		d.Parameters = append(d.Parameters, *changes[id])
	}
	slices.SortStableFunc(d.Parameters, func(x, y Parameter) int { return cmp.Compare(y.Entries, x.Entries) })
	d.compareTimeouts(a, b)
}

// tellEntry adds an entry that only one side has, or the loader of one that is told already.
func (d *Difference) tellEntry(k entryKey, c Change) {
	for n, e := range d.Entries {
		if e.Title == k.title && e.Change == c && !slices.Contains(e.Loaders, k.loader) {
			d.Entries[n].Loaders = append(e.Loaders, k.loader)
			return
		}
	}
	d.Entries = append(d.Entries, Entry{Title: k.title, Loaders: []string{k.loader}, Change: c})
}

// retitle gives entries the titles of those that they follow on: menus of equal shape, whose titles
// differ because they have the release of the system in them, are not all other entries.
func retitle(beforeKeys []entryKey, before map[entryKey]entry, afterKeys []entryKey, after map[entryKey]entry) {
	for n, k := range afterKeys {
		was := beforeKeys[n]
		if _, taken := after[was]; taken || before[was].loader != k.loader || strings.Count(was.title, Below) != strings.Count(k.title, Below) {
			continue
		}
		if _, known := before[k]; known {
			continue
		}
		after[was] = after[k]
		delete(after, k)
		afterKeys[n] = was
	}
}

// missing are the words that another list has not, each as often as it is more.
func missing(words, from []string) []string {
	have := map[string]int{}
	for _, w := range from {
		have[w]++
	}
	list := []string{}
	for _, w := range words {
		if have[w]--; have[w] < 0 {
			list = append(list, w)
		}
	}
	return list
}

// compareTimeouts compares how long menus wait, by their loaders.
func (d *Difference) compareTimeouts(a, b *inspection.Image) {
	wait := func(i *inspection.Image) string {
		var list []string
		for _, m := range i.Menus {
			list = append(list, m.Loader+" "+human.Wait(m.Timeout))
		}
		return strings.Join(list, ", ")
	}
	if before, after := wait(a), wait(b); before != after && len(a.Menus) == len(b.Menus) {
		d.Fields = append(d.Fields, Field{"menu waits", before, after})
	}
}
