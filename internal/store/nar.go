package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// NarHash computes the hash of a tree as a Nix archive. The tree is told node
// by node: a directory, then for each of its entries, sorted by the bytes of
// their names, Entry and the node, then EndDirectory. The methods do not check
// that order.
//
// The format is described in E. Dolstra, "The Purely Functional Software
// Deployment Model" (2006), figure 5.2, and implemented in Nix'
// libutil/archive.cc.
type NarHash struct {
	hash  counted
	depth int    // directories that have not ended
	chunk []byte // of a file, on its way
}

// counted is a hash that knows of how many bytes it is.
type counted struct {
	hash.Hash
	size int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	return c.Hash.Write(p)
}

// narChunk is as much as is read of a file at once: the largest block that SquashFS has, of which a
// reader gives whole ones best.
const narChunk = 1 << 20

// NewNarHash begins an archive.
func NewNarHash() *NarHash {
	n := &NarHash{hash: counted{Hash: sha256.New()}}
	n.strings("nix-archive-1")
	return n
}

// Directory begins a directory.
func (n *NarHash) Directory() {
	n.strings("(", "type", "directory")
	n.depth++
}

// Entry begins an entry of the directory; its node follows.
func (n *NarHash) Entry(name string) { n.strings("entry", "(", "name", name, "node") }

// EndEntry ends an entry after its node.
func (n *NarHash) EndEntry() { n.strings(")") }

// EndDirectory ends a directory.
func (n *NarHash) EndDirectory() {
	n.strings(")")
	n.depth--
}

// Symlink adds a symbolic link.
func (n *NarHash) Symlink(target string) {
	n.strings("(", "type", "symlink", "target", target, ")")
}

// File adds a regular file with size bytes of contents from r.
func (n *NarHash) File(executable bool, size int64, r io.Reader) error {
	n.strings("(", "type", "regular")
	if executable {
		n.strings("executable", "")
	}
	n.strings("contents")
	n.length(size)
	if want := min(size, narChunk); int64(len(n.chunk)) < want {
		n.chunk = make([]byte, want)
	}
	copied := int64(0)
	var err error
	if size > 0 {
		copied, err = io.CopyBuffer(&n.hash, struct{ io.Reader }{io.LimitReader(r, size)}, n.chunk)
	}
	if err == nil && copied < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", copied, size, noEOF(err))
	}
	n.pad(size)
	n.strings(")")
	return nil
}

// Size is that of the archive so far, in bytes.
func (n *NarHash) Size() int64 { return n.hash.size }

// Sum returns the hash of the archive.
func (n *NarHash) Sum() ([sha256.Size]byte, error) {
	if n.depth != 0 {
		return [sha256.Size]byte{}, errors.New("a directory of the archive has not ended")
	}
	return [sha256.Size]byte(n.hash.Sum(nil)), nil
}

// strings adds strings, each with its length and padded.
func (n *NarHash) strings(texts ...string) {
	for _, text := range texts {
		n.length(int64(len(text)))
		io.WriteString(&n.hash, text)
		n.pad(int64(len(text)))
	}
}

func (n *NarHash) length(v int64) {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], uint64(v))
	n.hash.Write(p[:])
}

// pad adds zeros behind size bytes, up to a multiple of eight.
func (n *NarHash) pad(size int64) {
	var zeros [8]byte
	n.hash.Write(zeros[:(8-size%8)%8])
}
