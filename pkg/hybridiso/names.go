package hybridiso

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// namespace is how one kind of hierarchy names its entries.
type namespace struct {
	// identifier returns the identifier that stands for name, without the
	// version. Another suffix gives another identifier.
	identifier func(name string, dir bool, suffix string) string

	// version ends the identifier of a file (ECMA-119 §7.5.1).
	version string

	// rockRidge records the real names, modes and links beside the identifiers.
	rockRidge bool
}

// The lengths of primary identifiers in interchange levels 2 and 3, in
// characters (ECMA-119 §7.5.1, §7.6.1).
const (
	maxPrimaryFile      = 30 // name and extension, without the separator
	maxPrimaryDirectory = 31
	maxPrimaryExtension = 15
)

// primaryNames is the namespace of the primary volume descriptor.
var primaryNames = namespace{
	identifier: primaryIdentifier,
	version:    ";1",
	rockRidge:  true,
}

// primaryIdentifier maps name to d-characters: upper case letters, digits and
// the underscore (ECMA-119 §7.4.1). A file's last dot separates its extension,
// and is there even if the extension is empty.
func primaryIdentifier(name string, dir bool, suffix string) string {
	if dir {
		return string(shorten(dCharacters(name), suffix, maxPrimaryDirectory))
	}
	stem, extension := splitExtension(name)
	ext := dCharacters(extension)
	ext = ext[:min(len(ext), maxPrimaryExtension)]
	return string(shorten(dCharacters(stem), suffix, maxPrimaryFile-len(ext))) + "." + string(ext)
}

// dCharacters maps each byte of s to a d-character.
func dCharacters(s string) []rune {
	mapped := make([]rune, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
			mapped[i] = rune(c - 'a' + 'A')
		case 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			mapped[i] = rune(c)
		default:
			mapped[i] = '_'
		}
	}
	return mapped
}

// splitExtension cuts name at its last dot, unless it begins with that dot.
func splitExtension(name string) (stem, extension string) {
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		return name[:dot], name[dot+1:]
	}
	return name, ""
}

// shorten appends suffix to stem, which loses its end if the whole is too long.
func shorten(stem []rune, suffix string, limit int) []rune {
	keep := min(len(stem), limit-utf8.RuneCountInString(suffix))
	return append(slices.Clone(stem[:keep]), []rune(suffix)...)
}

// identifiers returns one identifier for each of the children of a directory,
// all different. Of equal ones the first by real name stays as it is, the
// others are numbered.
func (ns namespace) identifiers(children []*node) []string {
	ids := make([]string, len(children))
	taken := make(map[string]bool, len(children))
	next := make(map[string]int) // by unnumbered identifier, the first number to try
	for i, child := range children {
		dir := child.kind == directoryNode
		plain := ns.identifier(child.name, dir, "")
		id := plain
		// "A" and "A." differ by the separator only, which does not count.
		for taken[strings.TrimSuffix(id, ".")] {
			next[plain]++
			id = ns.identifier(child.name, dir, "_"+strconv.Itoa(next[plain]))
		}
		taken[strings.TrimSuffix(id, ".")] = true
		ids[i] = id
	}
	return ids
}
