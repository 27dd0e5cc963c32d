package imagefile

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeText reads text in UTF-8, or in UTF-16 as PowerShell redirects it, with
// a byte order mark or, in UTF-8, without.
func decodeText(b []byte) (string, bool) {
	for mark, order := range map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian} {
		rest, ok := bytes.CutPrefix(b, []byte(mark))
		if !ok {
			continue
		}
		units := make([]uint16, len(rest)/2)
		for i := range units {
			units[i] = order.Uint16(rest[2*i:])
		}
		return string(utf16.Decode(units)), len(rest)%2 == 0
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	return string(b), utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// namedSum is a checksum in a file of them.
type namedSum struct {
	algorithm Algorithm // empty: of no use
	sum       string    // hexadecimal, in lower case
	name      string    // as it stands there; may be empty
}

// is reports whether the sum is of a file with a name, in whatever folder of
// Unix or Windows.
func (s namedSum) is(name string) bool {
	before, ok := strings.CutSuffix(s.name, name)
	return ok && (before == "" || strings.HasSuffix(before, "/") || strings.HasSuffix(before, `\`))
}

// The lines of files with checksums.
var (
	// GNU: "SUM  NAME", "SUM *NAME" (sha256sum(1)), and the sum alone. A
	// backslash before it says that the name has some, too.
	gnuLine = regexp.MustCompile(`^(\\?)([0-9a-fA-F]{32,128})(?:[ \t]+\*?(.*))?$`)
	// BSD: "SHA256 (NAME) = SUM" (sha256sum --tag), and "SHA2-256(NAME)= SUM"
	// (openssl dgst).
	bsdLine = regexp.MustCompile(`^(\\?)([A-Za-z0-9/-]+) ?\((.*)\) ?= ?([0-9a-fA-F]{32,128})$`)
	// PowerShell's Get-FileHash: "SHA256  SUM  PATH", and as a list.
	tableLine = regexp.MustCompile(`^([A-Za-z0-9]+)[ \t]+([0-9a-fA-F]{32,128})[ \t]+(.*)$`)
	// The name before the sum: "NAME: SUM" and "NAME SUM".
	reverseLine = regexp.MustCompile(`^(.+?):?[ \t]+([0-9a-fA-F]{64}|[0-9a-fA-F]{128})$`)
)

// parseSums finds checksums with their names in text, also in one that is
// signed as it stands (RFC 9580 §7).
func parseSums(text string) []namedSum {
	var sums []namedSum
	signed := strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN PGP SIGNED MESSAGE-----")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if signed {
			line = strings.TrimPrefix(line, "- ") // §7.2, dash-escaping
		}
		if s, ok := parseSum(line); ok {
			sums = append(sums, s)
		}
	}
	return sums
}

func parseSum(line string) (namedSum, bool) {
	if m := gnuLine.FindStringSubmatch(line); m != nil {
		return newNamedSum("", m[2], m[3], m[1] != "")
	}
	if m := bsdLine.FindStringSubmatch(line); m != nil {
		return newNamedSum(m[2], m[4], m[3], m[1] != "")
	}
	if m := tableLine.FindStringSubmatch(line); m != nil {
		return newNamedSum(m[1], m[2], m[3], false)
	}
	if m := reverseLine.FindStringSubmatch(line); m != nil {
		return newNamedSum("", m[2], m[1], false)
	}
	return namedSum{}, false
}

// tags are the names of algorithms without their punctuation.
var tags = map[string]Algorithm{"SHA256": SHA256, "SHA2256": SHA256, "SHA512": SHA512, "SHA2512": SHA512}

// newNamedSum makes a sum of what a line says. Without a tag its length tells
// the algorithm.
func newNamedSum(tag, sum, name string, escaped bool) (namedSum, bool) {
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	s := namedSum{sum: strings.ToLower(sum), name: strings.Trim(name, " \t")}
	switch {
	case tag != "":
		s.algorithm = tags[strings.ToUpper(strings.ReplaceAll(tag, "-", ""))]
	case len(sum) == SHA256.digits():
		s.algorithm = SHA256
	case len(sum) == SHA512.digits():
		s.algorithm = SHA512
	}
	if s.algorithm != "" && len(sum) != s.algorithm.digits() {
		s.algorithm = ""
	}
	return s, true
}

// mentions reports whether a name stands in text by itself, not as a part of
// another one.
func mentions(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 || name == "" {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(rest[:i])
		after, size := utf8.DecodeRuneInString(rest[i+len(name):])
		if !ofName(before) && (!ofName(after) || after == '.' && endsSentence(rest[i+len(name)+size:])) {
			return true
		}
		rest = rest[i+len(name):]
	}
}

// ofName reports whether a character is likely to be a part of a file's name.
func ofName(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+~", r))
}

func endsSentence(rest string) bool { return rest == "" || unicode.IsSpace(rune(rest[0])) }
