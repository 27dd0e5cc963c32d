package gpt

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// Disk is what the tables of a disk say.
type Disk struct {
	// SectorSize in bytes is where the GPT's headers tell it by their places,
	// else 512.
	SectorSize int

	// MBR is nil if sector 0 does not end with 55 AA.
	MBR *MBR

	// Primary and Backup are the copies of the GPT, nil if there is none or it
	// is not believed; Findings tells which.
	Primary, Backup *Table

	// Signed reports whether something in sector 1 calls itself a GPT.
	Signed bool

	// Findings are what is wrong, in the order of the disk's structures.
	Findings []Finding
}

// Finding is something wrong with a table.
type Finding struct {
	Structure string // "MBR", "primary GPT" or "backup GPT"
	Offset    int64  // of what is wrong, in bytes
	Text      string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s at byte %d: %s", f.Structure, f.Offset, f.Text)
}

// UnknownSize is the size of a disk that is not known.
const UnknownSize = -1

// sectorSizes are those that a header is looked for behind the first sector of:
// disks', and optical discs' of 2048 bytes, for firmware reads the tables of discs
// in those units.
var sectorSizes = []int{512, 4096, 2048, 1024}

// Read reads the tables of a disk of that size in bytes, or of [UnknownSize], when the
// backup is looked for only where the primary copy says. Whatever is wrong with
// them is no error: the error is r's.
func Read(r io.ReaderAt, size int64) (*Disk, error) {
	d := &Disk{SectorSize: usualSector}
	sector := make([]byte, maxSector)
	n, err := readUpTo(r, sector, 0)
	if err != nil {
		return nil, fmt.Errorf("reading MBR: %w", err)
	}
	if mbr, ok := ParseMBR(sector[:n]); ok {
		d.MBR = &mbr
	}
	if err := d.readGPT(r, size); err != nil {
		return nil, fmt.Errorf("reading GPT: %w", err)
	}
	return d, nil
}

// readGPT reads both copies.
func (d *Disk) readGPT(r io.ReaderAt, size int64) (err error) {
	if err := d.findPrimary(r); err != nil {
		return err
	}
	backupAt := int64(-1)
	if d.Signed {
		p := copyReader{disk: d, structure: "primary GPT", size: size, alternate: -1}
		if d.Primary, err = p.read(r, primaryHeaderAt); err != nil {
			return err
		}
		if backupAt = p.alternate; backupAt < 0 && size >= 0 {
			backupAt = size/int64(d.SectorSize) - 1
		}
	} else if size >= 0 {
		if backupAt, err = d.findBackup(r, size); err != nil {
			return err
		}
	}
	if backupAt <= primaryHeaderAt {
		return nil
	}
	b := copyReader{disk: d, structure: "backup GPT", size: size}
	if d.Backup, err = b.read(r, backupAt); err != nil {
		return err
	}
	d.compare(backupAt)
	return nil
}

// GPT returns the table that counts, which is the primary copy if it is believed,
// else the backup. It is nil if neither is, or if no entry of the MBR announces a GPT.
func (d *Disk) GPT() *Table {
	switch {
	case d.MBR == nil || !d.MBR.Protects():
		return nil
	case d.Primary != nil:
		return d.Primary
	}
	return d.Backup
}

// findPrimary looks for the header of the primary copy, whose place tells the
// size of the sectors. One that knows its place is preferred: at the other places may
// be whatever an image of another sector size has there.
func (d *Disk) findPrimary(r io.ReaderAt) error {
	b := make([]byte, headerSize)
	for _, size := range sectorSizes {
		n, err := readUpTo(r, b, int64(size))
		if err != nil {
			return err
		}
		var h header
		if n < len(b) || !decode(b, &h) || h.Signature != signature {
			continue
		}
		known := h.My == primaryHeaderAt
		if known || !d.Signed {
			d.Signed, d.SectorSize = true, size
		}
		if known {
			break
		}
	}
	return nil
}

// findBackup looks for a header in the last sector, and returns that, or -1.
func (d *Disk) findBackup(r io.ReaderAt, disk int64) (int64, error) {
	b := make([]byte, len(signature))
	for _, size := range sectorSizes {
		at := disk/int64(size) - 1
		if at <= primaryHeaderAt {
			continue
		}
		if n, err := readUpTo(r, b, at*int64(size)); err != nil {
			return 0, err
		} else if n == len(b) && [8]byte(b) == signature {
			d.SectorSize = size
			return at, nil
		}
	}
	return -1, nil
}

// compare notes what the copies say differently.
func (d *Disk) compare(backupAt int64) {
	p, b := d.Primary, d.Backup
	if p == nil || b == nil {
		return
	}
	offset := backupAt * int64(d.SectorSize)
	if p.Disk != b.Disk {
		d.note("backup GPT", offset, "it is of another disk, %s instead of %s", b.Disk, p.Disk)
	} else if !samePartitions(p.Partitions, b.Partitions) {
		d.note("backup GPT", offset, "its partitions differ from the primary copy's")
	}
}

func samePartitions(a, b []Partition) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// maxFindings is how many are told of a disk: its tables may claim thousands of entries.
const maxFindings = 64

func (d *Disk) note(structure string, offset int64, format string, args ...any) {
	if len(d.Findings) >= maxFindings {
		return
	}
	d.Findings = append(d.Findings, Finding{structure, offset, fmt.Sprintf(format, args...)})
}

// copyReader reads one copy of a GPT.
type copyReader struct {
	disk      *Disk
	structure string
	size      int64 // of the disk in bytes, or UnknownSize

	// alternate is the sector of the other copy's header, as soon as this copy's
	// is believed.
	alternate int64
}

