package store

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Closure is a set of store paths with everything they refer to.
type Closure struct {
	Paths []PathInfo // sorted by base name, that is by hash
}

// PathInfo is what the Nix database knows about a store path.
type PathInfo struct {
	Path       string   // "/nix/store/<hash>-<name>", also in a store elsewhere
	NarHash    [32]byte // SHA-256 of the path's contents as a Nix archive
	NarSize    int64    // of that archive, in bytes
	References []string // sorted; with Path itself if it refers to itself
}

// NarSize is the sum over all paths.
func (c *Closure) NarSize() int64 {
	var sum int64
	for _, p := range c.Paths {
		sum += p.NarSize
	}
	return sum
}

// Sort sorts the paths of the closure.
func (c *Closure) Sort() {
	slices.SortFunc(c.Paths, func(a, b PathInfo) int { return cmp.Compare(path.Base(a.Path), path.Base(b.Path)) })
}

// Of returns the closure of some of the paths.
func (c *Closure) Of(roots []string) *Closure {
	at := make(map[string]int, len(c.Paths))
	for i, p := range c.Paths {
		at[p.Path] = i
	}
	reached := make([]bool, len(c.Paths))
	for pending := slices.Clone(roots); len(pending) > 0; {
		last := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if i, ok := at[last]; ok && !reached[i] {
			reached[i] = true
			pending = append(pending, c.Paths[i].References...)
		}
	}
	part := &Closure{}
	for i, p := range c.Paths {
		if reached[i] {
			part.Paths = append(part.Paths, p)
		}
	}
	return part
}

// OpenError reports a reference out of a closure.
type OpenError struct {
	Path, Reference string
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("%s refers to %s, which is not in its closure", e.Path, e.Reference)
}

// Roots returns the paths that no other one refers to.
func (c *Closure) Roots() (roots []string) {
	needed := map[string]bool{}
	for _, p := range c.Paths {
		for _, ref := range p.References {
			if ref != p.Path {
				needed[ref] = true
			}
		}
	}
	for _, p := range c.Paths {
		if !needed[p.Path] {
			roots = append(roots, p.Path)
		}
	}
	return roots
}

// Check returns an *OpenError if a path refers to one that is not in the closure.
func (c *Closure) Check() error {
	has := make(map[string]bool, len(c.Paths))
	for _, p := range c.Paths {
		has[p.Path] = true
	}
	for _, p := range c.Paths {
		for _, ref := range p.References {
			if !has[ref] {
				return &OpenError{Path: p.Path, Reference: ref}
			}
		}
	}
	return nil
}

// maxReferences bounds what a record may announce, far above any real one.
const maxReferences = 1 << 20

// ParseDump reads the records of "nix-store --dump-db" or of a registration:
// path, NAR hash, NAR size, deriver or an empty line, number of references,
// references.
func ParseDump(r io.Reader) ([]PathInfo, error) {
	lines := dumpReader{Reader: bufio.NewReader(r)}
	var paths []PathInfo
	for {
		first, err := lines.next()
		if errors.Is(err, io.EOF) {
			return paths, nil
		}
		if err != nil {
			return nil, err
		}
		info, err := lines.record(first)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.number, noEOF(err))
		}
		paths = append(paths, info)
	}
}

// dumpReader reads lines of any length and counts them.
type dumpReader struct {
	*bufio.Reader
	number int
}

// next returns the next line without its newline, and io.EOF after the last.
func (r *dumpReader) next() (string, error) {
	r.number++
	line, err := r.ReadString('\n')
	if err != nil && line != "" {
		err = noEOF(err)
	}
	return strings.TrimSuffix(line, "\n"), err
}

// record reads the record of a path after its first line.
func (r *dumpReader) record(first string) (PathInfo, error) {
	info := PathInfo{Path: first}
	if err := checkStorePath(first); err != nil {
		return info, err
	}
	line, err := r.next()
	if err != nil {
		return info, err
	}
	if info.NarHash, err = parseHash(line); err != nil {
		return info, err
	}
	if info.NarSize, err = r.count(1<<63 - 1); err != nil {
		return info, err
	}
	if _, err := r.next(); err != nil { // deriver
		return info, err
	}
	references, err := r.count(maxReferences)
	if err != nil {
		return info, err
	}
	for range references {
		ref, err := r.next()
		if err != nil {
			return info, err
		}
		if err := checkStorePath(ref); err != nil {
			return info, err
		}
		info.References = append(info.References, ref)
	}
	slices.Sort(info.References)
	return info, nil
}

// parseHash reads a SHA-256 in hex, as --dump-db prints it, or as "sha256:" and
// base 32, as a registration has it.
func parseHash(text string) (hash [sha256.Size]byte, err error) {
	var data []byte
	if digits, ok := strings.CutPrefix(text, "sha256:"); ok {
		data, err = parseBase32(digits, sha256.Size)
	} else {
		data, err = hex.DecodeString(text)
	}
	if err != nil || len(data) != sha256.Size {
		return hash, fmt.Errorf("%q is not a SHA-256 hash", text)
	}
	return [sha256.Size]byte(data), nil
}

// count reads a line with a number up to limit.
func (r *dumpReader) count(limit int64) (int64, error) {
	line, err := r.next()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", line, limit)
	}
	return n, nil
}

// checkStorePath refuses what cannot be a store path, so that nobody who
// joins it to a folder leaves that folder.
func checkStorePath(p string) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || p == "/" {
		return fmt.Errorf("%q is not a store path", p)
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
