package codec

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// The compressors, by the names that mksquashfs gives them.
const (
	None = "none"
	Gzip = "gzip"
	XZ   = "xz"
	LZ4  = "lz4"
	Zstd = "zstd"
	LZO  = "lzo" // only read
)

// lz4HighCompression is the lz4 level that mksquashfs' -Xhc stands for (LZ4HC_CLEVEL_MAX).
const lz4HighCompression = 12

// highestLZ4 is what the levels of lz4 above it stand for. From 10 on liblz4 looks for the shortest of
// many ways to code a block (LZ4HC_CLEVEL_OPT_MIN). On 33 blocks of the closure of docs/benchmarks.md, relative
// to 12 in processor time and size: 11: 0.74, +0.15 %; 10: 0.33, +0.57 %; 9: 0.20, +0.37 %; 8: 0.17,
// +0.45 %. Likeness gives back three times as much as 9 loses.
const highestLZ4 = 9

// Settings is a compression as a person chooses it. Only Name is required, the zero value of
// every other field is the default. Settings are comparable.
type Settings struct {
	Name string // None, Gzip, XZ, LZ4 or Zstd

	// Level is the effort, 0 for the default. gzip has 1 to 12, default 9, which are libdeflate's;
	// zstd 1 to 22, default 15; xz 1 to 9, default 6, where 7 is what liblzma calls 6; lz4 1, the
	// default, for the plain compressor, and 2 to 12 for high compression, of which 10 to 12 do what 9 does.
	Level int

	// DictSize (in bytes) or else DictPercent (of the block size) is the dictionary of xz. Both 0:
	// the whole block.
	DictSize    int
	DictPercent float64

	// BCJ are the filters of which xz uses on each block the one that makes it smallest, or none.
	BCJ Filters

	// NativeBCJ stands for further filters: those for the machine code that will be packed.
	// [Settings.Resolved] names them; until then there is no codec for the settings.
	NativeBCJ bool

	// BlockSize is the block size in bytes that came with the compression, 0 if none did.
	BlockSize int
}

// method describes a compressor.
type method struct {
	name                      string
	id                        uint16   // s_compression in the superblock
	minLevel, level, maxLevel int      // level is the default; all 0: the method has no levels
	reach                     int      // how far back it finds data again, in bytes; 0: in the whole block
	options                   []string // mksquashfs' words for its options
}

// methods lists the compressors, from no compression to the densest.
var methods = []method{
	{name: None, id: idGzip},
	{name: LZ4, id: idLZ4, minLevel: 1, level: 1, maxLevel: 12, reach: 64 << 10, // offsets of 16 bits, lz4_Block_format.md
		options: []string{"-Xhc", "-Xcompression-level"}},
	{name: Gzip, id: idGzip, minLevel: 1, level: 9, maxLevel: 12, reach: 32 << 10, // RFC 1951 §2
		options: []string{"-Xcompression-level", "-Xwindow-size", "-Xstrategy"}},
	{name: Zstd, id: idZstd, minLevel: 1, level: 15, maxLevel: 22,
		options: []string{"-Xcompression-level"}},
	{name: XZ, id: idXZ, minLevel: 1, level: 6, maxLevel: 9,
		options: []string{"-Xdict-size", "-Xbcj"}},
}

// lzoMethod is one that Parse does not know.
var lzoMethod = method{name: LZO, id: idLZO, reach: 48 << 10} // distances of 16 to 48 KiB, Linux' Documentation/staging/lzo.rst

// methodOf returns the method called name, or nil.
func methodOf(name string) *method {
	if name == LZO {
		return &lzoMethod
	}
	for i := range methods {
		if methods[i].name == name {
			return &methods[i]
		}
	}
	return nil
}

// SettingsError says which word of a compression is wrong, and why.
type SettingsError struct {
	Text   string // the whole
	Word   string // the offending word, empty if one is missing at the end
	Reason string // for people, including what would be right
}

func (e *SettingsError) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("compression %q: %s", e.Text, e.Reason)
	}
	return fmt.Sprintf("compression %q: %q: %s", e.Text, e.Word, e.Reason)
}

// fault returns an error about a word of s.
func (s Settings) fault(word, format string, args ...any) *SettingsError {
	return &SettingsError{Text: s.String(), Word: word, Reason: fmt.Sprintf(format, args...)}
}

// String returns the short form, such as "zstd:19", "lz4:hc" or "xz -Xbcj x86 -b 256K", which
// [Parse] reads back to the same Settings.
func (s Settings) String() string {
	var b strings.Builder
	b.WriteString(s.Name)
	switch {
	case s.Name == LZ4 && s.Level == lz4HighCompression:
		b.WriteString(":hc")
	case s.Level != 0:
		fmt.Fprintf(&b, ":%d", s.Level)
	}
	if s.DictSize != 0 {
		b.WriteString(" -Xdict-size " + formatSize(s.DictSize))
	} else if s.DictPercent != 0 {
		b.WriteString(" -Xdict-size " + formatPercent(s.DictPercent))
	}
	if filters := s.filters(); filters != "" {
		b.WriteString(" -Xbcj " + filters)
	}
	if s.BlockSize != 0 {
		b.WriteString(" -b " + formatSize(s.BlockSize))
	}
	return b.String()
}

