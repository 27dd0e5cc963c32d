// Package tree keeps what is known of the files of an image before it is written, in few bytes for
// each: of a store with millions of files this, and not their contents, is what fills the memory.
//
// A [Branch] is what an entry of the root directory has below it. The listing of a directory is
// one stretch of bytes, name behind name, and is read from its beginning on; what lies in between
// is not stored but counted again by whoever walks: inode numbers. A file with a name of 16 bytes
// takes 22 bytes, a directory 24 more.
package tree

import (
	"iter"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Node is a name in a tree and what is known of the file there.
type Node struct {
	Name   string
	Kind   disk.InodeType // a basic one
	Perm   uint16
	Target string         // of a symbolic link
	Size   uint64         // of a file
	Sparse bool           // stored in fewer bytes than Size: look for holes
	Kept   *disk.Location // where an earlier image has the contents, nil if it has not

	FromEarlier bool // all of the node is as the earlier image has it

	Attr *Attributes // nil: root's, of the image's time, with one name

	// Of a node that comes from a Branch, and good until the next one: what Kept and Attr
	// point to is used again.
	Number uint32 // of the inode, from 1; a directory's is above those of all below it
	Again  bool   // the file has had a name before this
	Names  uint32 // that the file has
	Dir    uint32 // of a directory: its number in the branch

	room *room // of those that come from a Branch
}

// room is for what a node points to.
type room struct {
	kept disk.Location
	attr Attributes
	path *[]byte
}

// Attributes are what files of a Nix store do not have.
type Attributes struct {
	UID, GID uint32
	ModTime  uint32 // seconds since 1970
	Device   uint32
	Link     uint64 // the same, and not 0, for names that are one file
	Xattrs   []disk.Xattr
}

// linked says whether a node may be one of several names of a file.
func (n *Node) linked() bool { return n.Attr != nil && n.Attr.Link != 0 && n.Kind != disk.TypeDir }

// Below is the path from the top of the branch on, with a slash before each name; "" is the top.
func (n *Node) Below() string { return string(*n.room.path) }

// Links are the files with several names, by [Attributes.Link].
type Links map[uint64]Link

// Link is a file with several names.
type Link struct {
	Number uint32 // of its inode
	Names  uint32
}

// Branch is what is known of an entry of the root directory and of all below it. It does not change
// but by Count.
type Branch struct {
	listings []string // several in each
	dirs     []dir    // the first has the top of the branch alone
	sets     [][]disk.Xattr
}

// dir is a directory.
type dir struct {
	listings, at uint32 // where its listing begins
	children     uint32
	parent       uint32
	number       uint32 // of its inode
	before       uint32 // the last number that was given before those of its children
}

// Directories is one more than the number of any directory. A directory has a higher number than
// the one that it is in; 0 stands for what the branch itself is in.
func (b *Branch) Directories() int { return len(b.dirs) }

// Parent is the directory that another one is in.
func (b *Branch) Parent(dir uint32) uint32 { return b.dirs[dir].parent }

// Number is that of a directory's inode.
func (b *Branch) Number(dir uint32) uint32 { return b.dirs[dir].number }

// Count numbers the inodes from one after last on: those below a directory before the directory
// itself, and so that what is in one directory has numbers near to each other. It adds to links,
// and yields what [Branch.All] does.
func (b *Branch) Count(last uint32, links Links) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		w := walker{branch: b, links: links, last: last, counting: true, yield: yield}
		w.list(0, 0)
	}
}

// All yields every name in the branch, those below a directory before the directory itself, else
// in the order of listings.
func (b *Branch) All(links Links) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		w := walker{branch: b, links: links, last: b.dirs[0].before, yield: yield}
		w.list(0, 0)
	}
}

// Children yields the names in a directory, in the order of its listing. They have no path.
func (b *Branch) Children(dir uint32, links Links) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		w := walker{branch: b, links: links, flat: true, yield: yield}
		w.list(dir, 0)
	}
}

// Top is the branch's entry of the root directory.
func (b *Branch) Top(links Links) *Node {
	for n := range b.Children(0, links) {
		return n
	}
	return nil
}

// walker goes through a branch.
type walker struct {
	branch   *Branch
	links    Links
	last     uint32 // number that was given
	counting bool   // numbers are given for the first time
	flat     bool   // one directory alone
	yield    func(*Node) bool

	path  []byte
	nodes []*Node // by depth
}

// list goes through a directory. It returns false if the walk is over.
func (w *walker) list(number uint32, depth int) bool {
	if depth == len(w.nodes) {
		w.nodes = append(w.nodes, &Node{room: &room{path: &w.path}})
	}
	n, d := w.nodes[depth], &w.branch.dirs[number]
	if w.counting {
		d.before = w.last
	}
	if w.flat {
		w.last = d.before
	}
	length := len(w.path)
	rest := w.branch.listings[d.listings][d.at:]
	for range d.children {
		rest = n.decode(rest, w.branch.sets)
		if depth > 0 {
			w.path = append(append(w.path, '/'), n.Name...)
		}
		if n.Kind == disk.TypeDir && !w.flat && !w.list(n.Dir, depth+1) {
			return false
		}
		w.number(n)
		if !w.yield(n) {
			return false
		}
		w.path = w.path[:length]
	}
	return true
}

// number finds the inode of a node.
func (w *walker) number(n *Node) {
	n.Again, n.Names = false, 1
	if n.linked() {
		l, known := w.links[n.Attr.Link]
		if w.counting {
			l.Names++
			if !known {
				l.Number = w.last + 1
			}
			w.links[n.Attr.Link] = l
		}
		n.Names = l.Names
		// The next number is that of the file if it has not had a name yet.
		if n.Again = l.Number != w.last+1; n.Again {
			n.Number = l.Number
			return
		}
	}
	if n.Kind == disk.TypeDir && w.flat {
		w.last = w.branch.dirs[n.Dir].number
	} else {
		w.last++
	}
	n.Number = w.last
	if n.Kind == disk.TypeDir && w.counting {
		w.branch.dirs[n.Dir].number = n.Number
	}
}

// Without returns the branch without those files for which drop says so. It is to be counted anew.
func (b *Branch) Without(links Links, drop func(*Node) bool) *Branch {
	to := NewBuilder()
	b.copyTo(to, 0, 0, links, drop)
	return to.Branch()
}

// copyTo copies a directory to another one.
func (b *Branch) copyTo(to *Builder, from, at uint32, links Links, drop func(*Node) bool) {
	var children []Node
	var below []uint32
	for n := range b.Children(from, links) {
		switch n.Kind {
		case disk.TypeFile:
			if drop(n) {
				continue
			}
		case disk.TypeDir:
			below = append(below, n.Dir)
		}
		children = append(children, n.copied())
	}
	at = to.Add(at, children)
	children = nil
	for i, dir := range below {
		b.copyTo(to, dir, at+uint32(i), links, drop)
	}
}

// copied is a node that stays good.
func (n *Node) copied() Node {
	c := *n
	if c.Kept != nil {
		kept := *c.Kept
		c.Kept = &kept
	}
	if c.Attr != nil {
		attr := *c.Attr
		c.Attr = &attr
	}
	return c
}
