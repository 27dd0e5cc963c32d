package boot

import (
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

// CommandLineError reports an entry of whose command line the kernel would not get all.
type CommandLineError struct {
	Title string
	Size  int // bytes, with what the loader adds
	Limit int
	Taker string // what has that limit: "a kernel for aarch64-linux", "isolinux"
}

func (e *CommandLineError) Error() string {
	return fmt.Sprintf("command line of %q: with what loaders add it has %d bytes, and %s takes %d", e.Title, e.Size, e.Taker, e.Limit)
}

// commandLineSizes are COMMAND_LINE_SIZE of the kernel, a final zero included, by the
// processor of a platform (asm/setup.h below arch/ of Linux 6.12).
var commandLineSizes = map[string]int{
	"x86_64": 2048, "i386": 2048, "i486": 2048, "i586": 2048, "i686": 2048,
	"aarch64": 2048, "aarch64_be": 2048,
	"armv5tel": 1024, "armv6l": 1024, "armv7a": 1024, "armv7l": 1024,
	"riscv32": 1024, "riscv64": 1024,
	"loongarch64": 4096,
	"mips":        4096, "mipsel": 4096, "mips64": 4096, "mips64el": 4096,
	"powerpc": 2048, "powerpc64": 2048, "powerpc64le": 2048,
	"s390x": 4096,
}

// otherCommandLineSize is that of architectures that do not choose one
// (asm-generic/setup.h).
const otherCommandLineSize = 512

// maxCommandLine is how many bytes of a command line reach the kernel.
func maxCommandLine(platform string) int {
	processor, _, _ := strings.Cut(platform, "-")
	size, known := commandLineSizes[processor]
	if !known {
		size = otherCommandLineSize
	}
	return size - 1
}

// CheckCommandLine refuses what a kernel of a platform would not get all of, given by words; title
// is what it belongs to. The error is a *CommandLineError.
func CheckCommandLine(title, platform string, params []string) error {
	if size, limit := len(strings.Join(params, " ")), maxCommandLine(platform); size > limit {
		return &CommandLineError{Title: title, Size: size, Limit: limit, Taker: "a kernel for " + platform}
	}
	return nil
}

// maxIsolinuxLine is how long the line may be that the menu of isolinux makes of an
// entry; it starts nothing that is longer (MAX_CMDLINE_LEN in com32/include/menu.h and
// execute in com32/elflink/ldlinux/execute.c of SYSLINUX 6.04).
const maxIsolinuxLine = 2047

// checkCommandLine refuses an entry of which the kernel would not get all. Loaders
// say first what they start: GRUB puts BOOT_IMAGE= and the kernel before the command
// line and cuts at the end of a word, the menu of isolinux makes a line of its own.
func (e Entry) checkCommandLine(s *nixos.System) error {
	for _, l := range e.lines(s) {
		if l.size > l.limit {
			return &CommandLineError{Title: e.Title, Size: l.size, Limit: l.limit, Taker: l.taker}
		}
	}
	return nil
}

// bounded is the length of a command line, and the most that something takes.
type bounded struct {
	size, limit int // bytes
	taker       string
}

// lines are what loaders make of the command line of an entry.
func (e Entry) lines(s *nixos.System) []bounded {
	line := strings.Join(append([]string{"BOOT_IMAGE=" + e.Kernel}, e.Params...), " ")
	all := []bounded{{len(line), maxCommandLine(s.Platform), "a kernel for " + s.Platform}}
	if !s.MakeBIOSBootable {
		return all
	}
	line = strings.Join(append([]string{".linux", e.Kernel}, e.Params...), " ")
	if len(e.Initrds) > 0 {
		line += " initrd=" + e.isolinuxInitrds()
	}
	return append(all, bounded{len(line), maxIsolinuxLine, "isolinux"})
}

// stampRoom is how many bytes of words can be stamped onto the command lines of a menu, of its systems.
func (m *Menu) stampRoom(systems []*nixos.System) int {
	room := medium.MaxParams
	for i, section := range m.Systems {
		entries := section.all()
		if i == m.Default && m.Check != nil {
			entries = append(entries, m.isolinuxCheck())
		}
		for _, e := range entries {
			room = min(room, e.room(systems[i]))
		}
	}
	for _, e := range m.Install {
		for _, s := range systems {
			room = min(room, e.room(s))
		}
	}
	return max(room, 0)
}

// room is how many bytes more the command line of an entry can have, behind a space.
func (e Entry) room(s *nixos.System) int {
	room := medium.MaxParams
	for _, l := range e.lines(s) {
		room = min(room, l.limit-l.size-1)
	}
	return room
}

// stampRoom is how many bytes of words can be stamped onto all command lines of the medium.
func (t *Tree) stampRoom() int {
	room := medium.MaxParams
	for i, menu := range t.Menus {
		room = min(room, menu.stampRoom(t.platforms[i].systems))
	}
	return room
}
