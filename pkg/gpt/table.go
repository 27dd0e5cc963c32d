package gpt

import (
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// Table is a GUID partition table: what both copies of it say.
type Table struct {
	SectorSize int   // in bytes; 0 for 512
	Sectors    int64 // of the disk
	Disk       GUID

	// FirstUsable and LastUsable are the sectors that partitions may use, with
	// both ends. 0 stands for the first one behind the primary copy, and the
	// last one before the backup.
	FirstUsable, LastUsable int64

	// Entries is the number of partitions that there is room for, 0 for 128;
	// EntrySize the bytes that each takes, 0 for 128. EntriesAt is the sector
	// where the primary copy's begin, 0 for 2.
	Entries   int
	EntrySize int
	EntriesAt int64

	Partitions []Partition // in the order of their numbers
}

// Partition is an entry of a GPT (UEFI 2.10 §5.3.3).
type Partition struct {
	Number     int // from 1; 0 for the one after the partition before
	Type       GUID
	ID         GUID
	Start      int64 // first sector
	Sectors    int64 // length
	Attributes uint64
	Name       string // at most 36 units of UTF-16
}

// End returns the first sector behind the partition.
func (p Partition) End() int64 { return p.Start + p.Sectors }

// Attributes of a partition: UEFI 2.10 table 5.8, and those of the types that
// Linux and Windows share.
const (
	Required        = 1 << 0
	NoBlockIO       = 1 << 1
	LegacyBoot      = 1 << 2
	ReadOnly        = 1 << 60
	NoAutomount     = 1 << 63
	primaryHeaderAt = 1
	usualEntriesAt  = 2
)

// Copy is one of the two copies of a table, as bytes.
type Copy struct {
	Header    []byte // one sector
	HeaderAt  int64  // where it belongs
	Entries   []byte // whole sectors
	EntriesAt int64
}

// header is the GPT header (UEFI 2.10 §5.3.2).
type header struct {
	Signature   [8]byte
	Revision    uint32
	HeaderSize  uint32
	HeaderCRC32 uint32
	_           uint32
	My          uint64 // sectors from here on
	Alternate   uint64
	FirstUsable uint64
	LastUsable  uint64
	Disk        GUID
	EntriesAt   uint64
	Entries     uint32 // number
	EntrySize   uint32
	EntriesCRC  uint32
}

// entry is a partition entry (UEFI 2.10 §5.3.3).
type entry struct {
	Type       GUID
	ID         GUID
	First      uint64
	Last       uint64 // inclusive
	Attributes uint64
	Name       [36]uint16
}

const (
	revision       = 0x00010000
	headerSize     = 92
	entrySize      = 128
	usualEntries   = 128
	usualSector    = 512
	maxSector      = 4096
	maxEntriesSize = 1 << 20 // bytes; the usual ones take 16 KiB
)

var signature = [8]byte([]byte("EFI PART"))

// Encode returns both copies. The error says what the table cannot record.
func (t Table) Encode() (primary, backup Copy, err error) {
	if t, err = t.complete(); err != nil {
		return Copy{}, Copy{}, fmt.Errorf("GPT: %w", err)
	}
	entries, err := t.entries()
	if err != nil {
		return Copy{}, Copy{}, fmt.Errorf("GPT: %w", err)
	}
	last := t.Sectors - 1
	primary = Copy{HeaderAt: primaryHeaderAt, Entries: entries, EntriesAt: t.EntriesAt}
	backup = Copy{HeaderAt: last, Entries: entries, EntriesAt: last - t.entrySectors()}
	primary.Header = t.header(primary, last)
	backup.Header = t.header(backup, primaryHeaderAt)
	return primary, backup, nil
}

// Write writes both copies, but no MBR, to the disk that w is. The backup comes
// first, so that one of the copies is whole at any time.
func (t Table) Write(w io.WriterAt) error {
	primary, backup, err := t.Encode()
	if err != nil {
		return err
	}
	size := int64(len(primary.Header))
	for _, c := range []Copy{backup, primary} {
		if _, err := w.WriteAt(c.Entries, c.EntriesAt*size); err != nil {
			return fmt.Errorf("writing GPT: %w", err)
		}
		if _, err := w.WriteAt(c.Header, c.HeaderAt*size); err != nil {
			return fmt.Errorf("writing GPT: %w", err)
		}
	}
	return nil
}

// complete fills in what is left out, and checks the rest.
func (t Table) complete() (Table, error) {
	orElse(&t.SectorSize, usualSector)
	orElse(&t.Entries, usualEntries)
	orElse(&t.EntrySize, entrySize)
	orElse(&t.EntriesAt, usualEntriesAt)
	switch size := t.SectorSize; {
	case size < usualSector || size > maxSector || size&(size-1) != 0:
		return t, fmt.Errorf("sectors of %d bytes", size)
	case t.EntrySize < entrySize || t.EntrySize > maxSector || t.EntrySize&(t.EntrySize-1) != 0:
		return t, fmt.Errorf("entries of %d bytes, expected %d times a power of two", t.EntrySize, entrySize)
	case t.Entries < 1 || t.Entries > maxEntriesSize/t.EntrySize:
		return t, fmt.Errorf("room for %d partitions", t.Entries)
	case t.EntriesAt < usualEntriesAt || t.EntriesAt > maxSectors:
		return t, fmt.Errorf("entries at sector %d", t.EntriesAt)
	case t.Sectors < 0 || t.Sectors > maxSectors:
		return t, fmt.Errorf("disk of %d sectors", t.Sectors)
	}
	first, last := t.EntriesAt+t.entrySectors(), t.Sectors-2-t.entrySectors()
	orElse(&t.FirstUsable, first)
	orElse(&t.LastUsable, last)
	// The entries may lie behind the header with something in between, but not
	// behind where partitions begin.
	if t.FirstUsable < first || t.LastUsable > last || t.FirstUsable > t.LastUsable {
		return t, fmt.Errorf("sectors %d to %d for partitions on a disk of %d", t.FirstUsable, t.LastUsable, t.Sectors)
	}
	return t, nil
}

func orElse[T int | int64](value *T, usual T) {
	if *value == 0 {
		*value = usual
	}
}

// maxSectors keeps every offset in bytes within 63 bits.
const maxSectors = (1<<63 - 1) / maxSector

func (t Table) entrySectors() int64 {
	return (int64(t.Entries)*int64(t.EntrySize) + int64(t.SectorSize) - 1) / int64(t.SectorSize)
}

// entries returns the entries of a complete table.
func (t Table) entries() ([]byte, error) {
	all := make([]byte, t.entrySectors()*int64(t.SectorSize))
	number := 0
	for i, p := range t.Partitions {
		if p.Number == 0 {
			p.Number = number + 1
		}
		if p.Number <= number || p.Number > t.Entries {
			return nil, fmt.Errorf("partition %d after partition %d, in a table of %d", p.Number, number, t.Entries)
		}
		number = p.Number
		if p.Type == (GUID{}) || p.ID == (GUID{}) {
			return nil, fmt.Errorf("partition %d lacks a type or an identifier", number)
		}
		if p.Sectors < 1 || p.Start < t.FirstUsable || p.Sectors > t.LastUsable-p.Start+1 {
			return nil, fmt.Errorf("partition %d: %d sectors from %d are not among %d to %d", number, p.Sectors, p.Start, t.FirstUsable, t.LastUsable)
		}
		for _, q := range t.Partitions[:i] {
			if p.Start < q.End() && q.Start < p.End() {
				return nil, fmt.Errorf("partition %d overlaps the one at sector %d", number, q.Start)
			}
		}
		e := entry{Type: p.Type, ID: p.ID, First: uint64(p.Start), Last: uint64(p.End() - 1), Attributes: p.Attributes}
		name := utf16.Encode([]rune(p.Name))
		if len(name) > len(e.Name) {
			return nil, fmt.Errorf("partition %d: the name %q is longer than %d", number, p.Name, len(e.Name))
		}
		copy(e.Name[:], name)
		copy(all[(number-1)*t.EntrySize:], encode(e))
	}
	return all, nil
}

// header returns the header of a copy, whose twin has its own at alternate.
func (t Table) header(c Copy, alternate int64) []byte {
	h := header{
		Signature:   signature,
		Revision:    revision,
		HeaderSize:  headerSize,
		My:          uint64(c.HeaderAt),
		Alternate:   uint64(alternate),
		FirstUsable: uint64(t.FirstUsable),
		LastUsable:  uint64(t.LastUsable),
		Disk:        t.Disk,
		EntriesAt:   uint64(c.EntriesAt),
		Entries:     uint32(t.Entries),
		EntrySize:   uint32(t.EntrySize),
		EntriesCRC:  crc32.ChecksumIEEE(c.Entries[:t.Entries*t.EntrySize]),
	}
	h.HeaderCRC32 = crc32.ChecksumIEEE(encode(h))
	return append(encode(h), make([]byte, t.SectorSize-headerSize)...)
}
