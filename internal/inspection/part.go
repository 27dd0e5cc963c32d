package inspection

import (
	"cmp"
	"slices"
	"strings"
)

// PartKind is what a part of a medium is.
type PartKind int

// The kinds of parts.
const (
	FolderPart     PartKind = iota
	FilePart                // of any type but folders
	FileSystemPart          // a squashfs, or an EFI system partition
	PackagePart             // store paths of one package name
	StorePathPart
	TablesPart  // what is no file: directories, tables, metadata, padding
	SmallerPart // several that are too small to be told one by one
)

// Part is a part of what takes room on a medium. The sizes of what it holds add up to its own.
type Part struct {
	Name   string // in what it is a part of; of a TablesPart in words
	Kind   PartKind
	Size   int64 // bytes on the medium
	Bytes  int64 // of files, when read; of what is no file, as Size
	Files  int   // files and links that it is, or holds
	Packed bool  // it is in a compressed file system
	Need   int   // of a StorePathPart: who needs it, in Room.Needs; 0 if that is not known
	Parts  []*Part

	rest *Part // of Parts that were folded
}

// maxBytes bounds the sum of sizes when read: holes of any size take no room. It is the largest
// number that every reader of JSON has exactly (RFC 8259 §6).
const maxBytes = 1<<53 - 1

// take adds the sizes of a part.
func (p *Part) take(of *Part) {
	p.Size += of.Size
	p.Bytes += min(of.Bytes, maxBytes-p.Bytes)
	p.Files += of.Files
}

// weight is what a part is kept for: it only grows while parts are added.
func (p *Part) weight() int64 { return max(p.Size, p.Bytes) }

// hold makes a part that was without parts a file system that holds those of a tree; what room it
// has besides is tables. If they do not fit, as in a forged image, it stays as it is.
func (p *Part) hold(inside *Part, tables string) {
	left := p.Size - inside.Size
	if left < 0 {
		return
	}
	p.Kind, p.Parts, p.rest = FileSystemPart, inside.Parts, inside.rest
	p.Bytes, p.Files = inside.Bytes, inside.Files
	if left > 0 {
		p.Parts = append(p.Parts, &Part{Name: tables, Kind: TablesPart, Size: left, Bytes: left})
		p.Bytes += min(left, maxBytes-p.Bytes)
	}
}

// tree grows by the files of a file system, each folder before all that it holds. It never has many
// more than most parts: the smallest are folded into what holds them.
type tree struct {
	open []*Part // the way from the root to the folder that was met last
	live int     // parts
	most int
}

func newTree(most int) *tree { return &tree{open: []*Part{{Kind: FolderPart}}, most: most} }

// add adds what is at a path.
func (t *tree) add(at string, p *Part) {
	t.leave(strings.Count(at, "/") + 1)
	in := t.open[len(t.open)-1]
	in.Parts = append(in.Parts, p)
	if p.Kind == FolderPart || p.Kind == StorePathPart {
		t.open = append(t.open, p) // its sizes follow
	} else {
		in.take(p)
	}
	if t.live++; t.live > 2*t.most {
		t.live = fold(t.open[0], t.most, t.open)
	}
}

// leave closes folders that are not among the first depth of the way.
func (t *tree) leave(depth int) {
	for len(t.open) > depth {
		last := t.open[len(t.open)-1]
		t.open = t.open[:len(t.open)-1]
		t.open[len(t.open)-1].take(last)
	}
}

// end returns the root.
func (t *tree) end() *Part {
	t.leave(1)
	return t.open[0]
}

// fold folds the smallest parts below a root until no more than most are left, and returns how many.
// Those that still grow are not counted, and stay.
func fold(root *Part, most int, growing []*Part) int {
	grows := map[*Part]bool{}
	for _, p := range growing {
		grows[p] = true
	}
	var weights []int64
	var weigh func(p *Part)
	weigh = func(p *Part) {
		for _, child := range p.Parts {
			if !grows[child] {
				weights = append(weights, child.weight())
			}
			weigh(child)
		}
	}
	weigh(root)
	if len(weights) <= most {
		return len(weights)
	}
	slices.Sort(weights)
	bound := weights[len(weights)-most-1]
	left := 0
	var prune func(p *Part)
	prune = func(p *Part) {
		kept := p.Parts[:0]
		for _, child := range p.Parts {
			if !grows[child] && child.weight() <= bound {
				if p.rest == nil {
					p.rest = &Part{Kind: SmallerPart}
				}
				p.rest.take(child)
				continue
			}
			left++
			prune(child)
			kept = append(kept, child)
		}
		clear(p.Parts[len(kept):])
		p.Parts = slices.Clip(kept)
	}
	prune(root)
	return left
}

// settle puts the parts in order, the largest first, with what was folded behind the others. What
// has no size is counted in what holds it, no more. A folder that holds another one alone is one
// with it.
func (p *Part) settle() {
	heavy := func(of *Part) []*Part {
		return slices.DeleteFunc(of.Parts, func(child *Part) bool { return child.weight() == 0 })
	}
	p.Parts = heavy(p)
	for p.Kind == FolderPart && len(p.Parts) == 1 && p.Parts[0].Kind == FolderPart && p.rest == nil && p.Name != "" {
		only := p.Parts[0]
		p.Name, p.Parts, p.rest = p.Name+"/"+only.Name, heavy(only), only.rest
	}
	slices.SortFunc(p.Parts, func(a, b *Part) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Name, b.Name))
	})
	for _, child := range p.Parts {
		child.settle()
	}
	if p.rest != nil && p.rest.weight() > 0 {
		p.rest.Packed = p.Packed || p.Kind == FileSystemPart
		p.Parts = append(p.Parts, p.rest)
	}
	p.rest = nil
}
