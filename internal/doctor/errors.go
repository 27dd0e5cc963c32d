package doctor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/human"
)

// The errors below are those that no verb ends with: what they say makes one slow, or lets it do
// what is not meant.

// UntrustedError says that the daemon does not take this user's settings.
type UntrustedError struct{ User string }

func (e *UntrustedError) Error() string {
	return fmt.Sprintf("the Nix daemon does not trust %s: it ignores --substituters, most of --option, and what a flake sets", e.User)
}

// UntrackedError says that files of a flake are not tracked by git, so that Nix does not see them.
type UntrackedError struct {
	Repository string
	Files      []string // relative to the repository
}

func (e *UntrackedError) Error() string {
	const shown = 3
	text := strings.Join(e.Files[:min(shown, len(e.Files))], ", ")
	if more := len(e.Files) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ": not tracked by git, so Nix does not see them"
}

// NoRepositoryError says that a flake is in no git repository.
type NoRepositoryError struct{ Folder string }

func (e *NoRepositoryError) Error() string {
	return e.Folder + " is no git repository: Nix copies all that is in the folder to its store whenever it evaluates the flake"
}

// MemoryError says that there is little memory.
type MemoryError struct{ AvailableMiB int }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s of memory are available: Nix takes up to 1.4 GB to evaluate a system, and packing some 100 MB for each processor",
		human.Size(int64(e.AvailableMiB)<<20))
}

// KVMError says why guests are emulated.
type KVMError struct {
	Arch string // of the guests
	Err  error  // of opening /dev/kvm; nil if it opens, and no guest runs by it
}

func (e *KVMError) Error() string {
	if e.Err == nil {
		return "/dev/kvm is there, and no guest for " + e.Arch + " runs by it: boots are emulated, which takes several times as long"
	}
	return fmt.Sprintf("no KVM for %s: %v: boots are emulated, which takes several times as long", e.Arch, e.Err)
}

func (e *KVMError) Unwrap() error { return e.Err }

// SpaceError says that a folder has no room, or little, for what is to get there. It is what the
// operating system would say later.
type SpaceError struct {
	Folder string
	Free   int64 // bytes
	Why    string
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s has %s free: %s", e.Folder, human.Size(e.Free), e.Why)
}

// Unwrap returns what a verb would end with.
func (e *SpaceError) Unwrap() error { return unix.ENOSPC }
