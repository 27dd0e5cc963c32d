package boottest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/livebuild/livebuild/internal/carrier"
	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/overlay"
	"github.com/livebuild/livebuild/internal/qemu"
)

// Serial is how the kernel of an image gets its serial console.
type Serial string

// SerialDefault means that what the menu starts has one. SerialAdded means that the boot loader is
// shown a changed copy of its menu, in which the default entry has one and starts without
// waiting for anyone. SerialUnknown means that neither is known: only what
// the system says of its own accord is heard.
const (
	SerialDefault Serial = "default"
	SerialAdded   Serial = "added"
	SerialUnknown Serial = "unknown"
)

// Start is how an image is started in a mode.
type Start struct {
	Mode   medium.Mode
	Serial Serial
	Menus  []string // paths of the files that are shown changed
	Reason string   // why the console is unknown

	system System
	mute   bool // the console is left as it is
	medium *medium.File
	path   string        // absolute
	disk   *overlay.Disk // nil if nothing is changed

	install *Installation // that the loader is to start, or nil
	network *network      // nil of a medium
	before  *before       // that starts an archive for kexec, or nil
	carrier *carrier.Disk // that has the image as a file, or nil
}

// serialPorts are the names that Linux has for the first serial port.
var serialPorts = map[string]string{"x86_64": "ttyS0", "aarch64": "ttyAMA0"}

// Prepare finds out how a system of an image is to be started in a mode so that it can be heard. The
// image has to be open as long as it runs, and the start to be closed after that.
func Prepare(m *medium.File, of System, mode medium.Mode) (*Start, error) {
	return prepare(&Start{Mode: mode, Serial: SerialUnknown, medium: m, system: of})
}

// PrepareMute is Prepare of a system that need not be heard.
func PrepareMute(m *medium.File, of System, mode medium.Mode) (*Start, error) {
	return prepare(&Start{Mode: mode, Serial: SerialUnknown, medium: m, system: of, mute: true})
}

func prepare(s *Start) (_ *Start, err error) {
	if s.path, err = filepath.Abs(s.medium.Path); err != nil {
		return nil, err
	}
	if s.Mode == medium.Kexec {
		console := ""
		if !s.mute {
			s.Serial = SerialAdded
			console = loader.Console(serialPorts[s.medium.Arch])
		}
		s.before, err = newBefore(s.medium, console)
		return s, err
	}
	if s.Mode.Netboot() {
		s.Serial = SerialAdded
		s.network, err = newNetwork(s.medium.Netboot, serialPorts[s.medium.Arch])
		return s, err
	}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("reading the boot menu: %w", err)
	}
	if s.Mode.AsFile() {
		err = s.carry()
	}
	return s, err
}

// carry puts the image, as it is shown, onto a disk as a file.
func (s *Start) carry() error {
	grub, err := carrier.FindGRUB(s.system.Arch, firmwareOf(s.Mode, s.system.Firmware32))
	if err != nil {
		return err
	}
	ctx := context.Background() // which takes no time worth ending it
	program, err := grub.Make(ctx)
	if err != nil {
		return err
	}
	image, size := s.medium.ReaderAt(), s.medium.Size
	if s.disk != nil {
		image, size = s.disk, s.disk.Size()
	}
	on := carrier.FAT
	switch s.Mode {
	case medium.LoopbackExFAT:
		on = carrier.ExFAT
	case medium.LoopbackExt4:
		on = carrier.Ext4
	}
	s.carrier, err = carrier.New(ctx, image, size, on, program)
	return err
}

// firmwareOf is what starts GRUB in a mode.
func firmwareOf(mode medium.Mode, bits32 bool) carrier.Firmware {
	switch {
	case !mode.UEFI():
		return carrier.BIOS
	case bits32:
		return carrier.UEFI32
	}
	return carrier.UEFI
}

