// Package loader reads the menus of boot loaders as their user meets them, and says which
// keys start a kernel that writes to a serial console.
//
// It understands SYSLINUX's configuration files, as menu.c32 and vesamenu.c32 show
// them, and GRUB's scripts as far as menus go: entries and submenus, not what conditions and
// variables make of them. It takes any text: what it does not understand is no menu.
package loader

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/qemu"
)

// Menu is a boot menu.
type Menu struct {
	Loader  Loader
	Items   []Item
	Default int // index of the item that starts by itself
}

// Loader is a kind of boot loader.
type Loader int

// The loaders that menus are read of.
const (
	SYSLINUX Loader = iota
	GRUB
)

// Item is a line of a menu that can be chosen.
type Item struct {
	Title string
	Items []Item // of a submenu

	CommandLine string // of the kernel; "" if the item starts none

	// kernelLine is the number of lines in GRUB's editor before the one with the kernel.
	kernelLine int
}

// Way is how a kernel gets its serial console.
type Way int

// ByItself means that the default entry has one, ByEntry that the menu has an entry for it, and
// ByTyping that the parameter is added to the default entry. NoWay means that there is no
// entry to add it to.
const (
	ByItself Way = iota
	ByEntry
	ByTyping
	NoWay
)

// Serial returns the keys to press, from the first entry of the menu on, for a kernel that uses the
// serial port with this name, such as "ttyS0".
func (m Menu) Serial(port string) (Way, []qemu.Key) {
	if m.Default >= len(m.Items) || m.Items[m.Default].CommandLine == "" {
		return NoWay, nil
	}
	line := m.Items[m.Default].CommandLine
	if hasConsole(line, port) {
		return ByItself, nil
	}
	if path := findConsole(m.Items, kernel(line), port); path != nil {
		var keys []qemu.Key
		for i, index := range path {
			if i > 0 {
				keys = append(keys, qemu.Settle, qemu.KeyHome)
			}
			keys = append(keys, down(index)...)
			keys = append(keys, qemu.KeyEnter)
		}
		return ByEntry, keys
	}
	return ByTyping, slices.Concat(down(m.Default), m.addToKernel(" console="+port+",115200n8"))
}

func down(lines int) []qemu.Key { return slices.Repeat([]qemu.Key{qemu.KeyDown}, lines) }

// addToKernel returns the keys that add text to the kernel's line of the entry that is
// highlighted, and start it.
func (m Menu) addToKernel(text string) []qemu.Key {
	if m.Loader == SYSLINUX {
		return slices.Concat([]qemu.Key{qemu.KeyTab, qemu.Settle}, qemu.Text(text), []qemu.Key{qemu.KeyEnter})
	}
	return slices.Concat(
		[]qemu.Key{"e", qemu.Settle}, down(m.Items[m.Default].kernelLine), []qemu.Key{qemu.KeyEnd},
		qemu.Text(text), []qemu.Key{"ctrl-x"})
}

// findConsole returns the indices that lead to the first entry with the kernel and the console, or
// nil. Another kernel may be none: memory tests have the parameter, too.
func findConsole(items []Item, image, port string) []int {
	for i, item := range items {
		if kernel(item.CommandLine) == image && hasConsole(item.CommandLine, port) {
			return []int{i}
		}
		if path := findConsole(item.Items, image, port); path != nil {
			return append([]int{i}, path...)
		}
	}
	return nil
}

// kernel is the file that a command line begins with.
func kernel(line string) string {
	image, _, _ := strings.Cut(line, " ")
	return image
}

// hasConsole reports whether a kernel's command line names the console (kernel-parameters.txt,
// console=).
func hasConsole(line, port string) bool {
	return slices.ContainsFunc(strings.Fields(line), func(word string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "console="), ",")
		return strings.HasPrefix(word, "console=") && name == port
	})
}
