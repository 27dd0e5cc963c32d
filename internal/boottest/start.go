package boottest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/overlay"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/pkg/gpt"
	"github.com/livebuild/livebuild/pkg/hybridiso"
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

// Start is how an image is started in a mode. It has to be closed.
type Start struct {
	Mode   image.Mode
	Serial Serial
	Menus  []string // paths of the files that are shown changed
	Reason string   // why the console is unknown

	path string
	file *os.File
	size int64         // of the image in bytes
	disk *overlay.Disk // nil if nothing is changed
}

// serialPorts are the names that Linux has for the first serial port.
var serialPorts = map[string]string{"x86_64": "ttyS0", "aarch64": "ttyAMA0"}

// Prepare finds out how the image in a file or on a disk is to be started in a mode so that it
// can be heard.
func Prepare(path string, i *image.Inspection, mode image.Mode) (*Start, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s := &Start{Mode: mode, Serial: SerialUnknown, path: path, file: file}
	if err := s.prepare(i); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the boot menu: %w", err), file.Close())
	}
	return s, nil
}

// Close closes the image.
func (s *Start) Close() error { return s.file.Close() }

// Machine returns the machine that starts the image so, of one that is complete but for that.
func (s *Start) Machine(m qemu.Machine) qemu.Machine {
	if s.disk != nil {
		m.Served = s.disk
	} else {
		m.Image = s.path
	}
	return m
}

// machineFor returns the machine with the firmware and the drive of a mode.
func machineFor(m qemu.Machine, mode image.Mode) qemu.Machine {
	if mode.UEFI() {
		m.Firmware = qemu.UEFI
	}
	if mode.USB() {
		m.Medium = qemu.USB
	}
	return m
}

// found is a menu on one of the medium's file systems.
type found struct {
	volume *volume
	menus  loader.Menus
}

func (s *Start) prepare(i *image.Inspection) (err error) {
	port := serialPorts[i.Arch]
	if s.size, err = s.file.Seek(0, io.SeekEnd); err != nil { // of a file or a disk
		return err
	}
	volumes, err := s.volumes(i.Volume)
	if err != nil {
		return err
	}
	var all []found
	for _, kind := range s.loaders(i.Volume) {
		for _, v := range volumes {
			if v.efi && kind == loader.SYSLINUX {
				continue
			}
			menus, ok, err := loader.Find(v, kind)
			if err != nil {
				return err
			}
			if ok {
				all = append(all, found{v, menus})
			}
		}
	}
	switch {
	case len(all) == 0:
		s.Reason = "no boot menu was found"
		return nil
	case all[0].menus.Speaks(port):
		s.Serial = SerialDefault
		return nil
	}
	disk := overlay.New(s.file, s.size)
	if s.Reason, err = s.change(disk, all, port); s.Reason != "" || err != nil {
		s.Menus = nil
		return err
	}
	for _, f := range all {
		for _, path := range f.menus.Kernels() {
			liftAt(disk, volumes, path)
		}
	}
	s.Serial, s.disk = SerialAdded, disk
	return nil
}

// change shows the menus changed. Which of several the loader takes is not known, so all are, but
// those that start nothing. It returns why that cannot be done.
func (s *Start) change(disk *overlay.Disk, all []found, port string) (reason string, err error) {
	reason = "no entry of its boot menu starts a kernel"
	for _, f := range all {
		if !f.menus.StartsKernel() {
			continue
		}
		texts, ok := f.menus.Speak(port, f.volume.room)
		if !ok {
			return "its boot menu has no room for another parameter", nil
		}
		for path, text := range texts {
			file, _ := f.volume.find(path)
			if err := disk.Replace(file, []byte(text)); err != nil {
				return "", err
			}
			if name := f.volume.name + path; !slices.Contains(s.Menus, name) {
				s.Menus = append(s.Menus, name)
			}
		}
		reason = ""
	}
	slices.Sort(s.Menus)
	return reason, nil
}

// leastKernel is less than any kernel has, in bytes, and several times what a boot loader reads ahead.
const leastKernel = 1 << 20

// liftAt has the changes vanish when a kernel is read: what it then finds is the medium itself.
func liftAt(disk *overlay.Disk, volumes []*volume, path string) {
	for _, v := range volumes {
		if f, ok := v.find(path); ok && f.Size >= leastKernel {
			disk.Until(f.At(f.Size / 2))
		}
	}
}

// loaders are those whose menus count in the mode. UEFI firmware starts GRUB. What a BIOS starts names
// itself.
func (s *Start) loaders(v hybridiso.Volume) []loader.Loader {
	if s.Mode.UEFI() {
		return []loader.Loader{loader.GRUB}
	}
	const (
		biosPlatform = 0
		programSize  = 64 << 10
	)
	for _, e := range v.BootEntries {
		if e.Platform != biosPlatform {
			continue
		}
		program := make([]byte, programSize)
		n, err := s.file.ReadAt(program, e.Offset)
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

// volume is a file system of the medium.
type volume struct {
	r     io.ReaderAt
	name  string // before paths in it
	efi   bool   // an EFI system partition
	files []overlay.File
}

// volumes returns the file systems that boot loaders read: EFI system partitions, where their programs
// lie, before the volume of the whole medium and those of partitions.
func (s *Start) volumes(v hybridiso.Volume) (all []*volume, err error) {
	const efiPlatform = 0xEF
	efi, iso := []int64{}, []int64{0}
	add := func(list *[]int64, offset int64) {
		if !slices.Contains(*list, offset) {
			*list = append(*list, offset)
		}
	}
	for _, e := range v.BootEntries {
		if e.Platform == efiPlatform {
			add(&efi, e.Offset)
		}
	}
	for _, p := range v.Partitions {
		if p.Type == gpt.EFISystem.String() || p.Type == fmt.Sprintf("0x%02X", gpt.TypeEFISystem) {
			add(&efi, p.Offset)
		} else {
			add(&iso, p.Offset)
		}
	}
	if s.Mode.UEFI() {
		for _, offset := range efi {
			files, err := overlay.FAT(s.file, offset, s.size)
			if err == nil { // firmware will say what it thinks of a damaged one
				all = append(all, &volume{s.file, "EFI system partition: ", true, files})
			}
		}
	}
	for _, offset := range iso {
		files, err := overlay.ISO(s.file, offset, s.size)
		switch {
		case errors.Is(err, hybridiso.ErrNoVolume):
		case err != nil && offset == 0:
			return nil, err
		case err == nil: // what is in a partition need not be a volume
			all = append(all, &volume{s.file, "", false, files})
		}
	}
	return all, nil
}

// find returns a file by its path, in whatever case: boot loaders look at names so.
func (v *volume) find(path string) (overlay.File, bool) {
	n := slices.IndexFunc(v.files, func(f overlay.File) bool { return strings.EqualFold(f.Path, path) })
	if n < 0 {
		return overlay.File{}, false
	}
	return v.files[n], true
}

// Text returns a file by its path; see [loader.Files].
func (v *volume) Text(path string) (string, bool, error) {
	f, ok := v.find(path)
	if !ok {
		return "", false, nil
	}
	text, err := f.Text(v.r)
	return text, err == nil, err
}

func (v *volume) room(path string) int {
	f, _ := v.find(path)
	return int(f.Room())
}
