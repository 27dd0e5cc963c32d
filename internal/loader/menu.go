// Package loader reads the menus of boot loaders as their user meets them, and changes them so
// that an entry starts by itself and its kernel writes to a serial console.
//
// It understands SYSLINUX's configuration files, as menu.c32 and vesamenu.c32 show
// them, and GRUB's scripts as far as menus go: entries and submenus, not what conditions and
// variables make of them. It takes any text: what it does not understand is no menu. The
// entries of systemd-boot are read, and not changed.
package loader

import (
	"slices"
	"strings"
	"time"
)

// Menu is a boot menu.
type Menu struct {
	Loader  Loader
	Items   []Item
	Default []int // indices that lead to the item that starts by itself, through submenus
	Timeout time.Duration

	// Sure is false if conditions or variables decide about the items, the default
	// or the timeout.
	Sure bool
}

// Forever is the timeout of a menu that waits for its user.
const Forever = time.Duration(1<<63 - 1)

// Loader is a kind of boot loader.
type Loader int

// The loaders that menus are read of.
const (
	SYSLINUX Loader = iota
	GRUB
	SystemdBoot // or another that follows the Boot Loader Specification
)

// Item is a line of a menu that can be chosen.
type Item struct {
	Title string
	ID    string // by which other lines name it; SYSLINUX' label
	Items []Item // of a submenu

	CommandLine string   // of the kernel; "" if the item starts none
	Initrds     []string // files that the loader hands to the kernel
}

// DefaultItem returns the item that starts by itself, without one if there is none.
func (m Menu) DefaultItem() (item Item) {
	items := m.Items
	for _, n := range m.Default {
		if n >= len(items) {
			return Item{}
		}
		item = items[n]
		items = item.Items
	}
	return item
}

// patience is how long a menu may wait for its user without being told not to.
const patience = 30 * time.Second

// Speaks reports whether the menu, as it is, certainly starts a kernel that writes to a serial port with
// this name, such as "ttyS0", and soon.
func (m Menu) Speaks(port string) bool {
	return m.Sure && m.Timeout <= patience && hasConsole(m.DefaultItem().CommandLine, port)
}

// firstKernel returns the way to the first item of some that starts a kernel, or nil.
func firstKernel(items []Item) []int {
	return wayTo(items, func(i Item) bool { return i.CommandLine != "" })
}

// wayTo returns the way to the first item that is so, or nil.
func wayTo(items []Item, is func(Item) bool) []int {
	for n, item := range items {
		if is(item) {
			return []int{n}
		}
		if path := wayTo(item.Items, is); path != nil {
			return append([]int{n}, path...)
		}
	}
	return nil
}

// Console is what makes a kernel write to a serial port, and with the speed that systems expect
// there.
func Console(port string) string { return "console=" + port + ",115200n8" }

// hasConsole reports whether a kernel's command line names the console (kernel-parameters.txt,
// console=).
func hasConsole(line, port string) bool {
	return slices.ContainsFunc(strings.Fields(line), func(word string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "console="), ",")
		return strings.HasPrefix(word, "console=") && name == port
	})
}

// edit changes a text in one place.
type edit struct {
	cut
	insert string
}

// apply makes edits, which do not overlap but may begin in the same place.
func apply(text string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:max(at, e.from)])
		b.WriteString(e.insert)
		at = max(at, e.to)
	}
	b.WriteString(text[at:])
	return b.String()
}

// squeeze is apply, without what has no meaning if the text would not fit otherwise. It
// returns false if it does not fit even so.
func squeeze(text string, edits []edit, spare []cut, room int) (string, bool) {
	if changed := apply(text, edits); len(changed) <= room {
		return changed, true
	}
	for _, c := range spare {
		edits = append(edits, edit{cut: c})
	}
	changed := apply(text, edits)
	return changed, len(changed) <= room
}
