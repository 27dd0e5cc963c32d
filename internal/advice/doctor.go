package advice

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/livebuild/livebuild/internal/doctor"
	"github.com/livebuild/livebuild/internal/human"
)

// doctorHints are advice on what may be better on a machine.
var doctorHints = []Row{
	OnValue(func(e *doctor.UntrustedError) string {
		return "to have them count, add trusted-users = root " + e.User + " to /etc/nix/nix.conf (nix.settings.trusted-users on NixOS), or set them there"
	}),
	OnValue(func(e *doctor.UntrackedError) string {
		const most = 10 // that a line shows
		return "if the configuration needs them: " +
			human.ShellLine(slices.Concat([]string{"git", "-C", e.Repository, "add", "--intent-to-add"}, e.Files[:min(most, len(e.Files))]))
	}),
	OnValue(func(e *doctor.NoRepositoryError) string {
		return "git -C " + human.Quote(e.Folder) + " init, then git add what belongs to the flake; or let images go elsewhere with -o"
	}),
	On[*doctor.MemoryError]("close what takes memory, or add swap space; --jobs of 'livebuild iso' takes less"),
	OnValue(kvmHint),
	On[*doctor.SpaceError]("make room, or write to another disk with -o"),
}

// kvmHint says how a machine gets KVM.
func kvmHint(e *doctor.KVMError) string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return "let this user open it: usermod --append --groups kvm USER, and log in again"
	case errors.Is(e.Err, fs.ErrNotExist):
		return "turn virtualisation on in the firmware's setup (VT-x, AMD-V), or modprobe kvm_intel or kvm_amd; a virtual machine needs it nested"
	case e.Err != nil:
		return "look into what the kernel says of kvm: dmesg"
	}
	return "this is a virtual machine whose host does not pass virtualisation on: turn nested virtualisation on there"
}
