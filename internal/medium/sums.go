package medium

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// Sums is the list of the files that a medium check reads before anything is started
// from the medium: a line for each with its SHA-512, two spaces, and its path with
// leading slash, as sha512sum(1) writes it and GRUB reads it (GNU GRUB Manual 2.12,
// "hashsum").
const Sums = "livebuild/SHA512SUMS"

// Sum is a line of the list.
type Sum struct {
	Path   string // without leading slash
	SHA512 [sha512.Size]byte
}

// AppendTo appends the line to a list.
func (s Sum) AppendTo(list []byte) []byte { return fmt.Appendf(list, "%x  /%s\n", s.SHA512, s.Path) }

// Size is how many bytes the line has, whatever the sum.
func (s Sum) Size() int64 { return 2*sha512.Size + int64(len("  /\n")+len(s.Path)) }

// maxSums bounds the list, in bytes.
const maxSums = 4 << 20

// ParseSums reads a list. It names the line that is wrong.
func ParseSums(list []byte) ([]Sum, error) {
	if len(list) > maxSums {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(list), maxSums)
	}
	if len(list) > 0 && !bytes.HasSuffix(list, []byte("\n")) {
		return nil, fmt.Errorf("its last line is cut off")
	}
	var all []Sum
	for line := range strings.Lines(string(list)) {
		digits, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  /")
		var s Sum
		if n, err := hex.Decode(s.SHA512[:], []byte(digits[:min(len(digits), 2*sha512.Size)])); !ok || err != nil || n != sha512.Size || len(digits) != 2*n || path == "" {
			return nil, fmt.Errorf("line %d is no SHA-512 with a path", len(all)+1)
		}
		s.Path = path
		all = append(all, s)
	}
	return all, nil
}
