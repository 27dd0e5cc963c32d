//go:build !linux

package qemu

import "os/exec"

// detach does nothing: only Linux ends a process together with its parent.
func detach(*exec.Cmd) {}

// endWithParent does nothing, likewise.
func endWithParent(*exec.Cmd) {}
