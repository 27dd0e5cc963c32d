package hybridiso

import (
	"hash/crc32"
	"unicode/utf16"
)

// gptHeader is the GPT header (UEFI 2.10 §5.3.2).
type gptHeader struct {
	Signature                [8]byte
	Revision                 uint32
	HeaderSize               uint32
	HeaderCRC32              uint32
	_                        uint32
	MyLBA                    uint64
	AlternateLBA             uint64
	FirstUsableLBA           uint64
	LastUsableLBA            uint64
	DiskGUID                 guid
	PartitionEntryLBA        uint64
	NumberOfPartitionEntries uint32
	SizeOfPartitionEntry     uint32
	PartitionEntriesCRC32    uint32
}

// gptEntry is a GPT partition entry (UEFI 2.10 §5.3.3).
type gptEntry struct {
	PartitionTypeGUID   guid
	UniquePartitionGUID guid
	StartingLBA         uint64
	EndingLBA           uint64 // inclusive
	Attributes          uint64
	PartitionName       [36]uint16
}

const (
	gptRevision    = 0x00010000
	gptHeaderSize  = 92
	gptHeaderLBA   = 1
	gptEntriesLBA  = 2
	gptEntryCount  = 128
	gptEntrySize   = 128
	gptEntrySector = gptEntryCount * gptEntrySize / sectorSize

	// backupSectors is the length of the backup: entries, then header.
	backupSectors = gptEntrySector + 1

	// Attributes: UEFI 2.10 table 5.8, and the bits of the type that Linux
	// and Windows share.
	attributeLegacyBoot  = 1 << 2
	attributeReadOnly    = 1 << 60
	attributeNoAutomount = 1 << 63
)

var gptSignature = [8]byte([]byte("EFI PART"))

// primaryGPT returns the header and entries that follow the MBR.
func (l *Layout) primaryGPT(g geometry) []byte {
	entries := l.gptEntries(g)
	sector := make([]byte, sectorSize)
	copy(sector, l.gptHeader(g, entries, gptHeaderLBA, g.sectors()-1, gptEntriesLBA))
	return append(sector, entries...)
}

// backupGPT returns the entries and header that end the image.
func (l *Layout) backupGPT(g geometry) []byte {
	entries := l.gptEntries(g)
	sector := make([]byte, sectorSize)
	copy(sector, l.gptHeader(g, entries, g.sectors()-1, gptHeaderLBA, g.sectors()-backupSectors))
	return append(entries, sector...)
}

// gptHeader returns the header at sector my, whose twin is at alternate.
func (l *Layout) gptHeader(g geometry, entries []byte, my, alternate, entriesLBA int64) []byte {
	header := gptHeader{
		Signature:                gptSignature,
		Revision:                 gptRevision,
		HeaderSize:               gptHeaderSize,
		MyLBA:                    uint64(my),
		AlternateLBA:             uint64(alternate),
		FirstUsableLBA:           gptEntriesLBA + gptEntrySector,
		LastUsableLBA:            uint64(g.sectors() - backupSectors - 1),
		DiskGUID:                 deriveGUID(l.image.Seed, "disk"),
		PartitionEntryLBA:        uint64(entriesLBA),
		NumberOfPartitionEntries: gptEntryCount,
		SizeOfPartitionEntry:     gptEntrySize,
		PartitionEntriesCRC32:    crc32.ChecksumIEEE(entries),
	}
	header.HeaderCRC32 = crc32.ChecksumIEEE(encode(header))
	return encode(header)
}

// gptEntries returns the partition entries: the data, and the EFI system
// partition if there is one.
func (l *Layout) gptEntries(g geometry) []byte {
	data := gptEntry{
		PartitionTypeGUID:   typeLinuxFilesystem,
		UniquePartitionGUID: deriveGUID(l.image.Seed, "partition 1"),
		StartingLBA:         partitionBlock * sectorsPerBlock,
		EndingLBA:           uint64(g.dataEnd*sectorsPerBlock - 1),
		Attributes:          attributeReadOnly | attributeNoAutomount,
		PartitionName:       partitionName("ISO 9660"),
	}
	if l.bios != nil {
		data.Attributes |= attributeLegacyBoot
	}
	entries := encode(data)
	if l.esp != nil {
		first := g.esp.block * sectorsPerBlock
		entries = append(entries, encode(gptEntry{
			PartitionTypeGUID:   typeEFISystem,
			UniquePartitionGUID: deriveGUID(l.image.Seed, "partition 2"),
			StartingLBA:         uint64(first),
			EndingLBA:           uint64(first + g.esp.size/sectorSize - 1),
			PartitionName:       partitionName("EFI system"),
		})...)
	}
	return append(entries, make([]byte, gptEntryCount*gptEntrySize-len(entries))...)
}

// partitionName returns a name in UTF-16.
func partitionName(s string) (name [36]uint16) {
	copy(name[:], utf16.Encode([]rune(s)))
	return name
}