// Machine returns the machine that starts the image so, of one that is complete but for that.
func (s *Start) Machine(m qemu.Machine) qemu.Machine {
	switch {
	case s.before != nil:
		return s.before.machine(m)
	case s.network != nil:
		m.TFTP = s.network.tftp
	case s.carrier != nil:
		m.Served = s.carrier
	case s.disk != nil:
		m.Served = s.disk
	default:
		m.Image = s.path
	}
	return m
}

// Close ends what the machine was given while it ran.
func (s *Start) Close() error {
	switch {
	case s.before != nil:
		return s.before.close()
	case s.network != nil:
		return s.network.close()
	}
	return nil
}

// restore makes the start one from the beginning again.
func (s *Start) restore() {
	if s.disk != nil {
		s.disk.Restore()
	}
}

// machineFor returns the machine with the firmware and the drive of a mode.
func machineFor(m qemu.Machine, mode medium.Mode) qemu.Machine {
	if mode.UEFI() || mode == medium.Kexec && m.Arch == qemu.AArch64 { // which has no other
		m.Firmware = qemu.UEFI
	}
	m.Netboot = mode.Netboot()
	if mode.USB() {
		m.Medium = qemu.USB
	}
	return m
}

// found is a menu on one of the medium's file systems.
type found struct {
	tree  *medium.Tree
	menus loader.Menus
	way   []int // to the entry of a chosen system
}

// chosen reports whether the menu, as it is, starts the system that is wanted.
func (f found) chosen() bool { return f.way == nil || slices.Equal(f.way, f.menus.Default) }

// starts reports whether the menu, as it is, starts what is wanted, and so that it is heard.
func (f found) starts(port string) bool { return f.chosen() && f.menus.Speaks(port) }

// OtherSystemError says that a system of an image cannot be started: another one starts by itself, and the
// boot loader cannot be shown another menu.
type OtherSystemError struct {
	System string
	Mode   medium.Mode
	Reason string
}

func (e *OtherSystemError) Error() string {
	return fmt.Sprintf("%s cannot be started as %s: another system starts by itself, and %s", e.System, e.Mode, e.Reason)
}

func (s *Start) prepare() (err error) {
	port := serialPorts[s.system.Arch]
	trees := s.trees()
	var all []found
	for _, kind := range s.loaders() {
		for _, t := range trees {
			if t.EFI && kind == loader.SYSLINUX {
				continue
			}
			menus, err := loader.Find(t, kind)
			if err != nil {
				return err
			}
			for _, one := range menus {
				f := found{tree: t, menus: one}
				if s.system.Init != "" {
					f.way = one.Starting(s.system.parameter())
				}
				if one.For(s.system.cpu()) && (f.way != nil || s.system.Init == "") {
					all = append(all, f)
				}
			}
		}
	}
	switch {
	case len(all) == 0:
		s.Reason = "no boot menu was found"
		return nil
	case s.install == nil && all[0].starts(port):
		s.Serial = SerialDefault
		return nil
	}
	if s.mute {
		port = ""
	}
	disk := overlay.New(s.medium.ReaderAt(), s.medium.Size)
	if s.Reason, err = s.change(disk, all, port); s.Reason != "" || err != nil {
		s.Menus = nil
		if err == nil && !all[0].chosen() {
			err = &OtherSystemError{System: s.system.Name, Mode: s.Mode, Reason: s.Reason}
		}
		return err
	}
	for _, f := range all {
		for _, path := range f.menus.Kernels() {
			liftAt(disk, trees, path)
		}
	}
	s.Serial, s.disk = SerialAdded, disk
	return nil
}

// signed tells whether GRUB verifies the menus: a signature lies beside one.
func (f found) signed() bool {
	return slices.ContainsFunc(f.menus.Files, func(file loader.File) bool {
		_, err := f.tree.Find(file.Path + medium.SignatureSuffix)
		return err == nil
	})
}

