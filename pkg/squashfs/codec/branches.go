package codec

import "github.com/livebuild/livebuild/pkg/squashfs/internal/branch"

// countable are the filters of which a count of branches tells whether they pay, see branch.Counter.
// Of ia64, whose instructions lie across bytes, and riscv, whose addresses are made by two, trying tells.
var countable = []struct {
	filter  Filters
	machine branch.Machine
}{
	{X86, branch.X86},
	{PowerPC, branch.PowerPC},
	{ARM, branch.ARM},
	{ARMThumb, branch.ARMThumb},
	{SPARC, branch.SPARC},
	{ARM64, branch.ARM64},
}

// Bounds of a surplus, of branches in a KiB of a block.
//
// 184 blocks of the closure of docs/benchmarks.md with the filter of x86, and 132 of Debian 12 for arm64 with
// its own, were compressed with the filter and without. From 0.7 on that of x86 always made them smaller, by 0.3 to
// 13 %, and that of arm64 but for one block, by 1 to 42 %; below zero either made them larger, by up to 20 %,
// but for four blocks of x86 that gained up to 0.4 %: the code of kernel modules and objects is not linked, and
// as dense in calls as any. Doing what the bound says comes out 0.003 and 0.013 % above the shorter of both for
// each block.
const (
	surplusPays = 0.5
	surplusCode = 4 // the block is machine code, to its larger part
)

// above says whether a surplus is above a bound, in a block of so many bytes.
func above(surplus int, bound float64, size int) bool {
	return float64(surplus)*1024 >= bound*float64(size)
}

// filterFor returns which of some filters makes a block the smallest, 0 for none of them, as far as
// that can be told; unclear are those of them of which it cannot.
func filterFor(c *branch.Counter, filters Filters, block []byte) (best, unclear Filters) {
	unclear, most := filters, 0
	for _, known := range countable {
		if filters&known.filter == 0 {
			continue
		}
		unclear &^= known.filter
		if s := c.Surplus(known.machine, block); s > most && above(s, surplusPays, len(block)) {
			best, most = known.filter, s
		}
	}
	return best, unclear
}
