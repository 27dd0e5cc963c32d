package nix

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

// binfmtFolder is where the kernel shows which emulators it starts for programs of
// other machines (Documentation/admin-guide/binfmt-misc.rst).
const binfmtFolder = "/proc/sys/fs/binfmt_misc"

// emulator is an entry of binfmt_misc.
type emulator struct {
	file        string // in binfmtFolder
	enabled     bool
	interpreter string
	// opened tells that the kernel opened the interpreter when it was registered
	// (flag F): then it need not be visible to who is emulated.
	opened      bool
	offset      int
	magic, mask []byte
}

// parseEmulator reads the file of an entry.
func parseEmulator(file, text string) (emulator, error) {
	e := emulator{file: file}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch name {
		case "enabled":
			e.enabled = true
		case "interpreter":
			e.interpreter = value
		case "flags:":
			e.opened = strings.Contains(value, "F")
		case "offset":
			e.offset, err = strconv.Atoi(value)
		case "magic":
			e.magic, err = hex.DecodeString(value)
		case "mask":
			e.mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return emulator{}, err
		}
	}
	return e, nil
}

// matches reports whether the kernel starts the emulator for a program that
// begins so.
func (e emulator) matches(head []byte) bool {
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

// errNoBinfmt says that the kernel emulates nothing: binfmt_misc is not mounted,
// or switched off.
var errNoBinfmt = errors.New("binfmt_misc is not mounted or disabled")

// readEmulators returns the entries in a folder like binfmtFolder. The error is
// errNoBinfmt if there is no such folder, or it is switched off.
func readEmulators(folder string) ([]emulator, error) {
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(status)) != "enabled" {
		return nil, errNoBinfmt
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []emulator
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

// emulatorFor returns the emulator that the kernel starts for programs of a
// platform, an enabled one first, and whether there is one.
func emulatorFor(all []emulator, platform string) (emulator, bool) {
	var found []emulator
	// Programs are of either kind, and an emulator has to know both.
	fixed, relocatable := programHead(platform, elf.ET_EXEC), programHead(platform, elf.ET_DYN)
	for _, e := range all {
		if e.matches(fixed) && e.matches(relocatable) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return emulator{}, false
	}
	if i := slices.IndexFunc(found, func(e emulator) bool { return e.enabled }); i >= 0 {
		return found[i], true
	}
	return found[0], true
}
