package squashfs

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/tree"
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

// Permissions says which permissions a file or directory has in the image, by
// its mode on the host.
type Permissions func(onHost fs.FileMode) fs.FileMode

// Scan reads the names, types, permissions and sizes of everything that
// entries name; nothing else of the host gets into the image: all files belong to
// root, have one name and the time of [Options]. Entries may come in any order.
// Without perm, permissions are those of the host. A name that is empty, ".", "..",
// longer than 255 bytes, taken twice or holds a slash or NUL is an error, and so is
// anything that is not a file, directory or symbolic link.
//
// No symbolic link of the host is followed, now or later, but on the way to the folder
// that an entry's Path is in, which stays open as long as the tree is in use.
//
// What can be taken from an earlier image, which may be nil, is not looked for
// on the host.
func Scan(ctx context.Context, entries []Entry, perm Permissions, earlier *Earlier) (*Tree, error) {
	if perm == nil {
		perm = func(onHost fs.FileMode) fs.FileMode { return onHost }
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for i, e := range entries {
		if err := tree.CheckName(e.Name); err != nil {
			return nil, err
		}
		if i > 0 && e.Name == entries[i-1].Name {
			return nil, fmt.Errorf("two entries named %q in the root directory", e.Name)
		}
	}
	t := newTree(tree.Node{Kind: disk.TypeDir, Perm: 0o755}, len(entries))
	t.earlier = earlier
	s := scanner{ctx: ctx, perm: perm}
	places := hostDirs(entries)
	var group errgroup.Group
	group.SetLimit(scansAtOnce())
	for i, e := range entries {
		group.Go(func() error {
			branch, err := s.entry(e, places[i], earlier)
			if err != nil {
				return err
			}
			t.entries[i] = entry{
				Entry:  pack.Entry{Name: e.Name, From: pack.Host{Dir: places[i].dir}, Path: places[i].name, Kept: branch.Top(nil).FromEarlier},
				branch: branch,
				kin:    cmp.Or(e.Kin, e.Name),
			}
			if e.Path == "" {
				t.entries[i].given, t.entries[i].From = true, pack.Given(e.Data)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t.count()
	return t, nil
}

// hostDirs are the places of entries on the host. Each folder that entries are in is
// opened once.
func hostDirs(entries []Entry) []*hostDir {
	folders := map[string]*hostdir.Dir{}
	places := make([]*hostDir, len(entries))
	for i, e := range entries {
		folder, name := hostdir.Split(e.Path)
		if folders[folder] == nil {
			folders[folder] = hostdir.New(folder)
		}
		places[i] = &hostDir{dir: folders[folder], name: name}
	}
	return places
}

// scansAtOnce is how many entries are looked at at once: where nothing is in
// memory yet, that is waiting for a disk.
func scansAtOnce() int { return 8 * runtime.GOMAXPROCS(0) }

func newTree(root tree.Node, entries int) *Tree {
	return &Tree{root: root, entries: make([]entry, entries), rules: &layoutRules}
}

// entry is what the host has at an entry, or the earlier image.
func (s scanner) entry(e Entry, src *hostDir, earlier *Earlier) (*tree.Branch, error) {
	if e.Path == "" {
		return s.branch(nil, tree.Node{Name: e.Name, Kind: disk.TypeFile, Perm: 0o444, Size: uint64(len(e.Data))}, "")
	}
	if e.Kept && earlier != nil {
		// What the earlier image cannot tell, the host can.
		if branch, err := earlier.entry(e.Name, s.perm); err == nil {
			return branch, nil
		}
	}
	a, err := src.Root()
	if err != nil {
		return nil, err
	}
	a.Name = e.Name
	n, err := s.node(a, e.Path)
	if err != nil {
		return nil, err
	}
	return s.branch(src, n, ".")
}

// NewTree looks at everything that src has: names, types, permissions, owners,
// times, sizes, extended attributes and hard links. Contents are read when the tree
// is written.
func NewTree(ctx context.Context, src Source) (*Tree, error) {
	s := scanner{ctx: ctx}
	a, err := src.Root()
	if err != nil {
		return nil, err
	}
	root, err := s.node(a, ".")
	if err != nil {
		return nil, err
	}
	if root.Kind != disk.TypeDir {
		return nil, fmt.Errorf("the root is no directory, but of type %s", a.Mode.Type())
	}
	children, err := s.list(src, ".")
	if err != nil {
		return nil, err
	}
	t := newTree(root, len(children))
	for i := range children {
		c := &children[i]
		e := pack.Entry{Name: c.Name, From: src, Path: c.Name}
		if host, ok := src.(*hostDir); ok {
			e.From, e.Path = pack.Host{Dir: host.dir}, host.at(c.Name)
		}
		branch, err := s.branch(src, *c, c.Name)
		if err != nil {
			return nil, err
		}
		t.entries[i] = entry{Entry: e, branch: branch, kin: c.Name}
	}
	t.count()
	return t, nil
}
