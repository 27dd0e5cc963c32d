package tree

import (
	"encoding/binary"
	"fmt"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// An entry of a listing begins with a byte that has the type in its lowest bits and says what
// else there is. Two bytes of permissions follow, and the name behind a byte with its length. All
// other numbers are those of encoding/binary, of variable length:
//
//   - of a file its size; of a link the length of the target, and that; of a directory its number;
//   - with hasKept, the location;
//   - with hasAttr, IDs, time, device, link and extended attributes, by their number less one.
const (
	kindMask    = 1<<3 - 1
	isSparse    = 1 << 3
	fromEarlier = 1 << 4
	hasKept     = 1 << 5
	hasAttr     = 1 << 6
)

// listingsSize is how many bytes of listings lie in one piece of memory, but for the last listing.
const listingsSize = 64 << 10

// Builder makes a Branch.
type Builder struct {
	branch Branch
	buffer []byte            // listings that are in no piece yet
	sets   map[string]uint64 // extended attributes, by their bytes
}

// NewBuilder returns a Builder of an empty branch.
func NewBuilder() *Builder {
	b := &Builder{}
	b.branch.dirs = append(b.branch.dirs, dir{})
	return b
}

// Add adds what is in a directory, with the names in order, or to directory 0 the top. It
// returns the number of the first directory among them; those of the others follow.
func (b *Builder) Add(to uint32, children []Node) (first uint32) {
	if len(b.buffer) >= listingsSize {
		b.flush()
	}
	first = uint32(len(b.branch.dirs))
	d := &b.branch.dirs[to]
	d.listings, d.at, d.children = uint32(len(b.branch.listings)), uint32(len(b.buffer)), uint32(len(children))
	for i := range children {
		c := &children[i]
		if c.Kind == disk.TypeDir {
			c.Dir = uint32(len(b.branch.dirs))
			b.branch.dirs = append(b.branch.dirs, dir{parent: to})
		}
		b.encode(c)
	}
	return first
}

func (b *Builder) flush() {
	b.branch.listings = append(b.branch.listings, string(b.buffer))
	b.buffer = b.buffer[:0]
}

// Branch returns what was made. The Builder can make another one then.
func (b *Builder) Branch() *Branch {
	b.flush()
	made := b.branch
	made.dirs = append([]dir(nil), made.dirs...) // in the room that they need
	made.listings = append([]string(nil), made.listings...)
	b.branch = Branch{dirs: b.branch.dirs[:1], listings: b.branch.listings[:0]}
	b.branch.dirs[0] = dir{}
	b.sets = nil
	return &made
}

func (b *Builder) encode(n *Node) {
	head := byte(n.Kind)
	for _, flag := range []struct {
		set bool
		bit byte
	}{{n.Sparse, isSparse}, {n.FromEarlier, fromEarlier}, {n.Kept != nil, hasKept}, {n.Attr != nil, hasAttr}} {
		if flag.set {
			head |= flag.bit
		}
	}
	p := append(b.buffer, head)
	p = binary.LittleEndian.AppendUint16(p, n.Perm)
	p = append(append(p, byte(len(n.Name))), n.Name...)
	switch n.Kind {
	case disk.TypeFile:
		p = binary.AppendUvarint(p, n.Size)
	case disk.TypeSymlink:
		p = append(binary.AppendUvarint(p, uint64(len(n.Target))), n.Target...)
	case disk.TypeDir:
		p = binary.AppendUvarint(p, uint64(n.Dir))
	}
	if l := n.Kept; l != nil {
		// The number of no fragment is the highest; with one more, it is 0.
		for _, x := range []uint64{l.Start, l.Sparse, uint64(l.Fragment + 1), uint64(l.Offset), uint64(len(l.Sizes))} {
			p = binary.AppendUvarint(p, x)
		}
		for _, size := range l.Sizes {
			p = binary.AppendUvarint(p, uint64(size))
		}
	}
	if a := n.Attr; a != nil {
		for _, x := range []uint64{uint64(a.UID), uint64(a.GID), uint64(a.ModTime), uint64(a.Device), a.Link, b.set(a.Xattrs)} {
			p = binary.AppendUvarint(p, x)
		}
	}
	b.buffer = p
}

// set is one more than the number of extended attributes, 0 for none.
func (b *Builder) set(xattrs []disk.Xattr) uint64 {
	if len(xattrs) == 0 {
		return 0
	}
	key := fmt.Sprintf("%q", xattrs)
	if number := b.sets[key]; number > 0 {
		return number
	}
	if b.sets == nil {
		b.sets = make(map[string]uint64)
	}
	b.branch.sets = append(b.branch.sets, xattrs)
	b.sets[key] = uint64(len(b.branch.sets))
	return b.sets[key]
}

// decode makes n what is encoded at the beginning of p, and returns what is behind it. The strings
// of n are part of p.
func (n *Node) decode(p string, sets [][]disk.Xattr) (rest string) {
	head := p[0]
	n.Kind, n.Sparse, n.FromEarlier = disk.InodeType(head&kindMask), head&isSparse != 0, head&fromEarlier != 0
	n.Perm = uint16(p[1]) | uint16(p[2])<<8
	length := int(p[3])
	n.Name, p = p[4:4+length], p[4+length:]
	n.Size, n.Target, n.Dir, n.Kept, n.Attr = 0, "", 0, nil, nil
	var x uint64
	switch n.Kind {
	case disk.TypeFile:
		n.Size, p = uvarint(p)
	case disk.TypeSymlink:
		x, p = uvarint(p)
		n.Target, p = p[:x], p[x:]
	case disk.TypeDir:
		x, p = uvarint(p)
		n.Dir = uint32(x)
	}
	if head&hasKept != 0 {
		p = n.decodeKept(p)
	}
	if head&hasAttr != 0 {
		p = n.decodeAttr(p, sets)
	}
	return p
}

func (n *Node) decodeKept(p string) (rest string) {
	l := &n.room.kept
	var fragment, offset, blocks uint64
	l.Start, p = uvarint(p)
	l.Sparse, p = uvarint(p)
	fragment, p = uvarint(p)
	offset, p = uvarint(p)
	blocks, p = uvarint(p)
	l.Fragment, l.Offset, l.Sizes = uint32(fragment)-1, uint32(offset), nil
	if blocks > 0 {
		l.Sizes = make([]uint32, blocks)
	}
	for i := range l.Sizes {
		var size uint64
		size, p = uvarint(p)
		l.Sizes[i] = uint32(size)
	}
	n.Kept = l
	return p
}

func (n *Node) decodeAttr(p string, sets [][]disk.Xattr) (rest string) {
	a := &n.room.attr
	var uid, gid, modTime, device, set uint64
	uid, p = uvarint(p)
	gid, p = uvarint(p)
	modTime, p = uvarint(p)
	device, p = uvarint(p)
	a.Link, p = uvarint(p)
	set, p = uvarint(p)
	a.UID, a.GID, a.ModTime, a.Device, a.Xattrs = uint32(uid), uint32(gid), uint32(modTime), uint32(device), nil
	if set > 0 {
		a.Xattrs = sets[set-1]
	}
	n.Attr = a
	return p
}

// uvarint is binary.Uvarint of a string that surely holds one.
func uvarint(p string) (x uint64, rest string) {
	for shift := 0; ; shift += 7 {
		b := p[0]
		p = p[1:]
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return x, p
		}
	}
}
