package hybridiso

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// directoryRecord is the fixed part of a directory record (ECMA-119 §9.1). The
// identifier, a byte of padding to an even length, and the system use entries
// follow.
type directoryRecord struct {
	Length                        uint8
	ExtendedAttributeRecordLength uint8
	Location                      both32
	DataLength                    both32
	RecordingDate                 shortDate
	Flags                         uint8
	FileUnitSize                  uint8
	InterleaveGapSize             uint8
	VolumeSequenceNumber          both16
	IdentifierLength              uint8
}

const (
	directoryRecordLength = 33
	maxRecordLength       = 254 // the largest even number in one byte
	rootRecordLength      = directoryRecordLength + 1
)

// File flags (ECMA-119 §9.1.6).
const (
	flagDirectory   = 1 << 1
	flagAssociated  = 1 << 2
	flagMultiExtent = 1 << 7
)

// Identifiers of a directory's first two records (ECMA-119 §7.6.2).
const (
	selfIdentifier   = "\x00"
	parentIdentifier = "\x01"
)

// maxExtent is the length of a file section: the largest whole number of
// blocks in 32 bits. Larger files have several, which interchange level 3
// allows.
const maxExtent = math.MaxUint32 / blockSize * blockSize

// hierarchy is one directory hierarchy of a volume.
type hierarchy struct {
	names namespace
	stamp time.Time
	base  int64 // the block of the image that addresses count from

	directories []*directory // in the order of the path table; the root first

	pathTableSize int64
	pathTableL    int64 // block of the image
	pathTableM    int64 // block of the image
	continuation  continuations
}

// directory is a directory with its records in the order of identifiers.
type directory struct {
	node       *node
	identifier string
	parent     *directory // of the root, itself
	number     int        // in the path table, from 1
	records    []*record  // without the first two
	self, up   systemUse

	block int64 // of the image
}

// record stands for the directory records of one file or directory.
type record struct {
	node       *node
	key        string     // identifier without version, the sort key
	identifier string     // as recorded
	directory  *directory // nil for a file
	use        systemUse
}

// newHierarchy plans the records of root and of everything below it that is to
// be included.
func newHierarchy(root *node, names namespace, stamp time.Time, include func(*node) bool) (*hierarchy, error) {
	h := &hierarchy{names: names, stamp: stamp}
	top := &directory{node: root, identifier: selfIdentifier, number: 1}
	top.parent = top
	h.directories = []*directory{top}
	// Breadth first, siblings by identifier, is the order of the path table
	// (ECMA-119 §6.9.1).
	for i := 0; i < len(h.directories); i++ {
		dir := h.directories[i]
		h.fill(dir, include)
		for _, r := range dir.records {
			if r.directory != nil {
				h.directories = append(h.directories, r.directory)
				r.directory.number = len(h.directories)
			}
		}
	}
	if len(h.directories) > maxDirectories {
		return nil, fmt.Errorf("%d directories are more than the %d of a path table", len(h.directories), maxDirectories)
	}
	h.pathTableSize = int64(len(h.pathTable(binary.LittleEndian)))
	return h, nil
}

// fill makes the records of dir.
func (h *hierarchy) fill(dir *directory, include func(*node) bool) {
	var children []*node
	for _, child := range dir.node.children {
		if !include(child) || child.kind == symlinkNode && !h.names.rockRidge {
			continue
		}
		children = append(children, child)
	}
	if h.names.rockRidge {
		room := maxRecordLength - rootRecordLength
		dir.self = h.continuation.plan(selfEntries(dir.node, dir.parent == dir, h.stamp), room)
		dir.up = h.continuation.plan(attributeEntries(dir.parent.node, h.stamp), room)
	}
	for i, key := range h.names.identifiers(children) {
		r := &record{node: children[i], key: key, identifier: key}
		if r.node.kind == directoryNode {
			r.directory = &directory{node: r.node, identifier: key, parent: dir}
		} else {
			r.identifier += h.names.version
		}
		dir.records = append(dir.records, r)
	}
	// ECMA-119 §9.3. No character of an identifier sorts before the padding
	// that it prescribes, nor before the separators.
	slices.SortFunc(dir.records, func(a, b *record) int { return cmp.Compare(a.key, b.key) })
	if h.names.rockRidge {
		for _, r := range dir.records {
			room := maxRecordLength - evenLength(directoryRecordLength+len(r.identifier))
			r.use = h.continuation.plan(rockRidgeEntries(r.node, h.stamp), room)
		}
	}
}

