package qemu

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// FindProgram returns the path of QEMU for arch, if it is on the PATH. The error is a [ProgramError].
func FindProgram(arch Arch) (string, error) {
	name := ProgramName(arch)
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &ProgramError{Program: name, Err: err}
	}
	return path, nil
}

// Complete fills in what the machine leaves open and this host decides: the program, the
// accelerator, the files of the firmware. The error is a [ProgramError], a [FirmwareError], or a
// [FirmwareMemoryError].
func (m Machine) Complete(ctx context.Context) (Machine, error) {
	var err error
	if m.Program == "" {
		if m.Program, err = FindProgram(m.Arch); err != nil {
			return m, err
		}
	}
	if m.Firmware == UEFI && m.Flash == (Flash{}) {
		if m.Flash, err = m.findFirmware(isRegular); err != nil {
			return m, err
		}
	}
	if m.Netboot && m.Arch == X86_64 {
		if err := m.checkROM(isRegular); err != nil {
			return m, err
		}
	}
	if m.Accel == "" {
		m.Accel = ChooseAccel(ctx, m.Arch, m.Program)
	}
	return m, m.check()
}

// overheadMiB is what QEMU takes beside the guest's memory, its translations of code for one.
const overheadMiB = 192

// SideBySide returns how many machines like m, at least one and at most wanted, run at once
// on this host without slowing each other down much: each takes a processor, and its memory.
// The error is a [MemoryError] if there is no room for even one.
func (m Machine) SideBySide(wanted, processors int) (int, error) {
	count := max(1, min(wanted, processors))
	available, err := AvailableMiB()
	if err != nil {
		return 1, nil // not Linux: one is what was asked for at least
	}
	return sideBySide(count, m.memoryMiB(), available)
}

func sideBySide(count, memoryMiB, availableMiB int) (int, error) {
	room := availableMiB / (memoryMiB + overheadMiB)
	if room == 0 {
		return 0, &MemoryError{WantedMiB: memoryMiB, AvailableMiB: availableMiB}
	}
	return min(count, room), nil
}

// AvailableMiB returns what new processes can have (proc(5), /proc/meminfo, MemAvailable).
func AvailableMiB() (int, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kiB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kiB / 1024, err
		}
	}
	return 0, fmt.Errorf("no MemAvailable in %s", f.Name())
}
