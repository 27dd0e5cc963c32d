package boot

import (
	"maps"
	"path"
	"slices"
)

// Device trees describe hardware that nothing else tells of. Firmware has one of its
// own, which the command devicetree of GRUB replaces (GRUB manual, "devicetree").

// deviceTreeMenu is what the submenu for choosing one begins with.
const deviceTreeMenu = "Device tree: "

// deviceTreeVariable is the one that was chosen, relative to the directory of the
// entry's device trees. Exported, it outlives the menu that set it.
const deviceTreeVariable = "dtb"

// deviceTrees reports whether entries have one, or a choice of them.
func (m *Menu) deviceTrees() (fixed, choice bool) {
	for _, system := range m.Systems {
		for _, e := range system.Entries {
			fixed = fixed || e.DeviceTree != ""
			choice = choice || e.DeviceTrees != ""
		}
	}
	return fixed, choice
}

// deviceTree writes the command of an entry.
func (e Entry) deviceTree(s *script) {
	switch {
	case e.DeviceTree != "":
		s.line("devicetree %s", grubQuote(e.DeviceTree))
	case e.DeviceTrees != "":
		s.block(`if [ -n "${`+deviceTreeVariable+`}" ]; then`, func() {
			s.line(`devicetree %s/"${%s}"`, grubQuote(e.DeviceTrees), deviceTreeVariable)
		}, "fi")
	}
}

// deviceTreeChoice writes the submenu that chooses among files, paths relative to
// the entries' directories: a submenu for each vendor, which is how the kernel sorts
// them. The choice then leads back to the first menu.
func (m *Menu) deviceTreeChoice(s *script, fonts, files []string) {
	if _, choice := m.deviceTrees(); !choice {
		return
	}
	s.line(`if [ -n "${%s}" ]; then`, deviceTreeVariable)
	s.line(`  set dtb_title="${%s}"`, deviceTreeVariable)
	s.line("else")
	s.line(`  set dtb_title="the firmware's"`)
	s.line("fi")
	choose := func(title, file string) {
		s.block("menuentry "+grubQuote(title)+" --class settings {", func() {
			s.line("set %s=%s", deviceTreeVariable, grubQuote(file))
			s.line("export %s", deviceTreeVariable)
			s.line("configfile /%s", grubConfig)
		}, "}")
	}
	s.block(`submenu "`+deviceTreeMenu+`${dtb_title}" --class settings {`, func() {
		m.preamble(s, fonts)
		choose("The firmware's", "")
		folders := map[string][]string{}
		for _, file := range files {
			folders[path.Dir(file)] = append(folders[path.Dir(file)], path.Base(file))
		}
		for _, vendor := range slices.Sorted(maps.Keys(folders)) {
			chooseAll := func() {
				for _, name := range folders[vendor] {
					choose(name, path.Join(vendor, name))
				}
			}
			if vendor == "." {
				chooseAll()
				continue
			}
			s.block("submenu "+grubQuote(vendor)+" --class submenu {", func() {
				m.preamble(s, fonts)
				chooseAll()
			}, "}")
		}
	}, "}")
}
