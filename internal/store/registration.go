package store

import (
	"bufio"
	"fmt"
	"io"
	"strings"
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

// ReadRegistration reads what WriteRegistration wrote.
func ReadRegistration(r io.Reader) (*Closure, error) {
	paths, err := ParseDump(r)
	if err != nil {
		return nil, fmt.Errorf("reading registration: %w", err)
	}
	return &Closure{Paths: paths}, nil
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

// parseBase32 decodes what base32 made of size bytes.
func parseBase32(text string, size int) ([]byte, error) {
	const bitsPerDigit = 5
	if len(text) != (size*8+bitsPerDigit-1)/bitsPerDigit {
		return nil, fmt.Errorf("%d digits for %d bytes", len(text), size)
	}
	data := make([]byte, size)
	for i := range len(text) {
		value := strings.IndexByte(base32Digits, text[len(text)-1-i])
		if value < 0 {
			return nil, fmt.Errorf("%q is not a digit", text[len(text)-1-i])
		}
		bit := i * bitsPerDigit
		word := uint(value) << (bit % 8)
		data[bit/8] |= byte(word)
		if high := byte(word >> 8); high != 0 {
			if bit/8+1 == size {
				return nil, fmt.Errorf("more than %d bytes", size)
			}
			data[bit/8+1] |= high
		}
	}
	return data, nil
}
