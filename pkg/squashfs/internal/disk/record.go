package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Behind the image proper, at the next multiple of Padding, lies a record of
// how it was made. Other readers see bytes behind the end of the image, which
// they ignore. It has a recordHeader, the encoder's identity, a GroupRecord for
// each group that takes room, and a SHA-256 of all that.
//
// The record lets a later image take over groups whole.

// recordMagic begins a record.
var recordMagic = [8]byte{'L', 'A', 'I', 'D', 'D', 'O', 'W', 'N'}

// recordHeader is the first part of a record.
type recordHeader struct {
	Magic        [8]byte
	Generation   uint32            // Record.Generation
	IdentitySize uint32            // bytes of Record.Identity
	Groups       uint32            // GroupRecords
	Unused       uint32            // 0
	Head         [sha256.Size]byte // Record.Head
	Tables       [sha256.Size]byte // Record.Tables
}

// GroupRecord is a group: entries of the root directory that were laid down
// together. Positions are from the start of the image, in bytes.
type GroupRecord struct {
	Key           [sha256.Size]byte // what it holds
	Sum           [sha256.Size]byte // SHA-256 of its bytes
	Start         uint64            // a multiple of Padding
	Size          uint64            // a multiple of Padding, not 0
	FirstFragment uint32            // number of its first fragment block
	Fragments     uint32            // fragment blocks
}

// Contains says whether all of a file lies in the group.
func (g *GroupRecord) Contains(l *Location) bool {
	if size := l.BlockBytes(); size > 0 && !g.Covers(l.Start, size) {
		return false
	}
	return l.Fragment == InvalidFragment || l.Fragment >= g.FirstFragment && l.Fragment-g.FirstFragment < g.Fragments
}

// Covers says whether size bytes at start are in the group.
func (g *GroupRecord) Covers(start, size uint64) bool {
	return start >= g.Start && start-g.Start <= g.Size && size <= g.Size-(start-g.Start)
}

const (
	recordIdentityMax = 4096    // bytes
	recordGroupsMax   = 1 << 20 // above any image that fits on a disk: groups begin at multiples of Padding, but hold megabytes
)

// Sizes on disk.
var (
	RecordHeaderSize = binary.Size(recordHeader{})
	GroupRecordSize  = binary.Size(GroupRecord{})
)

// Record is what a record says.
type Record struct {
	Identity   string            // of the encoder, codec.Codec.Identity
	Generation uint32            // of the rules by which files were laid down
	Head       [sha256.Size]byte // SHA-256 of the superblock and the compressor options
	Tables     [sha256.Size]byte // SHA-256 from the inode table to the end of the image
	Groups     []GroupRecord     // in the order of the image
	Sum        [sha256.Size]byte // SHA-256 of all that as it is in the image
}

// Encode returns the record as it is in the image, and notes its sum.
func (rec *Record) Encode() ([]byte, error) {
	p, err := binary.Append(nil, binary.LittleEndian, recordHeader{
		Magic:        recordMagic,
		Generation:   rec.Generation,
		IdentitySize: uint32(len(rec.Identity)),
		Groups:       uint32(len(rec.Groups)),
		Head:         rec.Head,
		Tables:       rec.Tables,
	})
	if err != nil {
		return nil, err
	}
	p = append(p, rec.Identity...)
	if p, err = binary.Append(p, binary.LittleEndian, rec.Groups); err != nil {
		return nil, err
	}
	rec.Sum = sha256.Sum256(p)
	return append(p, rec.Sum[:]...), nil
}

// RecordSizeMax is the most that the record of an image with so many groups
// takes, padded.
func RecordSizeMax(groups int) int64 {
	return AlignUp(int64(RecordHeaderSize + recordIdentityMax + groups*GroupRecordSize + sha256.Size))
}

// ErrNoRecord says that an image has no record.
var ErrNoRecord = errors.New("no record of how the image was made")

// ReadRecord reads the record behind the image of used bytes in a source of size
// bytes. Its error is ErrNoRecord if there is none.
func ReadRecord(src io.ReaderAt, used, size int64) (*Record, error) {
	section := io.NewSectionReader(src, AlignUp(used), size)
	var h recordHeader
	head := make([]byte, RecordHeaderSize)
	if _, err := io.ReadFull(section, head); err != nil {
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
	length := int64(h.IdentitySize) + int64(h.Groups)*int64(GroupRecordSize) + sha256.Size
	if n, err := io.CopyN(&rest, section, length); err != nil {
		return nil, fmt.Errorf("record is cut off after %d of %d bytes: %w", n, length, err)
	}
	rec := &Record{Generation: h.Generation, Head: h.Head, Tables: h.Tables, Groups: make([]GroupRecord, h.Groups)}
	hash := sha256.New()
	hash.Write(head)
	hash.Write(rest.Bytes()[:rest.Len()-sha256.Size])
	rec.Sum = [sha256.Size]byte(hash.Sum(nil))
	if !bytes.HasSuffix(rest.Bytes(), rec.Sum[:]) {
		return nil, errors.New("record is damaged")
	}
	rec.Identity = string(rest.Next(int(h.IdentitySize)))
	_, err := binary.Decode(rest.Next(int(h.Groups)*GroupRecordSize), binary.LittleEndian, rec.Groups)
	return rec, err
}

// Check holds the groups against the image: they lie in its data, from start to
// end, one behind the other, and their fragment blocks are in its table.
func (rec *Record) Check(start, end uint64, fragments uint32) error {
	at, fragment := start, uint32(0)
	for i, g := range rec.Groups {
		switch {
		case g.Start%Padding != 0 || g.Size%Padding != 0 || g.Size == 0:
			return fmt.Errorf("record: group %d has %d bytes at %d", i, g.Size, g.Start)
		case g.Start < at || g.Start > end || g.Size > end-g.Start:
			return fmt.Errorf("record: group %d has %d bytes at %d, there is room from %d to %d", i, g.Size, g.Start, at, end)
		case g.FirstFragment != fragment || g.Fragments > fragments-fragment:
			return fmt.Errorf("record: group %d has %d fragments from %d, the image has %d", i, g.Fragments, g.FirstFragment, fragments)
		}
		at, fragment = g.Start+g.Size, fragment+g.Fragments
	}
	return nil
}
