package decompressor

import (
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// LeftOut says which of the filters that -Xbcj native stands for are not used, because a kernel that
// mounts the store is too old for them.
type LeftOut struct {
	Filters       string `json:"filters"` // joined by commas
	Configuration string `json:"configuration"`
	Version       string `json:"version"` // of its kernel
	Since         string `json:"since"`   // the first that has them
}

func (l LeftOut) String() string {
	return fmt.Sprintf("-Xbcj native leaves out %s: %s has Linux %s, and %s is the first that reads it",
		l.Filters, l.Configuration, l.Version, l.Since)
}

// Resolve returns settings in which -Xbcj native has become the filters for the machine code of the
// systems, which are in one store that each of their kernels has to read: what the version of one
// rules out is left out. Of a kernel whose version is not known, everything is expected.
func Resolve(systems []*nixos.System, s codec.Settings) (codec.Settings, *LeftOut) {
	if !s.NativeBCJ {
		return s, nil
	}
	var filters codec.Filters
	for _, sys := range systems {
		filters |= filtersFor(sys.Platform)
		for _, target := range sys.Install {
			filters |= filtersFor(target.Platform)
		}
	}
	recent := filters & recentFilters &^ s.BCJ // what is named stays, and Check warns of it
	if recent == 0 {
		return s.Resolved(filters), nil
	}
	for _, sys := range systems {
		for _, c := range sys.Shown() {
			if older(c.KernelVersion) {
				since := fmt.Sprintf("%d.%d", recentSince[0], recentSince[1])
				return s.Resolved(filters &^ recent), &LeftOut{recent.String(), sys.Name, c.KernelVersion, since}
			}
		}
	}
	return s.Resolved(filters), nil
}

// filtersFor returns the filters for the machine code of a platform, "x86_64-linux", as Nix names it
// (nixpkgs, lib/systems/parse.nix); 0 if there are none. That for PowerPC knows big endian alone (xz(1)).
func filtersFor(platform string) codec.Filters {
	processor, _, _ := strings.Cut(platform, "-")
	switch processor {
	case "x86_64", "i686", "i586", "i486", "i386":
		return codec.X86
	case "aarch64":
		return codec.ARM64
	case "powerpc", "powerpc64":
		return codec.PowerPC
	case "riscv32", "riscv64":
		return codec.RISCV
	case "sparc", "sparc64":
		return codec.SPARC
	}
	if strings.HasPrefix(processor, "armv") {
		return codec.ARM | codec.ARMThumb
	}
	return 0
}
