package codec

import (
	"math/bits"
	"strconv"
	"strings"
)

// Filters is a set of branch/call/jump filters, which make machine code of one architecture denser
// under xz. The bits are those of the flags field in xz's options payload.
type Filters uint32

// The filters, in the order of bcj[] in squashfs-tools' xz_wrapper.c. ARM64 needs liblzma 5.4 and
// RISCV liblzma 5.6, and both a kernel of 6.12 or newer to read the image.
const (
	X86 Filters = 1 << iota
	PowerPC
	IA64
	ARM
	ARMThumb
	SPARC
	ARM64
	RISCV

	allFilters = RISCV<<1 - 1
)

// filterNames are mksquashfs' names for the filters, by bit.
var filterNames = []string{"x86", "powerpc", "ia64", "arm", "armthumb", "sparc", "arm64", "riscv"}

// native is the name of [Settings].NativeBCJ among those of filters.
const native = "native"

// filters returns the names of what -Xbcj takes, joined by commas.
func (s Settings) filters() string {
	switch {
	case !s.NativeBCJ:
		return s.BCJ.String()
	case s.BCJ == 0:
		return native
	}
	return native + "," + s.BCJ.String()
}

// Resolved returns settings that have filters by name instead of NativeBCJ, and s itself without it.
func (s Settings) Resolved(filters Filters) Settings {
	if s.NativeBCJ {
		s.NativeBCJ = false
		s.BCJ |= filters
	}
	return s
}

// noFilter is the fault of a word that names no filter.
func (s Settings) noFilter(word string) *SettingsError {
	return s.fault(word, "no such filter; there are %s, and %s for those of the systems that are packed", allFilters, native)
}

// filterOf returns the filter called name, or 0.
func filterOf(name string) Filters {
	for i, n := range filterNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// String returns the names, joined by commas.
func (f Filters) String() string {
	var names []string
	for f != 0 {
		bit := bits.TrailingZeros32(uint32(f))
		f &^= 1 << bit
		if bit < len(filterNames) {
			names = append(names, filterNames[bit])
		} else {
			names = append(names, "bit "+strconv.Itoa(bit))
		}
	}
	return strings.Join(names, ",")
}
