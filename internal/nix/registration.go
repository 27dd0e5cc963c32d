package nix

import (
	"bufio"
	"fmt"
	"io"
)

// WriteRegistration writes the closure in the format that "nix-store
// --load-db" reads and nixpkgs' closureInfo writes as its file registration:
// for each path, one per line, the path, its NAR hash, its NAR size, an empty
// deriver, the number of references, and the references.
func (c *Closure) WriteRegistration(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, p := range c.Paths {
		fmt.Fprintf(b, "%s\nsha256:%s\n%d\n\n%d\n", p.Path, base32(p.NarHash[:]), p.NarSize, len(p.References))
		for _, ref := range p.References {
			fmt.Fprintln(b, ref)
		}
	}
	return b.Flush()
}

// base32Digits are the digits of Nix's base 32: no e, o, u, t.
const base32Digits = "0123456789abcdfghijklmnpqrsvwxyz"

// base32 encodes as Nix does: the bytes are a little-endian number, written
// with its most significant digit first (src/libutil/hash.cc, printHash32).
func base32(data []byte) string {
	const bitsPerDigit = 5
	digits := make([]byte, (len(data)*8+bitsPerDigit-1)/bitsPerDigit)
	for i := range digits {
		bit := (len(digits) - 1 - i) * bitsPerDigit
		value := uint(data[bit/8]) >> (bit % 8)
		if next := bit/8 + 1; next < len(data) {
			value |= uint(data[next]) << (8 - bit%8)
		}
		digits[i] = base32Digits[value%uint(len(base32Digits))]
	}
	return string(digits)
}
