package boot

import (
	"slices"
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
	menus, _ := t.efiMenus()
	if len(menus) == 1 {
		return []string{grubConfig}
	}
	paths := []string{grubConfig}
	for _, menu := range menus {
		paths = append(paths, scriptOf(menu.CPU))
	}
	if standsForI386(menus) {
		paths = append(paths, scriptOf("i386"))
	}
	return paths
}

// standsForI386 reports whether the menu of x86_64 is that of other PCs, too: a GRUB that starts
// the medium from an image file may be one for BIOS, which calls every PC an i386.
func standsForI386(menus []*Menu) bool {
	is := func(cpu string) bool { return slices.ContainsFunc(menus, func(m *Menu) bool { return m.CPU == cpu }) }
	return is("x86_64") && !is("i386")
}

// script is one of the scripts. Fonts and deviceTrees are as of [Menu.Grub], the latter by the
// platform.
func (t *Tree) script(name string, fonts []string, deviceTrees func(platform) ([]string, error)) ([]byte, error) {
	menus, platforms := t.efiMenus()
	s := &script{}
	for i, menu := range menus {
		if len(menus) > 1 && name != scriptOf(menu.CPU) {
			continue
		}
		files, err := deviceTrees(platforms[i])
		if err != nil {
			return nil, err
		}
		return menu.Grub(fonts, files), nil
	}
	if name == grubConfig {
		s.line("# Each kind of machine has a menu of its own.")
		s.line(`source "/%s"`, scriptOf("${grub_cpu}"))
	} else {
		s.line("# A GRUB for BIOS, which started this medium from a file, calls every PC so.")
		s.line("source /%s", scriptOf("x86_64"))
	}
	return s.Bytes(), nil
}

// Texts returns the menus of the loaders by their paths on the medium, as far as they are known
// before anything is built: without what themes and choices of device trees bring.
func (t *Tree) Texts() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, menu := range t.Menus {
		if menu.BIOS {
			texts[isolinuxConfig] = menu.Isolinux()
		}
	}
	if t.EFIImage == "" {
		return texts, nil
	}
	for _, name := range t.scripts() {
		var err error
		if texts[name], err = t.script(name, nil, func(platform) ([]string, error) { return nil, nil }); err != nil {
			return nil, err
		}
	}
	return texts, nil
}
