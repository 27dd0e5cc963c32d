package boottest

import (
	"errors"
	"path"

	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
)

// System is one that an image starts.
type System struct {
	Name string // of its configuration; empty: the only one, or the one that starts by itself
	Init string // what its kernel is given as init=; empty likewise

	Arch       string // of its processor, as of a [medium.Medium]
	Firmware32 bool
	Modes      []medium.Mode // that start it, as a file among them
}

// Systems are those that an image says it has several of, as far as its menus start them, else
// the one that it starts by itself.
func Systems(m *medium.Medium) ([]System, error) {
	modes := m.WithFile(m.Modes)
	only := []System{{Arch: m.Arch, Firmware32: m.Firmware32, Modes: modes}}
	paper, err := m.Manifest()
	_, none := errors.AsType[*medium.NoManifestError](err)
	_, useless := errors.AsType[*manifest.Error](err)
	_, younger := errors.AsType[*manifest.VersionError](err)
	switch {
	case none || useless || younger: // which verify tells
		return only, nil
	case err != nil:
		return nil, err
	case len(paper.Others) == 0:
		return only, nil
	}
	bios, err := menusOf(m, loader.SYSLINUX)
	if err != nil {
		return nil, err
	}
	efi, err := menusOf(m, loader.GRUB)
	if err != nil {
		return nil, err
	}
	var systems []System
	for _, c := range paper.Configurations() {
		s := System{Name: c.Name, Init: path.Join(c.Toplevel, "init"), Arch: m.Arch, Firmware32: m.Firmware32}
		for _, mode := range modes {
			menus := bios
			if mode.UEFI() || mode.AsFile() {
				menus = efi
			}
			cpu, ok := s.shownBy(menus)
			if !ok {
				continue
			}
			if machine, known := grubMachines[cpu]; known {
				s.Arch, s.Firmware32 = machine.arch, machine.firmware32
			}
			if mode == medium.LoopbackBIOS && s.Arch != "x86_64" {
				continue
			}
			s.Modes = append(s.Modes, mode)
		}
		if len(s.Modes) > 0 {
			systems = append(systems, s)
		}
	}
	if len(systems) == 0 {
		return only, nil
	}
	return systems, nil
}

// grubMachines are machines by what GRUB calls their processors where UEFI starts it.
var grubMachines = map[string]struct {
	arch       string
	firmware32 bool
}{
	"x86_64": {"x86_64", false},
	"i386":   {"x86_64", true},
	"arm64":  {"aarch64", false},
}

// cpu is what GRUB calls the processor.
func (s System) cpu() string {
	for cpu, machine := range grubMachines {
		if machine.arch == s.Arch && machine.firmware32 == s.Firmware32 {
			return cpu
		}
	}
	return ""
}

// parameter is the word on the kernel's command line by which the system is known; empty for what
// starts by itself.
func (s System) parameter() string {
	if s.Init == "" {
		return ""
	}
	return "init=" + s.Init
}

// shownBy finds the system in menus, and says for which processor that is.
func (s System) shownBy(all []loader.Menus) (cpu string, ok bool) {
	for _, menus := range all {
		if menus.Starting(s.parameter()) != nil {
			return menus.CPU, true
		}
	}
	return "", false
}

// menusOf are the menus of a loader on all file systems of a medium.
func menusOf(m *medium.Medium, kind loader.Loader) (all []loader.Menus, err error) {
	for _, t := range m.Trees() {
		menus, err := loader.Find(t, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, menus...)
	}
	return all, nil
}