// check returns a *SettingsError for values that are out of range or do not belong to s.Name.
func (s Settings) check() error {
	m := methodOf(s.Name)
	if m == nil {
		return s.fault(s.Name, "no such compression; there are %s", methodNames())
	}
	if s.Level != 0 && (s.Level < m.minLevel || s.Level > m.maxLevel) {
		return s.fault(strconv.Itoa(s.Level), "%s", m.levelRange())
	}
	if s.BlockSize != 0 && !validBlockSize(s.BlockSize) {
		return s.fault(formatSize(s.BlockSize), "a block size is a power of two from %s to %s",
			formatSize(MinBlockSize), formatSize(MaxBlockSize))
	}
	if s.Name == XZ {
		return s.checkDict()
	}
	if s.DictSize != 0 || s.DictPercent != 0 || s.BCJ != 0 || s.NativeBCJ {
		return s.fault(s.Name, "dictionary size and filters are for xz")
	}
	return nil
}

// checkForImage is check for settings that must have a block size.
func (s Settings) checkForImage() error {
	if s.BlockSize == 0 {
		return s.fault("", "the block size is missing")
	}
	if s.NativeBCJ {
		return s.fault(native, "stands for the filters of the systems that are packed, which are not known here; there are %s", allFilters)
	}
	return s.check()
}

// checkDict checks xz's dictionary and filters; the size only as far as the block size is known.
func (s Settings) checkDict() error {
	if unknown := s.BCJ &^ allFilters; unknown != 0 {
		return s.noFilter(unknown.String())
	}
	word, size := formatSize(s.DictSize), s.DictSize
	if s.DictSize == 0 {
		if s.DictPercent == 0 {
			return nil
		}
		word = formatPercent(s.DictPercent)
		if !(s.DictPercent > 0 && s.DictPercent <= 100) { // not a number fails too
			return s.fault(word, "a dictionary is more than 0%% and at most 100%% of the block size")
		}
		if s.BlockSize == 0 {
			return nil
		}
		size = s.dictSize()
	}
	if size < metadataSize {
		return s.fault(word, "a dictionary of %d bytes is too small; the smallest is %s", size, formatSize(metadataSize))
	}
	if !validDictSize(size) {
		return s.fault(word, "a dictionary of %d bytes cannot be recorded; allowed are powers of two and three times a power of two", size)
	}
	if s.BlockSize != 0 && size > s.BlockSize {
		return s.fault(word, "the dictionary is larger than a block of %s", formatSize(s.BlockSize))
	}
	return nil
}

// effective fills in the defaults and brings equal choices to one form. s.BlockSize must be known.
func (s Settings) effective() Settings {
	if s.Level == 0 {
		s.Level = methodOf(s.Name).level
	}
	if s.DictSize = s.dictSize(); s.DictSize == s.BlockSize || s.Name != XZ {
		s.DictSize = 0
	}
	s.DictPercent = 0
	return s
}

// dictSize returns the dictionary size in bytes. s.BlockSize must be known.
func (s Settings) dictSize() int {
	switch {
	case s.DictSize != 0:
		return s.DictSize
	case s.DictPercent != 0:
		return int(float64(s.BlockSize) * s.DictPercent / 100)
	}
	return s.BlockSize
}

// levelRange says which levels m has.
func (m *method) levelRange() string {
	switch {
	case m.maxLevel == 0:
		return m.name + " has no levels"
	case m.name == LZ4:
		return fmt.Sprintf("lz4 has levels %d (plain) to %d (the same as hc)", m.minLevel, m.maxLevel)
	}
	return fmt.Sprintf("%s has levels %d to %d", m.name, m.minLevel, m.maxLevel)
}

// methodNames returns the names of the compressors, for messages.
func methodNames() string {
	var names []string
	for _, m := range methods {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

func validBlockSize(n int) bool {
	return n >= MinBlockSize && n <= MaxBlockSize && bits.OnesCount(uint(n)) == 1
}

// validDictSize reports whether n is 2^k or 2^k+2^(k+1), which is all that Linux accepts
// (fs/squashfs/xz_wrapper.c, squashfs_xz_comp_opts).
func validDictSize(n int) bool {
	if n <= 0 {
		return false
	}
	odd := n >> bits.TrailingZeros(uint(n))
	return odd == 1 || odd == 3
}

// formatSize writes a size in bytes as mksquashfs reads it, with a suffix where that is exact.
func formatSize(n int) string {
	switch {
	case n != 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "M"
	case n != 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "K"
	}
	return strconv.Itoa(n)
}

func formatPercent(p float64) string {
	return strconv.FormatFloat(p, 'f', -1, 64) + "%"
}

// Range is a compressor with its levels, all 0 if it has none.
type Range struct {
	Name              string
	Min, Default, Max int
}

// Ranges lists the compressors that [Parse] knows, from no compression to the densest, whether or
// not this build has them.
func Ranges() []Range {
	list := make([]Range, len(methods))
	for i, m := range methods {
		list[i] = Range{m.name, m.minLevel, m.level, m.maxLevel}
	}
	return list
}
