package disk

import "fmt"

// IDs numbers user and group IDs.
type IDs struct {
	List    []uint32
	indexes map[uint32]uint16
}

// NewIDs returns an empty table.
func NewIDs() *IDs { return &IDs{indexes: make(map[uint32]uint16)} }

// idsMax is how many IDs the superblock can count.
const idsMax = 1<<16 - 1

// Index returns the number of an ID, which is a new one if need be.
func (t *IDs) Index(id uint32) (uint16, error) {
	if i, ok := t.indexes[id]; ok {
		return i, nil
	}
	if len(t.List) == idsMax {
		return 0, fmt.Errorf("more than %d user and group IDs", idsMax)
	}
	i := uint16(len(t.List))
	t.List = append(t.List, id)
	t.indexes[id] = i
	return i, nil
}
