package squashfs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Entry is one name in the root directory of an image: what the host has at
// Path, with everything below it, or, if Path is empty, a regular file with
// permissions 0444 that holds Data.
type Entry struct {
	Name string
	Path string
	Data []byte

	// Kin is what the entry is kept near to: entries are laid down in the order
	// of their kin, by default their names.
	Kin string

	// Kept says that the earlier image holds the same under this name. Then
	// only those of its files are read that cannot be taken from there.
	Kept bool
}

// Tree is what an image will hold, as [Scan] found it: every name, permission
// and size, but no contents yet.
type Tree struct {
	root    *node
	entries []Entry // root.children, as given
	earlier *Earlier
	rules   *rules

	Inodes int   // files, directories and symbolic links, the root among them
	Files  int   // regular files
	Bytes  int64 // their sizes added up, each name counted, holes included
}

// node is a name in the tree and, once the image is written, where its inode
// is. Hard links are nodes of their own: the image does not depend on how a
// store was optimised.
type node struct {
	name     string
	kind     disk.InodeType // typeDir, typeFile or typeSymlink
	perm     uint16
	number   uint32 // inode number; a directory's is above those of all below it
	ref      disk.InodeRef
	children []node // of a directory, sorted by name

	target string // of a symbolic link

	size    uint64    // of a file
	holes   bool      // the host stores fewer bytes than size: look for holes
	data    []byte    // contents given instead of a path
	content *content  // the contents; shared by equal files
	kept    *location // where the earlier image has them, nil if it has not

	fromEarlier bool // all of the node is as the earlier image has it
}

// Permissions says which permissions a file or directory has in the image, by
// its mode on the host.
type Permissions func(onHost fs.FileMode) fs.FileMode