// place gives the hierarchy its blocks, the first of them at block, and
// returns the first block behind. Directories get the space that they need
// with a stream of the largest size.
func (h *hierarchy) place(block, base int64, largest geometry) (int64, error) {
	h.base = base
	h.pathTableL = block
	h.pathTableM = h.pathTableL + blocksOf(h.pathTableSize)
	block = h.pathTableM + blocksOf(h.pathTableSize)
	for _, dir := range h.directories {
		length := dir.length(largest)
		if length > math.MaxUint32 {
			return 0, fmt.Errorf("directory %q needs %d bytes, more than 32 bits count", dir.node.path, length)
		}
		dir.block = block
		block += blocksOf(length)
	}
	h.continuation.block = block
	return block + blocksOf(h.continuation.size), nil
}

// length returns the number of bytes of the directory, whole blocks.
func (d *directory) length(g geometry) int64 {
	length := nextRecord(0, rootRecordLength+d.self.length())
	length = nextRecord(length, rootRecordLength+d.up.length())
	for _, r := range d.records {
		for range g.sections(r.node) {
			length = nextRecord(length, r.length())
		}
	}
	return alignUp(length, blockSize)
}

// nextRecord returns the end of a record of the given length that follows at
// offset. Records do not cross blocks (ECMA-119 §6.8.1.1).
func nextRecord(offset int64, length int) int64 {
	length = evenLength(length)
	if blockSize-offset%blockSize < int64(length) {
		offset = alignUp(offset, blockSize)
	}
	return offset + int64(length)
}

func (r *record) length() int {
	return evenLength(directoryRecordLength+len(r.identifier)) + r.use.length()
}

func evenLength(n int) int { return n + n%2 }

// render returns the bytes of the directory.
func (h *hierarchy) render(d *directory, g geometry) []byte {
	buf := make([]byte, d.length(g))
	end := int64(0)
	add := func(identifier string, flags uint8, e extent, use systemUse) {
		rec := h.encode(identifier, flags, e, use.render(&h.continuation, h.base))
		end = nextRecord(end, len(rec))
		copy(buf[end-int64(len(rec)):], rec)
	}
	add(selfIdentifier, flagDirectory, d.extent(g), d.self)
	add(parentIdentifier, flagDirectory, d.parent.extent(g), d.up)
	for _, r := range d.records {
		if r.directory != nil {
			add(r.identifier, flagDirectory, r.directory.extent(g), r.use)
			continue
		}
		sections := g.sections(r.node)
		for i, section := range sections {
			flags := uint8(0)
			if i < len(sections)-1 {
				flags = flagMultiExtent
			}
			// Linux takes the name from the last section when it lists and
			// from the first when it looks up, so each has all entries.
			add(r.identifier, flags, section, r.use)
		}
	}
	return buf
}

// extent returns where the directory is recorded.
func (d *directory) extent(g geometry) extent { return extent{d.block, d.length(g)} }

// encode returns the bytes of one directory record, of even length.
func (h *hierarchy) encode(identifier string, flags uint8, e extent, systemUse []byte) []byte {
	fixed := evenLength(directoryRecordLength + len(identifier))
	rec := make([]byte, evenLength(fixed+len(systemUse)))
	n := copy(rec, encode(directoryRecord{
		Length:               uint8(len(rec)),
		Location:             newBoth32(uint32(e.block - h.base)),
		DataLength:           newBoth32(uint32(e.size)),
		RecordingDate:        newShortDate(h.stamp),
		Flags:                flags,
		VolumeSequenceNumber: newBoth16(1),
		IdentifierLength:     uint8(len(identifier)),
	}))
	copy(rec[n:], identifier)
	copy(rec[fixed:], systemUse)
	return rec
}

// rootRecord returns the record of the root for the volume descriptor.
func (h *hierarchy) rootRecord(g geometry) []byte {
	return h.encode(selfIdentifier, flagDirectory, h.directories[0].extent(g), nil)
}
