package pack

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sort"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Earlier is an image that was packed by the same rules.
type Earlier struct {
	image    io.ReaderAt
	groups   []disk.GroupRecord
	whole    []bool
	byKey    map[[sha256.Size]byte]*disk.GroupRecord
	fragment func(number uint32) (disk.FragmentEntry, error)
}

// NewEarlier returns the image whose groups lie, in this order, in image. Those are
// whole whose bytes are what they were, the others are not taken. The function
// returns an entry of the image's fragment table, for a block that is in its data.
func NewEarlier(image io.ReaderAt, groups []disk.GroupRecord, whole []bool, fragment func(uint32) (disk.FragmentEntry, error)) *Earlier {
	e := &Earlier{image: image, groups: groups, whole: whole, byKey: make(map[[sha256.Size]byte]*disk.GroupRecord), fragment: fragment}
	for i := range groups {
		if whole[i] {
			e.byKey[groups[i].Key] = &groups[i]
		}
	}
	return e
}

// sameGroup returns the group that has the bytes of g, or nil. Whose contents all
// files of g have is decided.
func (e *Earlier) sameGroup(g *Group, p *places) *disk.GroupRecord {
	if e == nil {
		return nil
	}
	for _, entry := range g.Entries {
		if !entry.Kept {
			return nil
		}
	}
	old := e.byKey[g.key(p)]
	if old == nil {
		return nil
	}
	// The key says that it is so, but the record may lie.
	for f := range g.files() {
		if p.owns(f.Number) && !old.Contains(f.Kept) {
			return nil
		}
	}
	return old
}

// hasFile says whether the blocks of a file can be taken from the image.
func (e *Earlier) hasFile(f *File) bool {
	if e == nil || f.Kept == nil || f.Kept.Fragment != disk.InvalidFragment {
		return false
	}
	i := sort.Search(len(e.groups), func(i int) bool {
		return e.groups[i].Start+e.groups[i].Size > f.Kept.Start
	})
	return i < len(e.groups) && e.whole[i] && e.groups[i].Contains(f.Kept)
}

// fragmentOf returns an entry of the fragment table, if its block lies in g.
func (e *Earlier) fragmentOf(g *disk.GroupRecord, number uint32) (disk.FragmentEntry, error) {
	f, err := e.fragment(number)
	if err == nil && !g.Covers(f.StartBlock, uint64(f.Size&^disk.DataStored)) {
		err = fmt.Errorf("fragment %d of the earlier image is not in its group", number)
	}
	return f, err
}
