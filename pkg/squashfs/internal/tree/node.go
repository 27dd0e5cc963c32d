package tree

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Sort sorts what is in a directory by the bytes of the names, which is how
// readers search a listing, and checks the names.
func Sort(children []Node) error {
	slices.SortFunc(children, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range children {
		name := children[i].Name
		if err := CheckName(name); err != nil {
			return err
		}
		if i > 0 && name == children[i-1].Name {
			return fmt.Errorf("two entries named %q in one directory", name)
		}
	}
	return nil
}

// CheckName says what is wrong with a file name.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is not a file name", name)
	case len(name) >= disk.NameMax:
		return fmt.Errorf("file name of %d bytes, %d are possible: %q", len(name), disk.NameMax-1, name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("slash or NUL in file name %q", name)
	}
	return nil
}

// Folders are the names of the directories among some nodes.
func Folders(children []Node) (names []string) {
	for i := range children {
		if children[i].Kind == disk.TypeDir {
			names = append(names, children[i].Name)
		}
	}
	return names
}

// MetadataMax is the most bytes that the inode, without a block list, IDs and extended
// attributes can take.
func (n *Node) MetadataMax() (bytes int64) {
	bytes = int64(disk.InodeHeaderSize)
	switch n.Kind {
	case disk.TypeDir:
		bytes += int64(disk.ExtDirInodeSize)
	case disk.TypeFile:
		bytes += int64(disk.ExtFileInodeSize)
	default: // links, and what is smaller
		bytes += int64(disk.SymlinkInodeSize + len(n.Target))
	}
	if n.Attr != nil {
		bytes += 2*disk.IDSize + disk.XattrIndexSize + int64(disk.XattrIDSize)
		for _, x := range n.Attr.Xattrs {
			bytes += int64(disk.XattrEntrySize + disk.XattrIndexSize + len(x.Name) + len(x.Value))
		}
	}
	return bytes
}
