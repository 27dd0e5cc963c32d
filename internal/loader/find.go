package loader

import (
	"path"
	"slices"
	"strings"
)

// Files are those of a medium: Text returns one of them, in whatever case its name is written,
// and false if there is none.
type Files interface {
	Text(path string) (text string, ok bool, err error)
}

// Where the loaders look for their menus: isolinux (isolinux.txt in the sources of SYSLINUX,
// and the names that its mkisofs examples use), GRUB by the prefixes that makers of images
// give it. The first that has entries counts.
var (
	syslinuxMenus = []string{
		"boot/isolinux/isolinux.cfg", "isolinux/isolinux.cfg", "isolinux.cfg",
		"boot/syslinux/isolinux.cfg", "boot/syslinux/syslinux.cfg", "syslinux/isolinux.cfg", "syslinux/syslinux.cfg", "syslinux.cfg",
	}
	grubMenus = []string{
		"EFI/BOOT/grub.cfg", "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "EFI/grub/grub.cfg", "grub/grub.cfg", "boot/grub/x86_64-efi/grub.cfg",
		"EFI/debian/grub.cfg", "EFI/ubuntu/grub.cfg", "EFI/fedora/grub.cfg",
	}
)

// File is a menu's file and what it holds.
type File struct{ Path, Text string }

// Menus is what a loader shows.
type Menus struct {
	Menu
	CPU   string // that GRUB has to be for to show it, as in its variable grub_cpu; empty: any
	Files []File // of systemd-boot its configuration and its entries; of SYSLINUX the outermost first, then those that it includes; of GRUB all scripts that load kernels
}

// Find returns the menus that the loader shows: as a rule one, or none. Of GRUB there can be
// one for each kind of processor.
func Find(files Files, loader Loader) ([]Menus, error) {
	if loader == GRUB {
		return findGRUB(files)
	}
	find := findSYSLINUX
	if loader == SystemdBoot {
		find = findSDBoot
	}
	menus, ok, err := find(files)
	if err != nil || !ok {
		return nil, err
	}
	return []Menus{menus}, nil
}

func findSYSLINUX(files Files) (Menus, bool, error) {
	for _, name := range syslinuxMenus {
		text, ok, err := files.Text(name)
		if err != nil {
			return Menus{}, false, err
		}
		if !ok {
			continue
		}
		found := Menus{Files: []File{{name, text}}}
		var failed error
		p := readSYSLINUX(text, func(included string) (string, bool) {
			included = resolveInclude(name, included)
			text, ok, err := files.Text(included)
			if err != nil {
				failed = err
			}
			if ok && !slices.ContainsFunc(found.Files, func(f File) bool { return f.Path == included }) {
				found.Files = append(found.Files, File{included, text})
			}
			return text, ok
		})
		if failed != nil {
			return Menus{}, false, failed
		}
		if found.Menu = p.finish(); len(found.Items) > 0 {
			return found, true, nil
		}
	}
	return Menus{}, false, nil
}

// resolveInclude returns the path of a file that the menu at a path names.
func resolveInclude(menu, name string) string {
	if !strings.HasPrefix(name, "/") {
		name = path.Join(path.Dir(menu), name)
	}
	return strings.TrimPrefix(path.Clean(name), "/")
}

// maxScripts bounds how many scripts of GRUB are read.
const maxScripts = 64

// grubCPUs are the processors that GRUB knows by UEFI (grub_cpu in the GRUB manual; the
// values are the folders of grub-core/lib in its sources).
var grubCPUs = []string{"x86_64", "i386", "arm64", "arm", "riscv64", "riscv32", "loongarch64", "ia64"}

// script is one of GRUB's, for one kind of processor or for all.
type script struct{ name, cpu string }

// sources are the scripts that it reads.
func (s script) sources(text string) (list []script) {
	for _, name := range grubSources(text) {
		with := strings.ReplaceAll(name, "${grub_cpu}", "$grub_cpu")
		for _, cpu := range grubCPUs {
			path := strings.ReplaceAll(with, "$grub_cpu", cpu)
			if strings.Contains(path, "$") {
				break
			}
			if path == with { // it does not depend on the processor
				list = append(list, script{path, s.cpu})
				break
			}
			if s.cpu == "" || s.cpu == cpu {
				list = append(list, script{path, cpu})
			}
		}
	}
	return list
}

