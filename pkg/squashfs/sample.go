package squashfs

import (
	"cmp"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Sample takes files out of the tree until about so many bytes are left, for
// measuring. Directories and symbolic links stay. Of the files in the order of
// their sizes every n-th stays, so that large and small ones are there in the
// proportion of the whole; equal files hardly ever stay together.
func (t *Tree) Sample(bytes int64) {
	if bytes <= 0 || t.Bytes <= bytes {
		return
	}
	var files []*node
	t.root.visit(func(n *node) { files = append(files, n) })
	slices.SortStableFunc(files, func(a, b *node) int { return cmp.Compare(b.size, a.size) })
	every := int((t.Bytes + bytes - 1) / bytes)
	stays := make(map[*node]bool)
	for i := every / 2; i < len(files); i += every {
		stays[files[i]] = true
	}
	// Entries and the children of the root belong together.
	var entries []entry
	for i := range t.root.children {
		if t.root.children[i].sampled(stays) {
			entries = append(entries, t.entries[i])
		}
	}
	t.entries = entries
	t.root.sample(stays)
	t.count()
}

// sampled reports whether a node stays in a sample.
func (n *node) sampled(stays map[*node]bool) bool {
	return n.kind != disk.TypeFile || n.size == 0 || stays[n]
}

// sample leaves what is sampled of everything below a node.
func (n *node) sample(stays map[*node]bool) {
	var children []node
	for i := range n.children {
		c := &n.children[i]
		if !c.sampled(stays) {
			continue
		}
		c.sample(stays)
		children = append(children, *c)
	}
	n.children = children
}