// change shows the menus changed. Which of several the loader takes is not known, so all are, but
// those that start nothing. It returns why that cannot be done.
func (s *Start) change(disk *overlay.Disk, all []found, port string) (reason string, err error) {
	reason = "no entry of its boot menu starts a kernel"
	for _, f := range all {
		if !f.menus.StartsKernel() {
			continue
		}
		if f.signed() {
			return "its boot menu is signed, so that its boot loader would refuse another one; --kernel-param console=ttyS0 makes images that speak by themselves", nil
		}
		room := func(path string) int { return room(f.tree, path) }
		if s.install != nil {
			texts, ok := f.menus.Start(medium.InstallWord+s.install.Name, s.install.words(port), room)
			if !ok {
				return "its boot menu has no entry that installs " + s.install.Name + ", or no room for more words", nil
			}
			if err := s.show(disk, f, texts); err != nil {
				return "", err
			}
			reason = ""
			continue
		}
		texts, ok := f.menus.Speak(f.way, port, room)
		if !ok {
			return "its boot menu has no room for another parameter", nil
		}
		if err := s.show(disk, f, texts); err != nil {
			return "", err
		}
		reason = ""
	}
	slices.Sort(s.Menus)
	return reason, nil
}

// show has the loader read other texts of a menu's files, by their paths.
func (s *Start) show(disk *overlay.Disk, f found, texts map[string]string) error {
	for path, text := range texts {
		file, err := f.tree.Find(path)
		if err != nil {
			return err
		}
		if err := disk.Replace(overlay.Of(f.tree, file), []byte(text)); err != nil {
			return err
		}
		name := path
		if f.tree.EFI {
			name = f.tree.Name + ": " + path
		}
		if !slices.Contains(s.Menus, name) {
			s.Menus = append(s.Menus, name)
		}
	}
	return nil
}

// room is how large a file can become, in bytes.
func room(t *medium.Tree, path string) int {
	f, err := t.Find(path)
	if err != nil {
		return 0
	}
	return int(overlay.Of(t, f).Room())
}

// leastKernel is less than any kernel has, in bytes, and several times what a boot loader reads ahead.
const leastKernel = 1 << 20

// liftAt has the changes vanish when a kernel is read: what it then finds is the medium itself.
func liftAt(disk *overlay.Disk, trees []*medium.Tree, path string) {
	for _, t := range trees {
		if f, err := t.Find(path); err == nil && f.Size >= leastKernel {
			disk.Until(f.At(f.Size / 2))
		}
	}
}

// loaders are those whose menus count in the mode. UEFI firmware starts GRUB, and so does whoever starts a file. What a
// BIOS starts names itself.
func (s *Start) loaders() []loader.Loader {
	if s.Mode.UEFI() || s.Mode.AsFile() {
		return []loader.Loader{loader.GRUB}
	}
	const (
		biosPlatform = 0
		programSize  = 64 << 10
	)
	for _, e := range s.medium.Volume.BootEntries {
		if e.Platform != biosPlatform {
			continue
		}
		program := make([]byte, programSize)
		n, err := s.medium.ReaderAt().ReadAt(program, e.Offset)
		if err != nil && err != io.EOF {
			continue
		}
		program = bytes.ToUpper(program[:n])
		switch {
		case bytes.Contains(program, []byte("ISOLINUX")):
			return []loader.Loader{loader.SYSLINUX}
		case bytes.Contains(program, []byte("GRUB")):
			return []loader.Loader{loader.GRUB}
		}
	}
	return []loader.Loader{loader.SYSLINUX, loader.GRUB}
}

// trees returns the file systems that the boot loader reads in the mode: EFI system partitions, where
// the programs of UEFI lie, before the volume of the whole medium and those of partitions.
func (s *Start) trees() (all []*medium.Tree) {
	for _, efi := range []bool{true, false} {
		for _, t := range s.medium.Trees() {
			if t.EFI == efi && (s.Mode.UEFI() || !efi) {
				all = append(all, t)
			}
		}
	}
	return all
}