func findGRUB(files Files) ([]Menus, error) {
	all := []Menus{{}} // the first of scripts for all processors
	of := func(cpu string) *Menus {
		n := slices.IndexFunc(all, func(m Menus) bool { return m.CPU == cpu })
		if n < 0 {
			n, all = len(all), append(all, Menus{CPU: cpu})
		}
		return &all[n]
	}
	var pending []script
	for _, name := range grubMenus {
		pending = append(pending, script{name: name})
	}
	seen := map[string]bool{}
	for len(pending) > 0 && len(seen) < maxScripts {
		next := pending[0]
		pending = pending[1:]
		if seen[strings.ToLower(next.name)] {
			continue
		}
		seen[strings.ToLower(next.name)] = true
		text, ok, err := files.Text(next.name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		pending = append(pending, next.sources(text)...)
		found, menu := of(next.cpu), ParseGRUB(text)
		if len(menu.Items) > 0 && len(found.Items) == 0 {
			found.Menu = menu
		}
		if firstKernel(menu.Items) != nil || len(readGRUB(text).lines) > 0 {
			found.Files = append(found.Files, File{next.name, text})
		}
	}
	if len(all[0].Items) > 0 { // what processors have beside is not told apart
		for _, other := range all[1:] {
			all[0].Files = append(all[0].Files, other.Files...)
		}
		all = all[:1]
	}
	all = slices.DeleteFunc(all, func(m Menus) bool { return len(m.Items) == 0 })
	for n := range all {
		all[n].Sure = all[n].Sure && len(all[n].Files) == 1
	}
	return all, nil
}

// For reports whether a loader for a processor, as GRUB calls it, shows the menu.
func (m Menus) For(cpu string) bool { return m.CPU == "" || m.CPU == cpu }

// Starting returns the way to the first entry whose kernel is given a parameter, or nil.
func (m Menus) Starting(parameter string) []int {
	return wayTo(m.Items, func(i Item) bool {
		return slices.Contains(strings.Fields(i.CommandLine), parameter)
	})
}

// Speak returns new texts of the menu's files, by their paths, with which an entry starts by itself
// and its kernel writes to a serial port; see [SpeakGRUB] and [SpeakSYSLINUX]. The entry is the
// one that a way leads to, or the default if that is nil.
// Room is how large a file may become.
func (m Menus) Speak(way []int, port string, room func(path string) int) (changed map[string]string, ok bool) {
	changed = map[string]string{}
	if m.Loader == GRUB {
		for _, f := range m.Files {
			text, ok := SpeakGRUB(f.Text, way, port, room(f.Path))
			if !ok {
				return nil, false
			}
			changed[f.Path] = text
		}
		return changed, len(changed) > 0
	}
	main := m.Files[0]
	pathOf := func(name string) string {
		if name == "" {
			return main.Path
		}
		return resolveInclude(main.Path, name)
	}
	texts, ok := SpeakSYSLINUX(main.Text, way, port, func(name string) (string, bool) {
		n := slices.IndexFunc(m.Files, func(f File) bool { return f.Path == pathOf(name) })
		if n < 0 {
			return "", false
		}
		return m.Files[n].Text, true
	}, func(name string) int { return room(pathOf(name)) })
	for name, text := range texts {
		changed[pathOf(name)] = text
	}
	return changed, ok
}

// Kernels returns the files of the kernels that the menu's entries start, as they name them without
// a device, as far as they are written out.
func (m Menus) Kernels() []string {
	return m.files(func(item Item) []string { return []string{firstWord(item.CommandLine)} })
}

// Needed returns all files that the menu's entries load, their kernels and initrds, as Kernels does.
func (m Menus) Needed() []string {
	return m.files(func(item Item) []string { return append([]string{firstWord(item.CommandLine)}, item.Initrds...) })
}

// files returns the files of the entries that start a kernel, each once.
func (m Menus) files(of func(Item) []string) (paths []string) {
	var add func(items []Item)
	add = func(items []Item) {
		for _, item := range items {
			add(item.Items)
			if item.CommandLine == "" {
				continue
			}
			for _, file := range of(item) {
				if file = m.file(file); !strings.Contains(file, "$") && !slices.Contains(paths, file) {
					paths = append(paths, file)
				}
			}
		}
	}
	add(m.Items)
	return paths
}

// file is the path of a file on its device that an entry names.
func (m Menus) file(name string) string {
	switch m.Loader {
	case SYSLINUX:
		return resolveInclude(m.Files[0].Path, name)
	case SystemdBoot:
		return strings.TrimPrefix(path.Clean("/"+name), "/")
	}
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name = name[i:]
	}
	return strings.TrimPrefix(path.Clean(name), "/")
}

// StartsKernel reports whether an entry starts a kernel.
func (m Menus) StartsKernel() bool {
	return firstKernel(m.Items) != nil || m.Loader == GRUB && len(m.Files) > 0
}
