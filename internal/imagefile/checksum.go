package imagefile

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"strings"
)

// Algorithm is a hash function by the name that people know it by.
type Algorithm string

// The algorithms that images are checked by. Older ones are no proof of anything.
const (
	SHA256 Algorithm = "SHA-256"
	SHA512 Algorithm = "SHA-512"
)

func (a Algorithm) hash() hash.Hash {
	if a == SHA512 {
		return sha512.New()
	}
	return sha256.New()
}

// digits is how many hexadecimal digits a sum has.
func (a Algorithm) digits() int { return hex.EncodedLen(a.hash().Size()) }

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// Checksum is what an image should have, and who says so.
type Checksum struct {
	Algorithm Algorithm
	Sum       string // hexadecimal, in lower case
	Source    string // the file or flag that says so

	// Of a compressed file, a sum can be that of the file as it is stored,
	// which is the usual thing, or that of the image in it.
	OfImage  bool
	OfEither bool
}

// of returns the sum that this one is to be compared with.
func (c *Checksum) of(f Facts) string {
	if f.Stored != "" && !c.OfImage {
		return f.Stored
	}
	return f.Sum
}

func (c *Checksum) fits(f Facts) bool {
	return c.Sum == c.of(f) || c.OfEither && c.Sum == f.Sum
}

// SumError says that a file of checksums, or a flag, does not hold one.
type SumError struct {
	Source string
	Reason string
}

func (e *SumError) Error() string { return e.Source + " " + e.Reason }

var sha256Form = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// ParseSum reads a SHA-256 that a user gives, of a file or the image in it.
func ParseSum(text, source string) (*Checksum, error) {
	if !sha256Form.MatchString(text) {
		return nil, &SumError{source, fmt.Sprintf("needs 64 hexadecimal digits, not %q", text)}
	}
	return &Checksum{Algorithm: SHA256, Sum: strings.ToLower(text), Source: source, OfEither: true}, nil
}