// Scan reads the names, types, permissions and sizes of everything that
// entries name. Entries may come in any order. Without perm, permissions are
// those of the host. A name that is empty, ".", "..", longer than 255 bytes,
// taken twice or holds a slash or NUL is an error, and so is anything that is
// not a file, directory or symbolic link.
//
// What can be taken from an earlier image, which may be nil, is not looked for
// on the host.
func Scan(ctx context.Context, entries []Entry, perm Permissions, earlier *Earlier) (*Tree, error) {
	if perm == nil {
		perm = func(onHost fs.FileMode) fs.FileMode { return onHost }
	}
	s := scanner{ctx: ctx, perm: perm, earlier: earlier}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	t := &Tree{
		root:    &node{kind: disk.TypeDir, perm: 0o755, children: make([]node, len(entries))},
		entries: entries,
		earlier: earlier,
		rules:   &layoutRules,
	}
	for i, e := range entries {
		if err := checkName(e.Name); err != nil {
			return nil, err
		}
		if i > 0 && e.Name == entries[i-1].Name {
			return nil, fmt.Errorf("two entries named %q in the root directory", e.Name)
		}
	}
	var group errgroup.Group
	group.SetLimit(scansPerProcessor * runtime.GOMAXPROCS(0))
	for i, e := range entries {
		group.Go(func() (err error) {
			t.root.children[i], err = s.entry(e)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t.count(t.root)
	return t, nil
}

// scansPerProcessor is how many entries are looked at at once: where nothing is
// in memory yet, that is waiting for a disk.
const scansPerProcessor = 8

func checkName(name string) error {
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

// scanner looks at the host's files.
type scanner struct {
	ctx     context.Context
	perm    Permissions
	earlier *Earlier
}

func (s scanner) entry(e Entry) (node, error) {
	if e.Path == "" {
		return node{name: e.Name, kind: disk.TypeFile, perm: 0o444, size: uint64(len(e.Data)), data: e.Data}, nil
	}
	if e.Kept && s.earlier != nil {
		// What the earlier image cannot tell, the host can.
		if n, err := s.earlier.entry(e.Name, s.perm); err == nil {
			return n, nil
		}
	}
	var st unix.Stat_t
	if err := unix.Lstat(e.Path, &st); err != nil {
		return node{}, &fs.PathError{Op: "lstat", Path: e.Path, Err: err}
	}
	n, err := s.node(e.Name, e.Path, &st)
	if err != nil {
		return n, err
	}
	switch n.kind {
	case disk.TypeSymlink:
		n.target, err = os.Readlink(e.Path)
	case disk.TypeDir:
		n.children, err = s.dir(e.Path)
	}
	return n, err
}

// node is what the host has at path, without a link's target and a directory's
// children.
func (s scanner) node(name, path string, st *unix.Stat_t) (node, error) {
	n := node{name: name, perm: uint16(st.Mode &^ unix.S_IFMT)}
	mode := fileMode(n.perm)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.kind = disk.TypeFile
		n.size = uint64(st.Size)
		const statBlock = 512 // the unit of st_blocks whatever the file system's own, stat(2)
		n.holes = st.Blocks*statBlock < st.Size
	case unix.S_IFLNK:
		n.kind = disk.TypeSymlink
		return n, nil
	case unix.S_IFDIR:
		n.kind = disk.TypeDir
		mode |= fs.ModeDir
	default:
		return n, fmt.Errorf("%s: cannot store a file of type %#o", path, st.Mode&unix.S_IFMT)
	}
	n.perm = modeBits(s.perm(mode))
	return n, nil
}

// dir returns the children of a directory.
func (s scanner) dir(path string) ([]node, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	children, err := s.list(path)
	if err != nil {
		return nil, err
	}
	// Below, when the directory is closed: trees can be deeper than a process
	// may have files open.
	for i := range children {
		c := &children[i]
		if c.kind != disk.TypeDir {
			continue
		}
		if c.children, err = s.dir(path + "/" + c.name); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// list returns the children of a directory without their own, sorted by the
// bytes of the names, which is how readers search a listing. It asks by names
// in the directory: paths of a store are long to follow.
func (s scanner) list(path string) ([]node, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	children := make([]node, len(entries))
	target := make([]byte, disk.SymlinkMax+1)
	for i, e := range entries {
		name := e.Name()
		if e.Type() == fs.ModeSymlink {
			n, err := unix.Readlinkat(int(d.Fd()), name, target)
			if err != nil {
				return nil, &fs.PathError{Op: "readlink", Path: path + "/" + name, Err: err}
			}
			children[i] = node{name: name, kind: disk.TypeSymlink, perm: symlinkPerm, target: string(target[:n])}
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, &fs.PathError{Op: "lstat", Path: path + "/" + name, Err: err}
		}
		if children[i], err = s.node(name, path+"/"+name, &st); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// symlinkPerm is what Linux has for every symbolic link, symlink(7).
const symlinkPerm = 0o777

// modeBits are the twelve mode bits of chmod(2), which fs.FileMode keeps in
// other places.
func modeBits(mode fs.FileMode) uint16 {
	perm := uint16(mode.Perm())
	for _, bit := range []struct {
		goBit fs.FileMode
		unix  uint16
	}{{fs.ModeSetuid, syscall.S_ISUID}, {fs.ModeSetgid, syscall.S_ISGID}, {fs.ModeSticky, syscall.S_ISVTX}} {
		if mode&bit.goBit != 0 {
			perm |= bit.unix
		}
	}
	return perm
}

// count numbers the inodes in the order in which they will be written:
// those below a directory before the directory itself.
func (t *Tree) count(n *node) {
	for i := range n.children {
		t.count(&n.children[i])
	}
	t.Inodes++
	n.number = uint32(t.Inodes)
	if n.kind == disk.TypeFile {
		t.Files++
		t.Bytes += int64(n.size)
	}
}

// treePath is where a node is: in or at an entry of the root directory.
type treePath struct {
	entry *Entry
	below string // the path from the entry on, with a leading slash; empty at the entry
}

func (p treePath) child(name string) treePath { return treePath{p.entry, p.below + "/" + name} }
func (p treePath) inImage() string            { return p.entry.Name + p.below }

// source is where the contents of the file n at p come from.
func (p treePath) source(n *node) source {
	src := source{path: p.entry.Path, data: n.data, size: n.size}
	if src.path != "" {
		src.path += p.below
	}
	return src
}

// visit calls f for every regular file that is not empty, in the order of the
// image.
func (t *Tree) visit(f func(n *node, at treePath) error) error {
	for i := range t.entries {
		if err := t.root.children[i].visit(t.top(i), f); err != nil {
			return err
		}
	}
	return nil
}

// top is the path of entry i.
func (t *Tree) top(i int) treePath { return treePath{entry: &t.entries[i]} }

func (n *node) visit(at treePath, f func(n *node, at treePath) error) error {
	if n.kind == disk.TypeFile && n.size > 0 {
		return f(n, at)
	}
	for i := range n.children {
		c := &n.children[i]
		if err := c.visit(at.child(c.name), f); err != nil {
			return err
		}
	}
	return nil
}
