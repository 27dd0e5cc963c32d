package squashfs

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// The entries of the root directory are laid down in groups. Each group begins
// with a fragment block of its own and at a multiple of padding, so that the
// bytes of a group are a function of its own entries, but for which of its
// files are stored with equal ones of earlier groups. A change in an entry
// changes the bytes of its group and leaves those of all others as they were;
// this is what a later image can take over, see [Earlier].
//
// No decision about the layout may rest on anything that a packing without an
// earlier image would not know at that point. What an earlier image tells saves
// work, never a place: files that are known to be duplicates of others before
// they are read still count where windows are cut.

// rules are the figures by which files are laid down. Other figures give other
// bytes, so that layoutGeneration has to grow with a change of layoutRules.
type rules struct {
	groupMin int64 // bytes of small files before a group may end
	groupMax int64 // bytes of small files in a group of several entries

	// Entries with few bytes are generated ones in a Nix store: units,
	// settings, links. A change to a system replaces dozens of them, so they
	// are kept together, in small groups.
	crumbMax      int64 // bytes of small files of such an entry
	crumbGroupMin int64
	crumbGroupMax int64

	// A group ends before one entry in so many, once it is large enough. That
	// depends on the entry alone: boundaries must not move with what comes
	// before them.
	groupEndOdds uint32

	// A window is the small files of a group that are brought in order by
	// likeness, so that their contents are in memory at the same time. A group
	// has more than one if it consists of one large entry; they follow the
	// order of paths, so that whoever reads a folder finds its files near each
	// other.
	windowBytes int64 // a window ends with the file that reaches so many,
	windowFiles int   // or with so many files
}

// layoutRules are those of every image; tests have smaller ones, too.
//
// Larger groups give more choice in bringing like files together, smaller ones
// keep changes smaller. Of 1.04 GB of small files, zstd 3 made 1.5 % less with
// groups of up to 16 MiB than in the order of paths, and 2.0 % with 32 MiB.
var layoutRules = rules{
	groupMin:      4 << 20,
	groupMax:      16 << 20,
	crumbMax:      64 << 10,
	crumbGroupMin: 1 << 20,
	crumbGroupMax: 4 << 20,
	groupEndOdds:  4,
	windowBytes:   16 << 20,
	windowFiles:   4096,
}

// class orders entries of different kinds.
type class int

const (
	ordinaryEntry class = iota
	crumbEntry          // few bytes of small files
	givenEntry          // contents from memory, new in every image
)

func (r *rules) limits(c class) (least, most int64) {
	if c == crumbEntry {
		return r.crumbGroupMin, r.crumbGroupMax
	}
	return r.groupMin, r.groupMax
}

// group is a run of root entries, in the order in which they are laid down.
type group struct {
	entries []int // indexes of root.children

	// Where the group is, once it is written.
	record groupRecord
}

// groups divides the root entries into groups. It depends on the entries' names
// and kin, and the sizes of their files.
func (t *Tree) groups(blockSize int) []*group {
	type candidate struct {
		index int
		class class
		small int64 // bytes in files smaller than a block
	}
	candidates := make([]candidate, len(t.entries))
	for i := range t.entries {
		c := candidate{index: i, small: t.root.children[i].smallBytes(blockSize)}
		switch {
		case t.entries[i].Path == "":
			c.class = givenEntry
		case c.small <= t.rules.crumbMax:
			c.class = crumbEntry
		}
		candidates[i] = c
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.class, b.class),
			cmp.Compare(t.entries[a.index].kin(), t.entries[b.index].kin()),
			cmp.Compare(a.index, b.index)) // entries are sorted by name
	})

	var groups []*group
	filled := int64(0) // bytes of small files in the last group
	for i, c := range candidates {
		least, most := t.rules.limits(c.class)
		if i == 0 || c.class != candidates[i-1].class || filled+c.small > most && filled > 0 ||
			filled >= least && t.rules.endsGroup(t.entries[c.index]) {
			groups = append(groups, &group{})
			filled = 0
		}
		g := groups[len(groups)-1]
		g.entries = append(g.entries, c.index)
		filled += c.small
	}
	return groups
}

// smallBytes is how much of what is at n and below ends up in fragment blocks.
func (n *node) smallBytes(blockSize int) int64 {
	var sum int64
	_ = n.visit(treePath{}, func(n *node, _ treePath) error {
		if n.size < uint64(blockSize) {
			sum += int64(n.size)
		}
		return nil
	})
	return sum
}

func (e Entry) kin() string { return cmp.Or(e.Kin, e.Name) }

// endsGroup says whether the group before e may end there.
func (r *rules) endsGroup(e Entry) bool {
	h := fnv.New32a()
	h.Write([]byte(e.kin()))
	return h.Sum32()%r.groupEndOdds == 0
}

// visitGroup calls f for every regular file of a group that is not empty,
// entry by entry, with its path in the image.
func (t *Tree) visitGroup(g *group, f func(n *node, at treePath) error) error {
	for _, i := range g.entries {
		if err := t.root.children[i].visit(t.top(i), f); err != nil {
			return err
		}
	}
	return nil
}
