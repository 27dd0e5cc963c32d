package boot

import (
	"slices"

	"github.com/livebuild/livebuild/internal/storefs"
)

// The scripts of GRUB. There is one, unless the medium starts machines of several kinds by
// UEFI: all their programs look for the same script, which then reads that of the processor.

// scriptOf is where the menu for a processor lies, if there are several.
func scriptOf(cpu string) string { return efiDir + "/grub-" + cpu + ".cfg" }

// efiMenus are the menus that GRUB shows, with their platforms.
func (t *Tree) efiMenus() (menus []*Menu, platforms []platform) {
	for i, menu := range t.Menus {
		if menu.EFIArch != "" {
			menus, platforms = append(menus, menu), append(platforms, t.platforms[i])
		}
	}
	return menus, platforms
}

// scripts are the paths of all scripts, the first of which GRUB looks for.
func (t *Tree) scripts() []string {
	paths := []string{grubConfig}
	if menus, _ := t.efiMenus(); len(menus) > 1 {
		for _, menu := range menus {
			paths = append(paths, scriptOf(menu.CPU))
		}
	}
	return paths
}

// script is the n-th of the scripts.
func (t *Tree) script(n int, store *storefs.FS, fonts []string) ([]byte, error) {
	menus, platforms := t.efiMenus()
	if len(menus) > 1 {
		if n == 0 {
			return chooseScript(menus), nil
		}
		n--
	}
	trees, err := deviceTreeFiles(store, platforms[n].systems)
	if err != nil {
		return nil, err
	}
	return menus[n].Grub(fonts, trees), nil
}

// chooseScript is the script that reads that of the processor. A GRUB that started it from
// an image file may be one for BIOS, which calls every PC an i386.
func chooseScript(menus []*Menu) []byte {
	s := &script{}
	s.line("# Each kind of machine has a menu of its own.")
	named := scriptOf("${grub_cpu}")
	pc := slices.IndexFunc(menus, func(m *Menu) bool { return m.CPU == "x86_64" })
	hasI386 := slices.ContainsFunc(menus, func(m *Menu) bool { return m.CPU == "i386" })
	if pc < 0 || hasI386 {
		s.line(`source "/%s"`, named)
		return s.Bytes()
	}
	s.line(`if [ "${grub_cpu}" = "i386" ]; then`)
	s.line(`  source "/%s"`, scriptOf(menus[pc].CPU))
	s.line("else")
	s.line(`  source "/%s"`, named)
	s.line("fi")
	return s.Bytes()
}

// Texts returns the menus of the loaders by their paths on the medium, as far as they are known
// before anything is built: without what themes and choices of device trees bring.
func (t *Tree) Texts() map[string][]byte {
	texts := map[string][]byte{}
	for _, menu := range t.Menus {
		if menu.BIOS {
			texts[isolinuxConfig] = menu.Isolinux()
		}
	}
	menus, _ := t.efiMenus()
	switch {
	case len(menus) == 1:
		texts[grubConfig] = menus[0].Grub(nil, nil)
	case len(menus) > 1:
		texts[grubConfig] = chooseScript(menus)
		for _, menu := range menus {
			texts[scriptOf(menu.CPU)] = menu.Grub(nil, nil)
		}
	}
	return texts
}
