package inspection

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math/bits"
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
	w := &weights{runs: map[runID]*shared{}, pieces: map[pieceID]*piece{}, fragments: map[int]*fragment{}}
	if err := p.weigh(ctx, s.Reader, w); err != nil {
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

// weigh reads every file twice: who has a part in what, and what that comes to.
func (p *Paths) weigh(ctx context.Context, r *squashfs.Reader, w *weights) error {
	for _, take := range []func(squashfs.Blocks) int64{w.add, w.share} {
		at := -1
		err := r.Walk(func(name string, ino squashfs.Inode) error {
			if top, _, below := strings.Cut(name, "/"); !below && name != "." {
				at = p.indexOf(top)
			}
			if !ino.Mode.IsRegular() {
				if at >= 0 && w.sharing && !ino.Mode.IsDir() {
					p.List[at].Files++
				}
				return context.Cause(ctx)
			}
			blocks, err := r.Blocks(ino)
			if err != nil {
				return err
			}
			size := take(blocks)
			if at >= 0 && w.sharing {
				p.List[at].Size += size
				p.List[at].Bytes += ino.Size
				p.List[at].Files++
			}
			return context.Cause(ctx)
		})
		if err != nil {
			return err
		}
		w.sharing = true
	}
	return nil
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

// weights are who has which part in the blocks of a squashfs.
type weights struct {
	runs      map[runID]*shared
	pieces    map[pieceID]*piece
	fragments map[int]*fragment
	sharing   bool
}

// runID is the data blocks of a file: files of equal contents have the same.
type runID struct{ offset, size int64 }

// pieceID is a tail in a fragment block.
type pieceID struct{ fragment, offset, size int }

// shared is something that several files have.
type shared struct {
	size         int64
	owners, next int64
}

// part is what the next owner has of it. The parts of all add up to the size.
func (s *shared) part() int64 {
	s.next++
	return portion(s.size, s.next, s.owners) - portion(s.size, s.next-1, s.owners)
}

// portion is size × part ÷ whole, of which a part is no more than the whole.
func portion(size, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(size), uint64(min(part, whole)))
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(quotient)
}

type piece struct {
	shared
	from int64 // bytes of other pieces before it in the fragment
}

type fragment struct{ size, used int64 }

func runOf(b squashfs.Blocks) (runID, bool) {
	for _, d := range b.Data {
		if d.Size > 0 {
			return runID{d.Offset, b.Size()}, true
		}
	}
	return runID{}, false
}

// add counts a file among the owners of its blocks.
func (w *weights) add(b squashfs.Blocks) int64 {
	if id, ok := runOf(b); ok {
		if w.runs[id] == nil {
			w.runs[id] = &shared{size: id.size}
		}
		w.runs[id].owners++
	}
	if b.Tail > 0 {
		f := w.fragments[b.FragmentNumber]
		if f == nil {
			f = &fragment{size: int64(b.Fragment.Size)}
			w.fragments[b.FragmentNumber] = f
		}
		id := pieceID{b.FragmentNumber, b.FragmentOffset, b.Tail}
		if w.pieces[id] == nil {
			w.pieces[id] = &piece{from: f.used}
			f.used += int64(b.Tail)
		}
		w.pieces[id].owners++
	}
	return 0
}

// share is what a file has of its blocks, after all were added.
func (w *weights) share(b squashfs.Blocks) int64 {
	size := int64(0)
	if id, ok := runOf(b); ok && w.runs[id] != nil { // it is, unless the medium changed meanwhile
		size = w.runs[id].part()
	}
	if p := w.pieces[pieceID{b.FragmentNumber, b.FragmentOffset, b.Tail}]; b.Tail > 0 && p != nil {
		f := w.fragments[b.FragmentNumber]
		p.size = portion(f.size, p.from+int64(b.Tail), f.used) - portion(f.size, p.from, f.used)
		size += p.part()
	}
	return size
}

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
