package squashfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Behind the image proper, at the next multiple of padding, lies a record of
// how it was made. Other readers see bytes behind the end of the image, which
// they ignore. It has a recordHeader, the encoder's identity, a groupRecord for
// each group that takes room, and a SHA-256 of all that.
//
// The record lets a later image take over groups whole, see [Earlier].

// layoutGeneration counts the changes to the rules by which files are laid
// down. It has to grow with every change that gives the same tree other bytes.
const layoutGeneration = 3

// recordMagic begins a record.
var recordMagic = [8]byte{'L', 'A', 'I', 'D', 'D', 'O', 'W', 'N'}

// recordHeader is the first part of a record.
type recordHeader struct {
	Magic        [8]byte
	Generation   uint32            // layoutGeneration
	IdentitySize uint32            // bytes of the encoder's identity, codec.Codec.Identity
	Groups       uint32            // groupRecords
	Unused       uint32            // 0
	Head         [sha256.Size]byte // SHA-256 of the superblock and the compressor options
	Tables       [sha256.Size]byte // SHA-256 from the inode table to the end of the image
}

// groupRecord is one group. Positions are from the start of the image, in
// bytes.
type groupRecord struct {
	Key           [sha256.Size]byte // what it holds, groupKey
	Sum           [sha256.Size]byte // SHA-256 of its bytes
	Start         uint64            // a multiple of padding
	Size          uint64            // a multiple of padding, not 0
	FirstFragment uint32            // number of its first fragment block
	Fragments     uint32            // fragment blocks
}

const (
	recordIdentityMax = 4096    // bytes
	recordGroupsMax   = 1 << 20 // above any image that fits on a disk: groups begin at multiples of padding, but hold megabytes
)

var (
	recordHeaderSize = binary.Size(recordHeader{})
	groupRecordSize  = binary.Size(groupRecord{})
)

// record is what a record says.
type record struct {
	identity     string
	generation   uint32
	head, tables [sha256.Size]byte
	groups       []groupRecord // in the order of the image
	sum          [sha256.Size]byte
}

// encode returns the record as it is in the image, and notes its sum.
func (rec *record) encode() ([]byte, error) {
	p, err := binary.Append(nil, binary.LittleEndian, recordHeader{
		Magic:        recordMagic,
		Generation:   rec.generation,
		IdentitySize: uint32(len(rec.identity)),
		Groups:       uint32(len(rec.groups)),
		Head:         rec.head,
		Tables:       rec.tables,
	})
	if err != nil {
		return nil, err
	}
	p = append(p, rec.identity...)
	if p, err = binary.Append(p, binary.LittleEndian, rec.groups); err != nil {
		return nil, err
	}
	rec.sum = sha256.Sum256(p)
	return append(p, rec.sum[:]...), nil
}

// recordSizeMax is the most that the record of an image with so many groups
// takes, padded.
func recordSizeMax(groups int) int64 {
	return alignUp(int64(recordHeaderSize + recordIdentityMax + groups*groupRecordSize + sha256.Size))
}

// ErrNoRecord says that an image has no record of how it was made: it was not
// written by this package.
var ErrNoRecord = errors.New("no record of how the image was made")

// readRecord reads the record behind the image of r in a source of size bytes.
func (r *Reader) readRecord(size int64) (*record, error) {
	src := io.NewSectionReader(r.src, alignUp(int64(r.sb.BytesUsed)), size)
	var h recordHeader
	head := make([]byte, recordHeaderSize)
	if _, err := io.ReadFull(src, head); err != nil {
		return nil, ErrNoRecord
	}
	if _, err := binary.Decode(head, binary.LittleEndian, &h); err != nil {
		return nil, err
	}
	switch {
	case h.Magic != recordMagic:
		return nil, ErrNoRecord
	case h.IdentitySize > recordIdentityMax || h.Groups > recordGroupsMax:
		return nil, fmt.Errorf("record of %d groups and %d bytes of identity", h.Groups, h.IdentitySize)
	}
	// The buffer grows with what is there, not with what the header claims.
	var rest bytes.Buffer
	length := int64(h.IdentitySize) + int64(h.Groups)*int64(groupRecordSize) + sha256.Size
	if n, err := io.CopyN(&rest, src, length); err != nil {
		return nil, fmt.Errorf("record is cut off after %d of %d bytes: %w", n, length, err)
	}
	rec := &record{generation: h.Generation, head: h.Head, tables: h.Tables, groups: make([]groupRecord, h.Groups)}
	hash := sha256.New()
	hash.Write(head)
	hash.Write(rest.Bytes()[:rest.Len()-sha256.Size])
	rec.sum = [sha256.Size]byte(hash.Sum(nil))
	if !bytes.HasSuffix(rest.Bytes(), rec.sum[:]) {
		return nil, errors.New("record is damaged")
	}
	rec.identity = string(rest.Next(int(h.IdentitySize)))
	if _, err := binary.Decode(rest.Next(int(h.Groups)*groupRecordSize), binary.LittleEndian, rec.groups); err != nil {
		return nil, err
	}
	return rec, rec.check(r)
}

// check holds the groups against the image: they lie in its data, one behind
// the other, and their fragment blocks are in its table.
func (rec *record) check(r *Reader) error {
	end, fragment := r.data.start, uint32(0)
	for i, g := range rec.groups {
		switch {
		case g.Start%disk.Padding != 0 || g.Size%disk.Padding != 0 || g.Size == 0:
			return fmt.Errorf("record: group %d has %d bytes at %d", i, g.Size, g.Start)
		case g.Start < end || g.Start > r.data.end || g.Size > r.data.end-g.Start:
			return fmt.Errorf("record: group %d has %d bytes at %d, there is room from %d to %d", i, g.Size, g.Start, end, r.data.end)
		case g.FirstFragment != fragment || g.Fragments > r.sb.Fragments-fragment:
			return fmt.Errorf("record: group %d has %d fragments from %d, the image has %d", i, g.Fragments, g.FirstFragment, r.sb.Fragments)
		}
		end, fragment = g.Start+g.Size, fragment+g.Fragments
	}
	return nil
}

// groupKey identifies what a group holds, provided that entries of the same
// name are the same: their names, and which files are stored in it.
func groupKey(t *Tree, g *group) (key [sha256.Size]byte) {
	h := sha256.New()
	for _, i := range g.entries {
		h.Write([]byte(t.entries[i].Name))
		h.Write([]byte{0}) // which no name contains
		stored := []byte{}
		_ = t.root.children[i].visit(treePath{}, func(n *node, _ treePath) error {
			if n.content != nil && n.content.owner == n {
				stored = append(stored, 'x')
			} else {
				stored = append(stored, '-')
			}
			return nil
		})
		h.Write(stored)
		h.Write([]byte{0})
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// alignUp rounds n up to a multiple of padding.
func alignUp(n int64) int64 {
	if n > math.MaxInt64-disk.Padding {
		return n
	}
	return (n + disk.Padding - 1) / disk.Padding * disk.Padding
}