// read returns the copy whose header is in a sector, or nil if it is not believed.
func (c *copyReader) read(r io.ReaderAt, at int64) (*Table, error) {
	unit := int64(c.disk.SectorSize)
	if at > maxSectors {
		c.disk.note(c.structure, 0, "its header is said to be in sector %d", at)
		return nil, nil
	}
	sector := make([]byte, unit)
	n, err := readUpTo(r, sector, at*unit)
	if err != nil {
		return nil, err
	}
	h, reason := parseHeader(sector[:n], at)
	if reason == "" {
		reason = c.places(h)
	}
	if reason != "" {
		c.disk.note(c.structure, at*unit, "%s", reason)
		return nil, nil
	}
	c.alternate = int64(h.Alternate)
	entries := make([]byte, int64(h.Entries)*int64(h.EntrySize))
	offset := int64(h.EntriesAt) * unit
	if n, err = readUpTo(r, entries, offset); err != nil {
		return nil, err
	}
	if n < len(entries) {
		c.disk.note(c.structure, offset, "the entries are cut off")
		return nil, nil
	}
	if sum := crc32.ChecksumIEEE(entries); sum != h.EntriesCRC {
		c.disk.note(c.structure, offset, "the entries have the checksum %08x instead of %08x", sum, h.EntriesCRC)
		return nil, nil
	}
	table := &Table{
		SectorSize:  c.disk.SectorSize,
		Sectors:     max(at, c.alternate) + 1,
		Disk:        h.Disk,
		FirstUsable: int64(h.FirstUsable),
		LastUsable:  int64(h.LastUsable),
		Entries:     int(h.Entries),
		EntrySize:   int(h.EntrySize),
		EntriesAt:   int64(h.EntriesAt),
	}
	table.Partitions = c.partitions(table, entries, offset)
	return table, nil
}

// parseHeader checks what a header says about itself (UEFI 2.10 §5.3.2), and
// returns why it is not believed.
func parseHeader(sector []byte, at int64) (h header, reason string) {
	if !decode(sector, &h) {
		return h, "the disk ends before it"
	}
	if h.Signature != signature {
		return h, "there is no header"
	}
	if h.HeaderSize < headerSize || int64(h.HeaderSize) > int64(len(sector)) {
		return h, fmt.Sprintf("its header claims %d bytes", h.HeaderSize)
	}
	recorded := h.HeaderCRC32
	unsigned := append([]byte(nil), sector[:h.HeaderSize]...)
	clear(unsigned[16:20]) // HeaderCRC32
	if sum := crc32.ChecksumIEEE(unsigned); sum != recorded {
		return h, fmt.Sprintf("its header has the checksum %08x instead of %08x", sum, recorded)
	}
	if h.My != uint64(at) {
		return h, fmt.Sprintf("its header is in sector %d and claims %d", at, h.My)
	}
	return h, ""
}

// places checks where a header says that things are.
func (c *copyReader) places(h header) (reason string) {
	sectors := int64(maxSectors)
	if c.size >= 0 {
		sectors = c.size / int64(c.disk.SectorSize)
	}
	switch {
	case h.EntrySize < entrySize || h.EntrySize&(h.EntrySize-1) != 0:
		return fmt.Sprintf("its entries claim %d bytes each", h.EntrySize)
	case uint64(h.Entries)*uint64(h.EntrySize) > maxEntriesSize:
		return fmt.Sprintf("it claims %d entries of %d bytes, more than %d together", h.Entries, h.EntrySize, maxEntriesSize)
	case h.EntriesAt <= primaryHeaderAt || h.EntriesAt >= uint64(sectors):
		return fmt.Sprintf("its entries are said to be in sector %d", h.EntriesAt)
	case h.FirstUsable > h.LastUsable || h.LastUsable >= maxSectors:
		return fmt.Sprintf("sectors %d to %d are said to be for partitions", h.FirstUsable, h.LastUsable)
	case h.Alternate >= maxSectors:
		return fmt.Sprintf("its other copy is said to be in sector %d", h.Alternate)
	}
	return ""
}

// partitions returns those of the entries that lie somewhere.
func (c *copyReader) partitions(t *Table, entries []byte, offset int64) (all []Partition) {
	for i := range t.Entries {
		at := i * t.EntrySize
		var e entry
		decode(entries[at:], &e)
		if e.Type == (GUID{}) {
			continue
		}
		if e.Last < e.First || e.Last >= maxSectors {
			c.disk.note(c.structure, offset+int64(at), "partition %d has the sectors %d to %d", i+1, e.First, e.Last)
			continue
		}
		p := Partition{
			Number: i + 1, Type: e.Type, ID: e.ID, Attributes: e.Attributes, Name: nameText(e.Name[:]),
			Start: int64(e.First), Sectors: int64(e.Last - e.First + 1),
		}
		if p.Start < t.FirstUsable || p.End()-1 > t.LastUsable {
			c.disk.note(c.structure, offset+int64(at), "partition %d has the sectors %d to %d, of which %d to %d are for partitions",
				p.Number, e.First, e.Last, t.FirstUsable, t.LastUsable)
		}
		if q, ok := overlapping(all, p); ok {
			c.disk.note(c.structure, offset+int64(at), "partition %d overlaps partition %d", p.Number, q.Number)
		}
		all = append(all, p)
	}
	return all
}

// overlapping returns the first of the partitions that p overlaps.
func overlapping(all []Partition, p Partition) (Partition, bool) {
	for _, q := range all {
		if p.Start < q.End() && q.Start < p.End() {
			return q, true
		}
	}
	return Partition{}, false
}

// nameText returns a name up to its first NUL.
func nameText(units []uint16) string {
	s, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return s
}

// readUpTo reads into b what there is of it.
func readUpTo(r io.ReaderAt, b []byte, offset int64) (int, error) {
	n, err := r.ReadAt(b, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, nil
}
