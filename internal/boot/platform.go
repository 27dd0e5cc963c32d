package boot

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/nixos"
)

// choice is the systems of a medium.
type choice struct {
	systems []*nixos.System
	index   int // of the one that starts by itself
}

// chosen is the system that starts by itself. Menus look as it wants, and wait as long.
func (c choice) chosen() *nixos.System { return c.systems[c.index] }

// bios is the system that menus of isolinux look as, efi that of GRUB's: another one if the
// chosen one starts otherwise.
func (c choice) bios() *nixos.System {
	return c.first(func(s *nixos.System) bool { return s.MakeBIOSBootable })
}

// efi is described with bios.
func (c choice) efi() *nixos.System {
	return c.first(func(s *nixos.System) bool { return s.MakeEFIBootable })
}

// first is the chosen system if it is so, else the first that is, else the chosen one.
func (c choice) first(is func(*nixos.System) bool) *nixos.System {
	if !is(c.chosen()) {
		if n := slices.IndexFunc(c.systems, is); n >= 0 {
			return c.systems[n]
		}
	}
	return c.chosen()
}

// platform is a kind of machine, and the systems that start there.
type platform struct {
	bios    bool   // a PC BIOS starts them
	efiArch string // of the UEFI firmware that does, or empty
	systems []*nixos.System
}

// platforms are the kinds of machines that the medium starts. One with BIOS and UEFI is one, if
// all systems start by both. A medium that starts nothing has one that is neither.
func (c choice) platforms() []platform {
	bios := platform{bios: true}
	var all []platform
	for _, s := range c.systems {
		if s.MakeBIOSBootable {
			bios.systems = append(bios.systems, s)
		}
		if !s.MakeEFIBootable {
			continue
		}
		n := slices.IndexFunc(all, func(p platform) bool { return p.efiArch == s.EFIArch })
		if n < 0 {
			n = len(all)
			all = append(all, platform{efiArch: s.EFIArch})
		}
		all[n].systems = append(all[n].systems, s)
	}
	if len(bios.systems) > 0 {
		n := slices.IndexFunc(all, func(p platform) bool { return slices.Equal(p.systems, bios.systems) })
		if n >= 0 {
			all[n].bios = true
		} else {
			all = slices.Insert(all, 0, bios)
		}
	}
	if len(all) == 0 {
		return []platform{{systems: c.systems}}
	}
	return all
}

// cpu is what GRUB calls the processor, in the variable grub_cpu (GRUB manual, "grub_cpu").
func (p platform) cpu() string {
	if p.efiArch == "" {
		return ""
	}
	cpu, _, _ := strings.Cut(p.systems[0].GRUB.Target, "-")
	return cpu
}

// grub is the system whose program of GRUB starts all of them: one that has the command for
// device trees, if any needs it.
func (p platform) grub() *nixos.System {
	hasTrees := func(s *nixos.System) bool {
		return slices.ContainsFunc(s.Shown(), func(c nixos.Configuration) bool { return c.DeviceTree != "" || c.DeviceTrees != "" })
	}
	if n := slices.IndexFunc(p.systems, hasTrees); n >= 0 {
		return p.systems[n]
	}
	return p.systems[0]
}

// memtest is the system whose memory test starts there, or nil.
func (p platform) memtest() *nixos.System {
	n := slices.IndexFunc(p.systems, func(s *nixos.System) bool {
		return s.Memtest != nil && (p.bios || p.efiArch != "" && s.Memtest.EFI)
	})
	if n < 0 {
		return nil
	}
	return p.systems[n]
}

// refind is the program of rEFInd for the platform, or empty.
func (p platform) refind() string {
	for _, s := range p.systems {
		if s.Refind != "" {
			return s.Refind
		}
	}
	return ""
}
