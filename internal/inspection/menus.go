package inspection

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/kernel"
	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
)

// Menu is a boot menu, as it is found in one or more file systems.
type Menu struct {
	Loader  string   `json:"loader"`        // "SYSLINUX", "GRUB" or "systemd-boot"
	CPU     string   `json:"cpu,omitempty"` // of the machine, as GRUB calls it, that alone shows it
	Files   []string `json:"files"`         // paths for cat
	Timeout *int     `json:"timeout"`       // seconds; null: it waits for its user
	Sure    bool     `json:"sure"`          // false: conditions decide about entries, default or timeout
	Entries []Entry  `json:"entries"`
}

// Entry is a line of a menu that can be chosen.
type Entry struct {
	Title   string   `json:"title"`
	Default bool     `json:"default"`           // it starts by itself, or the one that does is below it
	Line    string   `json:"line,omitempty"`    // the kernel and its parameters
	Initrds []string `json:"initrds,omitempty"` // what the loader hands to it
	Entries []Entry  `json:"entries,omitempty"` // of a submenu
}

// Kernel is a kernel that a menu starts.
type Kernel struct {
	Path    string `json:"path"`
	Version string `json:"version"` // "" if it does not tell
}

var loaderNames = map[loader.Loader]string{loader.SYSLINUX: "SYSLINUX", loader.GRUB: "GRUB", loader.SystemdBoot: "systemd-boot"}

func (i *Image) readMenus(m *medium.Medium) error {
	if m.Bundled() {
		i.bundledMenu(m)
		return nil
	}
	efi := 0
	for _, t := range m.Trees() {
		prefix := "/"
		switch {
		case t.EFI:
			prefix = i.EFI[efi].Path
			efi++
		case t != m.Files():
			continue // the volume as a partition
		}
		for _, l := range []loader.Loader{loader.SYSLINUX, loader.GRUB, loader.SystemdBoot} {
			all, err := loader.Find(t, l)
			if err != nil {
				return err
			}
			for _, found := range all {
				i.Menus = addMenu(i.Menus, found, prefix)
				if err := i.addKernels(m, t, prefix, found.Kernels()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ReadMenus reads the menus that are among files of a volume.
func ReadMenus(files loader.Files) ([]Menu, error) {
	menus := []Menu{}
	for _, l := range []loader.Loader{loader.SYSLINUX, loader.GRUB} {
		all, err := loader.Find(files, l)
		if err != nil {
			return nil, err
		}
		for _, found := range all {
			menus = addMenu(menus, found, "/")
		}
	}
	return menus, nil
}

// addMenu adds a menu, or the files of one that is there already.
func addMenu(menus []Menu, found loader.Menus, prefix string) []Menu {
	menu := Menu{Loader: loaderNames[found.Loader], CPU: found.CPU, Sure: found.Sure, Entries: entries(found.Items, found.Default)}
	if found.Timeout != loader.Forever {
		seconds := int(min(found.Timeout/time.Second, math.MaxInt32))
		menu.Timeout = &seconds
	}
	var files []string
	for _, f := range found.Files {
		files = append(files, prefix+strings.TrimPrefix(f.Path, "/"))
	}
	for n := range menus {
		same := menus[n]
		if same.Files = nil; reflect.DeepEqual(same, menu) {
			menus[n].Files = append(menus[n].Files, files...)
			return menus
		}
	}
	menu.Files = append([]string{}, files...)
	return append(menus, menu)
}

func entries(items []loader.Item, way []int) []Entry {
	list := []Entry{}
	for n, item := range items {
		e := Entry{Title: item.Title, Line: item.CommandLine, Initrds: item.Initrds, Default: len(way) > 0 && way[0] == n}
		if len(item.Items) > 0 {
			var rest []int
			if e.Default {
				rest = way[1:]
			}
			e.Entries = entries(item.Items, rest)
		}
		list = append(list, e)
	}
	return list
}

// addKernels adds kernels that are named in a tree, where they are there or, named without a
// device, on the volume.
func (i *Image) addKernels(m *medium.Medium, t *medium.Tree, prefix string, paths []string) error {
	for _, name := range paths {
		in, at := t, prefix+name
		f, err := t.Find(name)
		if errors.Is(err, fs.ErrNotExist) {
			in, at = m.Files(), "/"+name
			f, err = in.Find(name)
		}
		if errors.Is(err, fs.ErrNotExist) || slices.ContainsFunc(i.Kernels, func(k Kernel) bool { return k.Path == at }) {
			continue
		}
		if err != nil {
			return err
		}
		i.Kernels = append(i.Kernels, Kernel{at, kernel.Version(in.Open(f), f.Size)})
	}
	return nil
}

// toplevel is the system that a default entry starts, by the parameter init of NixOS.
func (i *Image) toplevel() string {
	var find func(entries []Entry, chosen bool) string
	find = func(entries []Entry, chosen bool) string {
		for _, e := range entries {
			if chosen && !e.Default {
				continue
			}
			for _, word := range strings.Fields(e.Line) {
				if init, ok := strings.CutPrefix(word, "init="); ok && path.Base(init) == "init" {
					return path.Dir(init)
				}
			}
			if below := find(e.Entries, chosen); below != "" {
				return below
			}
		}
		return ""
	}
	for _, chosen := range []bool{true, false} {
		for _, menu := range i.Menus {
			if top := find(menu.Entries, chosen); top != "" {
				return top
			}
		}
	}
	return ""
}
