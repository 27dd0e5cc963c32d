// Package binfmt reads which programs of other machines the kernel of this one starts
// by an emulator (binfmt_misc). It runs nothing.
//
// Reference: Documentation/admin-guide/binfmt-misc.rst of Linux.
package binfmt

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Folder is where the kernel shows its entries.
const Folder = "/proc/sys/fs/binfmt_misc"

// Emulator is an entry of binfmt_misc.
type Emulator struct {
	File        string // of the entry, in the folder
	Enabled     bool
	Interpreter string // program
	// Opened tells that the kernel opened the interpreter when it was registered
	// (flag F): then it need not be visible to who is emulated.
	Opened bool

	offset      int
	magic, mask []byte
}

// parseEmulator reads the file of an entry.
func parseEmulator(file, text string) (Emulator, error) {
	e := Emulator{File: file}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch name {
		case "enabled":
			e.Enabled = true
		case "interpreter":
			e.Interpreter = value
		case "flags:":
			e.Opened = strings.Contains(value, "F")
		case "offset":
			e.offset, err = strconv.Atoi(value)
		case "magic":
			e.magic, err = hex.DecodeString(value)
		case "mask":
			e.mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return Emulator{}, err
		}
	}
	return e, nil
}

// matches reports whether the kernel starts the emulator for a program that
// begins so.
func (e Emulator) matches(head []byte) bool {
	if len(e.magic) == 0 || e.offset < 0 || e.offset+len(e.magic) > len(head) {
		return false
	}
	for i, magic := range e.magic {
		mask := byte(0xFF)
		if i < len(e.mask) {
			mask = e.mask[i]
		}
		if (head[e.offset+i]^magic)&mask != 0 {
			return false
		}
	}
	return true
}

// ErrOff says that the kernel emulates nothing: binfmt_misc is not mounted,
// or switched off.
var ErrOff = errors.New("binfmt_misc is not mounted or disabled")

// Read returns the entries in a folder like Folder. The error is ErrOff if there is no such folder, or it is switched off.
func Read(folder string) ([]Emulator, error) {
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(status)) != "enabled" {
		return nil, ErrOff
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []Emulator
	for _, entry := range entries {
		if slices.Contains([]string{"status", "register"}, entry.Name()) {
			continue
		}
		file := filepath.Join(folder, entry.Name())
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		if e, err := parseEmulator(file, string(text)); err == nil {
			all = append(all, e)
		}
	}
	return all, nil
}

// programs are the kinds of ELF files that Nix platforms have, by the first part
// of their names.
var programs = map[string]struct {
	class   elf.Class
	data    elf.Data
	machine elf.Machine
}{
	"aarch64":     {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_AARCH64},
	"armv5tel":    {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM},
	"armv6l":      {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM},
	"armv7a":      {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM},
	"armv7l":      {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM},
	"i686":        {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_386},
	"loongarch64": {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_LOONGARCH},
	"mips":        {elf.ELFCLASS32, elf.ELFDATA2MSB, elf.EM_MIPS},
	"mipsel":      {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_MIPS},
	"mips64":      {elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_MIPS},
	"mips64el":    {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_MIPS},
	"powerpc64":   {elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_PPC64},
	"powerpc64le": {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_PPC64},
	"riscv32":     {elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_RISCV},
	"riscv64":     {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_RISCV},
	"s390x":       {elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_S390},
	"x86_64":      {elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_X86_64},
}

// Known reports whether it is known how programs of a Nix platform begin, without
// which no emulator can be told from others.
func Known(platform string) bool { return programHead(platform, elf.ET_EXEC) != nil }

// programHead returns how programs of a Nix platform begin: the ELF header up to
// its version, which is as far as registrations look. It returns nil for a
// platform that has none.
func programHead(platform string, kind elf.Type) []byte {
	processor, kernel, _ := strings.Cut(platform, "-")
	p, known := programs[processor]
	if !known || kernel != "linux" {
		return nil
	}
	head := make([]byte, elf.EI_NIDENT, 64)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA], head[elf.EI_VERSION] = byte(p.class), byte(p.data), byte(elf.EV_CURRENT)
	var order binary.AppendByteOrder = binary.LittleEndian
	if p.data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	head = order.AppendUint16(head, uint16(kind))
	head = order.AppendUint16(head, uint16(p.machine))
	return order.AppendUint32(head, uint32(elf.EV_CURRENT))
}

// For returns the emulator that the kernel starts for programs of a
// platform, an enabled one first, and whether there is one.
func For(all []Emulator, platform string) (Emulator, bool) {
	var found []Emulator
	// Programs are of either kind, and an emulator has to know both.
	fixed, relocatable := programHead(platform, elf.ET_EXEC), programHead(platform, elf.ET_DYN)
	for _, e := range all {
		if e.matches(fixed) && e.matches(relocatable) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return Emulator{}, false
	}
	if i := slices.IndexFunc(found, func(e Emulator) bool { return e.Enabled }); i >= 0 {
		return found[i], true
	}
	return found[0], true
}
