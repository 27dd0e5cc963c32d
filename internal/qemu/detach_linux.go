package qemu

import (
	"os/exec"
	"syscall"
)

// detach keeps the terminal's ^C away from the command, so that Run alone ends it, and
// makes the kernel end it when this process dies without doing so.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// endWithParent makes the kernel end the command when this process dies without doing so.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
