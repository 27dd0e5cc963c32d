package qemu

import (
	"fmt"
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
	return fmt.Sprintf("finding %s: %v", e.Program, e.Err)
}

func (e *ProgramError) Unwrap() error { return e.Err }

// FirmwareError says that the host has no UEFI firmware for an architecture.
type FirmwareError struct {
	Arch  Arch
	Tried []Flash // the pairs of files that were looked for
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
	return fmt.Sprintf("no UEFI firmware for %s in %s", e.Arch, strings.Join(dirs, ", "))
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
