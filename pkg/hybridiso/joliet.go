package hybridiso

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJolietName is the length of a Joliet identifier without its version, in
// characters (Joliet Specification, "Allowable File Identifier Lengths").
const maxJolietName = 64

// jolietEscape selects UCS-2 level 3 (Joliet Specification, "SVD Escape
// Sequences"), which permits all of UCS-2.
const jolietEscape = "%/E"

// jolietNames is the namespace of the supplementary volume descriptor. It
// holds no symbolic links, for which Joliet has no record.
var jolietNames = namespace{
	identifier: jolietIdentifier,
	version:    ucs2(";1"),
}

// jolietIdentifier maps name to big-endian UCS-2. Characters that Joliet
// forbids, bytes that are not UTF-8, characters outside of the basic plane and
// final dots, which readers drop, become underscores. Paths beyond Joliet's 240
// bytes are recorded all the same: readers with such a limit cannot open them,
// others can.
func jolietIdentifier(name string, _ bool, suffix string) string {
	stem, extension := splitExtension(name)
	ext := jolietCharacters(extension)
	if len(ext) > 0 {
		ext = append([]rune{'.'}, ext...)
		ext = ext[:min(len(ext), maxJolietName/2)]
	} else {
		kept := strings.TrimRight(name, ".")
		stem = kept + strings.Repeat("_", len(name)-len(kept))
	}
	return ucs2(string(shorten(jolietCharacters(stem), suffix, maxJolietName-len(ext))) + string(ext))
}

func jolietCharacters(s string) []rune {
	mapped := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError || r > 0xFFFF || strings.ContainsRune(`*/:;?\`, r) {
			r = '_'
		}
		mapped = append(mapped, r)
	}
	return mapped
}

// ucs2 returns s in big-endian UCS-2.
func ucs2(s string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return string(b)
}
