package qemu

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// The errors below say that a guest could not be tried. That it was tried and did not
// come up is no error but a [Verdict].

// ProgramError says that the QEMU program is missing.
type ProgramError struct {
	Program string
	Err     error
}

func (e *ProgramError) Error() string {
	if errors.Is(e.Err, exec.ErrNotFound) {
		return e.Program + " is not on the PATH"
	}
	return fmt.Sprintf("finding %s: %v", e.Program, e.Err)
}

func (e *ProgramError) Unwrap() error { return e.Err }

// FirmwareError says that the host has no UEFI firmware for an architecture.
type FirmwareError struct {
	Arch   Arch
	Bits32 bool    // firmware of 32 bits was wanted
	Secure bool    // firmware with Secure Boot was wanted
	Tried  []Flash // the pairs of files that were looked for
}

func (e *FirmwareError) Error() string {
	var dirs []string
	seen := map[string]bool{}
	for _, f := range e.Tried {
		dir := f.Code[:strings.LastIndexByte(f.Code, '/')+1]
		if !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	bits := ""
	if e.Bits32 {
		bits = " of 32 bits"
	}
	if e.Secure {
		bits += " with Secure Boot"
	}
	return fmt.Sprintf("no UEFI firmware%s for %s in %s", bits, e.Arch, strings.Join(dirs, ", "))
}

// ROMError says that the host has no iPXE for the network adapter of a machine.
type ROMError struct {
	Arch  Arch
	Tried []string // files that were looked for
}

func (e *ROMError) Error() string {
	if len(e.Tried) == 0 {
		return fmt.Sprintf("there is no iPXE for the network adapter of %s machines", e.Arch)
	}
	return "no iPXE for the network adapter: there is none of " + strings.Join(e.Tried, ", ")
}

// MemoryError says that the host has no room for the guest's memory.
type MemoryError struct {
	WantedMiB, AvailableMiB int
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("no memory for the guest: %d MiB wanted, %d MiB available", e.WantedMiB, e.AvailableMiB)
}

// FirmwareMemoryError says that the guest's memory is too small for its firmware, which would hang.
type FirmwareMemoryError struct{ MiB, NeededMiB int }

func (e *FirmwareMemoryError) Error() string {
	return fmt.Sprintf("memory of %d MiB: UEFI firmware needs %d", e.MiB, e.NeededMiB)
}

// HostError says that QEMU itself ended in an error, whatever the guest did.
type HostError struct {
	Program string
	Message string // the last lines of QEMU's standard error, "" if it wrote none
	Err     error
}

func (e *HostError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("running %s: %v", e.Program, e.Err)
	}
	return fmt.Sprintf("running %s: %v: %s", e.Program, e.Err, e.Message)
}

func (e *HostError) Unwrap() error { return e.Err }
