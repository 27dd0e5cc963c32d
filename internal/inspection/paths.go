package inspection

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Path is a store path of a medium.
type Path struct {
	Path        string   `json:"path"`
	Size        int64    `json:"size"`         // bytes that it takes in the squashfs
	Files       int      `json:"files"`        // of all types but folders
	Bytes       int64    `json:"bytes"`        // of its files, when read
	NarSize     int64    `json:"nar_size"`     // bytes; 0: it is not registered
	ClosureSize int64    `json:"closure_size"` // bytes in the squashfs, with all that it needs
	References  []string `json:"references"`   // without itself
}

// Paths are the store paths of a medium, and what needs what.
type Paths struct {
	List     []Path // by the size that they take, the largest first
	Roots    []string
	Metadata int64 // bytes of the squashfs that are of no path: inodes, folders, tables, the registration
	byPath   map[string]int
}

// ReadPaths reads the store of a medium. The sizes of all paths and the metadata add up to
// that of the squashfs: what several files have in common, equal contents or a
// fragment block, is divided among them, a fragment by how much of it is whose. Without a
// registration there are no references, and closures are paths alone. The error is a
// *medium.NoStoreError if there is no store.
func ReadPaths(ctx context.Context, m *medium.Medium, toplevel string) (*Paths, error) {
	return readPaths(ctx, m, toplevel, nil)
}

// readPaths is ReadPaths that hands all in the squashfs on to visit, too, unless that is nil.
func readPaths(ctx context.Context, m *medium.Medium, toplevel string, visit visitShare) (*Paths, error) {
	s, err := m.Store()
	if err != nil {
		return nil, err
	}
	closure, err := s.Registration()
	if errors.Is(err, fs.ErrNotExist) {
		closure, err = &store.Closure{}, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Paths{byPath: map[string]int{}}
	at := -1
	err = weigh(ctx, s.Reader, func(name string, ino squashfs.Inode, size int64) error {
		if top, _, below := strings.Cut(name, "/"); !below && name != "." {
			at = p.indexOf(top)
		}
		if at >= 0 && !ino.Mode.IsDir() {
			p.List[at].Files++
			p.List[at].Size += size
			if ino.Mode.IsRegular() {
				p.List[at].Bytes += ino.Size
			}
		}
		if visit != nil {
			return visit(name, ino, size)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.Metadata = s.Info().BytesUsed
	for _, entry := range p.List {
		p.Metadata -= entry.Size
	}
	p.Metadata = max(0, p.Metadata) // blocks of a forged image can overlap
	for _, info := range closure.Paths {
		n, ok := p.byPath[path.Base(info.Path)]
		if !ok {
			continue // the check of an image tells
		}
		entry := &p.List[n]
		entry.Path, entry.NarSize = info.Path, info.NarSize
		for _, ref := range info.References {
			if ref != info.Path {
				entry.References = append(entry.References, ref)
			}
		}
	}
	slices.SortFunc(p.List, func(a, b Path) int { return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Path, b.Path)) })
	for n, entry := range p.List {
		p.byPath[path.Base(entry.Path)] = n
	}
	p.findRoots(toplevel)
	return p, p.weighClosures(ctx)
}

// indexOf is where the entry of a name in the root of the squashfs is in the list, or -1 of
// what is no store path: the registration, which has its part in what is shared.
func (p *Paths) indexOf(name string) int {
	if name == medium.Registration {
		return -1
	}
	n, ok := p.byPath[name]
	if !ok {
		n = len(p.List)
		p.byPath[name] = n
		p.List = append(p.List, Path{Path: storeFolder + name, References: []string{}})
	}
	return n
}

const storeFolder = "/nix/store/"

// findRoots finds what all is there for: the toplevel, or what nobody refers to.
func (p *Paths) findRoots(toplevel string) {
	if n, ok := p.byPath[path.Base(toplevel)]; ok && toplevel != "" {
		p.Roots = []string{p.List[n].Path}
		return
	}
	needed := map[string]bool{}
	for _, entry := range p.List {
		for _, ref := range entry.References {
			needed[path.Base(ref)] = true
		}
	}
	for _, entry := range p.List {
		if !needed[path.Base(entry.Path)] {
			p.Roots = append(p.Roots, entry.Path)
		}
	}
	slices.Sort(p.Roots)
}

func (p *Paths) weighClosures(ctx context.Context) error {
	// seen has the number of the last closure that each path was met in.
	seen := make([]int, len(p.List))
	for n := range p.List {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		pending := []int{n}
		seen[n] = n + 1
		for len(pending) > 0 {
			at := pending[len(pending)-1]
			pending = pending[:len(pending)-1]
			p.List[n].ClosureSize += p.List[at].Size
			for _, ref := range p.List[at].References {
				if next, ok := p.byPath[path.Base(ref)]; ok && seen[next] != n+1 {
					seen[next] = n + 1
					pending = append(pending, next)
				}
			}
		}
	}
	return nil
}

// Chain is who needs a store path: the root first, the path last, each referring to the next.
type Chain []string

// NoPathError says that the store of a medium has no such path.
type NoPathError struct{ Name string }

func (e *NoPathError) Error() string { return "the store of the medium has no path " + e.Name }

// UnneededError says that nothing on the medium that starts by itself refers to a store path.
type UnneededError struct{ Path string }

func (e *UnneededError) Error() string {
	return "no chain of references leads to " + e.Path
}

// Why returns the shortest chain from a root to each store path that a name means: a path in the
// store, or a pattern for the last element, as in path.Match. The error is a *NoPathError or
// an *UnneededError.
func (p *Paths) Why(name string) ([]Chain, error) {
	pattern := strings.TrimPrefix(name, storeFolder)
	pattern, _, _ = strings.Cut(pattern, "/") // a file in it
	var wanted []string
	for _, entry := range p.List {
		base := path.Base(entry.Path)
		matches, err := path.Match(pattern, base)
		if err != nil {
			return nil, err
		}
		if matches || base == pattern {
			wanted = append(wanted, entry.Path)
		}
	}
	if len(wanted) == 0 {
		return nil, &NoPathError{name}
	}
	slices.Sort(wanted)
	from := p.search()
	var chains []Chain
	for _, at := range wanted {
		chain := Chain{}
		for base := path.Base(at); ; base = from[base] {
			if _, met := from[base]; !met {
				return nil, &UnneededError{at}
			}
			chain = append(chain, p.List[p.byPath[base]].Path)
			if from[base] == "" {
				break
			}
		}
		slices.Reverse(chain)
		chains = append(chains, chain)
	}
	return chains, nil
}

// search goes from the roots through all references, the nearest first, and returns whom each
// path was met from, a root from "".
func (p *Paths) search() map[string]string {
	from := map[string]string{}
	var pending []string
	for _, root := range p.Roots {
		from[path.Base(root)] = ""
		pending = append(pending, path.Base(root))
	}
	for len(pending) > 0 {
		base := pending[0]
		pending = pending[1:]
		for _, ref := range p.List[p.byPath[base]].References {
			next := path.Base(ref)
			if _, known := p.byPath[next]; !known {
				continue
			}
			if _, met := from[next]; !met {
				from[next] = base
				pending = append(pending, next)
			}
		}
	}
	return from
}
