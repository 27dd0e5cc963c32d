package loader

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Folders are files of a medium that can be listed: Names returns the names in a folder, in
// whatever case its own is written, and none if it is not there.
type Folders interface {
	Files
	Names(dir string) ([]string, error)
}

// Where systemd-boot looks, in the EFI system partition (systemd-boot(7), "Files").
const (
	sdbootConfig  = "loader/loader.conf"
	sdbootEntries = "loader/entries"
	sdbootUnified = "EFI/Linux"
)

// maxEntries bounds how many files of entries are read.
const maxEntries = 256

// bootEntry is a file of an entry (The Boot Loader Specification, "Type #1 Boot Loader
// Specification Entries").
type bootEntry struct {
	id      string // of its file, without the extension
	values  map[string]string
	initrds []string
	options []string
}

// parseEntry reads one.
func parseEntry(name, text string) bootEntry {
	e := bootEntry{id: entryID(name), values: map[string]string{}}
	for key, value := range keyValues(text) {
		switch key {
		case "initrd":
			e.initrds = append(e.initrds, value)
		case "options":
			e.options = append(e.options, value)
		default:
			e.values[key] = value
		}
	}
	return e
}

// entryID is what an entry of a file is called: its name without the extension, and without the
// count of tries that are left of it ("Boot counting").
func entryID(name string) string {
	name = strings.TrimSuffix(name, path.Ext(name))
	stem, tries, ok := cutLast(name, "+")
	if left, done, _ := strings.Cut(tries, "-"); ok && digits(left) && (done == "" || digits(done)) && left != "" {
		return stem
	}
	return name
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// keyValues are the lines of a file: a word, and behind white space its value.
func keyValues(text string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			i := strings.IndexAny(line, " \t")
			if i < 0 {
				continue
			}
			if !yield(line[:i], strings.TrimSpace(line[i:])) {
				return
			}
		}
	}
}

// item is the entry as a line of the menu.
func (e bootEntry) item() Item {
	item := Item{Title: cmp.Or(e.values["title"], e.id), ID: e.id, Initrds: e.initrds}
	if program := cmp.Or(e.values["linux"], e.values["efi"], e.values["uki"]); program != "" {
		item.CommandLine = strings.Join(append([]string{program}, e.options...), " ")
	}
	return item
}

// compareEntries is the order of the menu ("Sorting"): entries with a key first, the newest version
// first.
func compareEntries(a, b bootEntry) int {
	key := func(e bootEntry) string { return e.values["sort-key"] }
	if (key(a) == "") != (key(b) == "") {
		return cmp.Compare(key(b), key(a)) // the empty one last
	}
	if key(a) != "" {
		if order := cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.values["machine-id"], b.values["machine-id"]),
			-compareVersions(a.values["version"], b.values["version"])); order != 0 {
			return order
		}
	}
	return -compareVersions(a.id, b.id)
}

// compareVersions compares runs of digits as numbers and all else by bytes, a shortened form of the
// UAPI Group's Version Format Specification.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		numberA, restA := leadingDigits(a)
		numberB, restB := leadingDigits(b)
		if numberA != "" && numberB != "" {
			x, y := strings.TrimLeft(numberA, "0"), strings.TrimLeft(numberB, "0")
			if order := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); order != 0 {
				return order
			}
			a, b = restA, restB
			continue
		}
		if order := cmp.Compare(a[0], b[0]); order != 0 {
			return order
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) (number, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}

// savedEntry is the default that the loader keeps in a variable of the firmware.
const savedEntry = "@saved"

// findSDBoot reads the menu of systemd-boot, and of others that follow its specification.
func findSDBoot(files Files) (Menus, bool, error) {
	tree, ok := files.(Folders)
	if !ok {
		return Menus{}, false, nil
	}
	found := Menus{Menu: Menu{Loader: SystemdBoot, Sure: true}}
	config, ok, err := files.Text(sdbootConfig)
	if err != nil {
		return Menus{}, false, err
	}
	if ok {
		found.Files = append(found.Files, File{sdbootConfig, config})
	}
	names, err := tree.Names(sdbootEntries)
	if err != nil {
		return Menus{}, false, err
	}
	var entries []bootEntry
	for _, name := range names {
		if !strings.EqualFold(path.Ext(name), ".conf") || len(entries) >= maxEntries {
			continue
		}
		at := path.Join(sdbootEntries, name)
		text, ok, err := files.Text(at)
		if err != nil {
			return Menus{}, false, err
		}
		if ok {
			entries = append(entries, parseEntry(name, text))
			found.Files = append(found.Files, File{at, text})
		}
	}
	unified, err := tree.Names(sdbootUnified)
	if err != nil {
		return Menus{}, false, err
	}
	for _, name := range unified {
		if strings.EqualFold(path.Ext(name), ".efi") && len(entries) < maxEntries {
			entries = append(entries, bootEntry{id: entryID(name), values: map[string]string{"uki": "/" + path.Join(sdbootUnified, name)}})
		}
	}
	slices.SortStableFunc(entries, compareEntries)
	for _, e := range entries {
		found.Items = append(found.Items, e.item())
	}
	if len(found.Items) == 0 {
		return Menus{}, false, nil
	}
	if len(found.Files) == 0 { // unified kernels alone
		found.Files = []File{{sdbootUnified, ""}}
	}
	found.configure(config)
	return found, true, nil
}

// configure takes the default and the timeout of loader.conf(5).
func (m *Menus) configure(text string) {
	m.Default = []int{0}
	for key, value := range keyValues(text) {
		switch key {
		case "timeout":
			m.Timeout = sdbootTimeout(value)
		case "default":
			m.Sure = value != savedEntry
			for n, item := range m.Items {
				if matched, err := path.Match(value, item.ID); err == nil && matched || entryID(value) == item.ID {
					m.Default = []int{n}
					break
				}
			}
		}
	}
}

func sdbootTimeout(value string) time.Duration {
	if value == "menu-force" {
		return Forever
	}
	seconds, err := strconv.ParseUint(value, 10, 32)
	if err != nil { // menu-hidden, menu-disabled
		return 0
	}
	return time.Duration(seconds) * time.Second
}
