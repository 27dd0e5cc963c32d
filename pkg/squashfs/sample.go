package squashfs

import (
	"cmp"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/tree"
)

// Sample takes files out of the tree until about so many bytes are left, for
// measuring. Directories and symbolic links stay. Of the files in the order of
// their sizes every n-th stays, so that large and small ones are there in the
// proportion of the whole; equal files hardly ever stay together.
func (t *Tree) Sample(bytes int64) {
	if bytes <= 0 || t.Bytes <= bytes {
		return
	}
	type file struct {
		size   uint64
		number uint32
	}
	var files []file
	for n := range t.all() {
		if stored(n) {
			files = append(files, file{n.Size, n.Number})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return cmp.Compare(b.size, a.size) })
	every := int((t.Bytes + bytes - 1) / bytes)
	stays := make(map[uint32]bool)
	for i := every / 2; i < len(files); i += every {
		stays[files[i].number] = true
	}
	drop := func(n *tree.Node) bool {
		return n.Kind == disk.TypeFile && n.Size > 0 && (n.Again || !stays[n.Number])
	}
	var entries []entry
	for _, e := range t.entries {
		if !drop(e.branch.Top(t.links)) {
			e.branch = e.branch.Without(t.links, drop)
			entries = append(entries, e)
		}
	}
	t.entries = entries
	t.count()
}
