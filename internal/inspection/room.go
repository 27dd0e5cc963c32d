package inspection

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
)

// Room is what takes the room of a medium.
type Room struct {
	Root  *Part
	Needs []Need // of store paths; the first one is none
}

// Need is a store path with whom it is there for: the way up to a root is the shortest chain.
type Need struct {
	Path string
	By   int // in Room.Needs, before this one; 0: a root, or one whose chain is too long to be told
}

// Bounds of a Room, whatever a medium holds.
const (
	maxParts = 20000
	maxNeeds = 20000
	maxChain = 100
)

// ReadRoom reads what takes the first size bytes of a medium: the files of its volume, of its EFI
// system partitions and in its squashfs images, as ReadPaths divides them. The image is
// what Read says of it. All parts add up to size; what files have in common is divided
// evenly.
func ReadRoom(ctx context.Context, m *medium.Medium, c *contents.Contents, image *Image, size int64) (*Room, error) {
	r := &roomReader{ctx: ctx, m: m, c: c, image: image, spans: map[medium.Extent]*shared{}, partitions: map[int64]int{}}
	if err := r.readSpans(); err != nil {
		return nil, err
	}
	used := r.divide(size)
	root, err := r.readVolume()
	if err != nil {
		return nil, err
	}
	if left := size - used; left > 0 {
		root.Parts = append(root.Parts, &Part{Name: "tables, directories and gaps", Kind: TablesPart, Size: left, Bytes: left})
		root.Size += left
		root.Bytes += min(left, maxBytes-root.Bytes)
	}
	room := &Room{Root: root}
	fold(root, maxParts, nil)
	root.settle()
	root.Name = image.VolumeID
	if r.paths != nil {
		room.findNeeds(r.paths)
	}
	return room, nil
}

// roomReader reads a Room.
type roomReader struct {
	ctx        context.Context
	m          *medium.Medium
	c          *contents.Contents
	image      *Image
	spans      map[medium.Extent]*shared // what lies on the medium, by where its files say
	partitions map[int64]int             // EFI system partitions by their offsets, in the order of image.EFI
	paths      *Paths                    // of the store, if there is one
}

// walk visits the files of the volume.
func (r *roomReader) walk(visit func(contents.File) error) error {
	roots, err := r.c.Find("/", true)
	if err != nil {
		return err
	}
	return r.c.Walk(roots[0], func(f contents.File) error {
		if err := visit(f); err != nil {
			return err
		}
		return context.Cause(r.ctx)
	})
}

// readSpans finds out what lies where, and how many files it is the content of.
func (r *roomReader) readSpans() error {
	starts := map[int64]bool{}
	err := r.walk(func(f contents.File) error {
		for n, e := range r.c.Extents(f) {
			if n == 0 {
				starts[e.Offset] = true
			}
			if r.spans[e] == nil {
				r.spans[e] = &shared{}
			}
			r.spans[e].owners++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range r.m.Trees() {
		if !t.EFI {
			continue
		}
		r.partitions[t.Offset] = len(r.partitions)
		if e := r.partition(t.Offset); !starts[t.Offset] && r.spans[e] == nil {
			r.spans[e] = &shared{owners: 1}
		}
	}
	return nil
}

// partition is where an EFI system partition lies by the tables.
func (r *roomReader) partition(offset int64) medium.Extent {
	for _, p := range r.m.Volume.Partitions {
		if p.Offset == offset {
			return medium.Extent{Offset: offset, Size: p.Size}
		}
	}
	for _, e := range r.m.Volume.BootEntries {
		if e.Offset == offset {
			return medium.Extent{Offset: offset, Size: e.LoadSize}
		}
	}
	return medium.Extent{Offset: offset}
}

// isoBlock is what the room of a file on a volume is a multiple of, in bytes (ECMA-119 §6.2.2).
const isoBlock = 2048

// divide gives each span the room that it takes of the first size bytes, and returns the sum. What
// overlaps is of the one that begins first.
func (r *roomReader) divide(size int64) int64 {
	var all []medium.Extent
	for e := range r.spans {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b medium.Extent) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Size, a.Size))
	})
	at, used := int64(0), int64(0)
	for _, e := range all {
		start, end := max(e.Offset, at), size
		if e.Offset <= size && e.Size <= size-e.Offset {
			end = min(size, (e.Offset+e.Size+isoBlock-1)/isoBlock*isoBlock)
		}
		if e.Size <= 0 || end <= start {
			continue
		}
		r.spans[e].size = end - start
		used += end - start
		at = end
	}
	return used
}

// readVolume returns the files of the volume with what is in them, and what lies beside them.
func (r *roomReader) readVolume() (*Part, error) {
	systems := map[string]bool{}
	for _, s := range r.image.FileSystems {
		systems[s.Path] = true
	}
	t := newTree(maxParts)
	err := r.walk(func(f contents.File) error {
		at := strings.Trim(f.Path, "/")
		if at == "" {
			return nil
		}
		p := &Part{Name: path.Base(at), Kind: FilePart, Bytes: min(f.Size, maxBytes), Files: 1}
		if f.Mode.IsDir() {
			p = &Part{Name: path.Base(at), Kind: FolderPart}
		}
		extents := r.c.Extents(f)
		for _, e := range extents {
			if s := r.spans[e]; s != nil { // it is, unless the medium changed meanwhile
				p.Size += s.part()
			}
		}
		if systems[f.Path] {
			if err := r.readSquashFS(f, p); err != nil {
				return err
			}
		} else if len(extents) > 0 {
			if err := r.readPartition(extents[0].Offset, p); err != nil {
				return err
			}
		}
		t.add(at, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	root := t.end()
	for _, tree := range r.m.Trees() { // partitions that are no files
		if _, left := r.partitions[tree.Offset]; !left {
			continue
		}
		p := &Part{Name: tree.Name, Kind: FilePart, Files: 1}
		if s := r.spans[r.partition(tree.Offset)]; s != nil {
			p.Size = s.part()
		}
		p.Bytes = p.Size
		if err := r.readPartition(tree.Offset, p); err != nil {
			return nil, err
		}
		root.Parts = append(root.Parts, p)
		root.take(p)
	}
	return root, nil
}

// findNeeds says of the store paths that are told one by one who needs them.
func (r *Room) findNeeds(p *Paths) {
	from := p.search()
	r.Needs = []Need{{}}
	known := map[string]int{}
	// number returns where a path is in the list, into which it puts it behind all of its chain.
	number := func(base string) int {
		var chain []string
		for at := base; at != "" && known[at] == 0 && len(chain) < maxChain; at = from[at] {
			chain = append(chain, at)
		}
		if len(r.Needs)+len(chain) > maxNeeds {
			return 0
		}
		for _, at := range slices.Backward(chain) {
			known[at] = len(r.Needs)
			r.Needs = append(r.Needs, Need{p.List[p.byPath[at]].Path, known[from[at]]})
		}
		return known[base]
	}
	var visit func(part *Part)
	visit = func(part *Part) {
		if part.Kind == StorePathPart {
			if _, met := from[part.Name]; met {
				part.Need = number(part.Name)
			}
			return
		}
		for _, child := range part.Parts {
			visit(child)
		}
	}
	visit(r.Root)
}
