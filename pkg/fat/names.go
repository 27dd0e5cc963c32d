package fat

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The lengths of the two parts of a short name.
const (
	baseLength = 8
	extLength  = 3
)

// maxUnits is the length of a long name in UTF-16 units.
const maxUnits = 255

// notInLong are the characters that long names exclude, besides control
// characters.
const notInLong = `"*/:<>?\|`

// isShort tells whether r may be in a short name.
func isShort(r rune) bool {
	return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("$%'-_@~`!(){}^#&", r)
}

func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is no name", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not UTF-8", name)
	case len(utf16.Encode([]rune(name))) > maxUnits:
		return fmt.Errorf("name %q is longer than %d characters", name, maxUnits)
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return fmt.Errorf("name %q ends with a dot or a space, which FAT ignores", name)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7F || strings.ContainsRune(notInLong, r) {
			return fmt.Errorf("name %q has %q in it", name, r)
		}
	}
	return nil
}

// nameThem gives every node of a directory its short name. Names that fit keep
// their own in upper case, so the others must choose after them. The nodes are
// sorted, and differ in more than case.
func nameThem(nodes []*node) error {
	taken := map[string]bool{}
	for _, n := range nodes {
		if base, ext, exact := shorten(n.name); exact {
			n.setShort(base, ext)
			taken[string(n.short[:])] = true
		}
	}
	tails := map[string]int{}
	for _, n := range nodes {
		if n.short != ([11]byte{}) {
			continue
		}
		if err := n.chooseShort(taken, tails); err != nil {
			return err
		}
	}
	return nil
}

// chooseShort makes a short name with a numeric tail that is not taken. The
// last tail of names that begin alike is in tails.
func (n *node) chooseShort(taken map[string]bool, tails map[string]int) error {
	const maxTail = 999999
	base, ext, _ := shorten(n.name)
	alike := base[:min(len(base), baseLength-len("~1"))] + "." + ext
	for tails[alike] < maxTail {
		tails[alike]++
		tail := fmt.Sprintf("~%d", tails[alike])
		n.setShort(base[:min(len(base), baseLength-len(tail))]+tail, ext)
		if !taken[string(n.short[:])] {
			taken[string(n.short[:])] = true
			return nil
		}
	}
	return fmt.Errorf("name %q: too many like it", n.name)
}

// shorten returns the parts of a short name for name, each of at most its
// length, and whether they are the name itself in upper case.
func shorten(name string) (base, ext string, exact bool) {
	trimmed := strings.TrimLeft(name, ".")
	base = trimmed
	if dot := strings.LastIndexByte(trimmed, '.'); dot >= 0 {
		base, ext = trimmed[:dot], trimmed[dot+1:]
	}
	clean := func(s string, length int) string {
		var b strings.Builder
		for _, r := range s {
			upper := r
			if 'a' <= r && r <= 'z' {
				upper = r - 'a' + 'A'
			}
			switch {
			case b.Len() == length:
			case isShort(upper):
				b.WriteRune(upper)
			case r == ' ' || r == '.':
			default:
				b.WriteByte('_')
			}
		}
		return b.String()
	}
	base, ext = clean(base, baseLength), clean(ext, extLength)
	return base, ext, base != "" && asciiUpper(name) == joined(base, ext)
}

func (n *node) setShort(base, ext string) {
	copy(n.short[:], pad(base, baseLength)+pad(ext, extLength))
}

// shortText returns the short name as a user would write it.
func (n *node) shortText() string {
	return joined(strings.TrimRight(string(n.short[:baseLength]), " "), strings.TrimRight(string(n.short[baseLength:]), " "))
}

func joined(base, ext string) string {
	if ext == "" {
		return base
	}
	return base + "." + ext
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// longUnits returns the name for long entries, or nil if the short name says it
// all.
func (n *node) longUnits() []uint16 {
	if n.shortText() == n.name {
		return nil
	}
	return utf16.Encode([]rune(n.name))
}

// checksum binds long entries to their short name (page 28).
func checksum(short [11]byte) uint8 {
	var sum uint8
	for _, c := range short {
		sum = sum<<7 | sum>>1
		sum += c
	}
	return sum
}
