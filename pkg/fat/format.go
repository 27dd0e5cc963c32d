package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Sizes and counts that this package chooses within the specification.
const (
	sectorSize     = 512
	reservedCount  = 1
	tableCount     = 2
	rootEntryCount = 512
	entrySize      = 32
	rootSectors    = rootEntryCount * entrySize / sectorSize

	// Of FAT32 (page 9): the reserved sectors, and what lies in them. A copy of both lies behind
	// the sector that the specification recommends.
	reservedCount32 = 32
	infoSector      = 1
	backupSector    = 6
)

// bootSector is sector 0 with the BIOS parameter block of FAT12 and FAT16.
type bootSector struct {
	JmpBoot    [3]byte
	OEMName    [8]byte
	BytsPerSec uint16
	SecPerClus uint8
	RsvdSecCnt uint16
	NumFATs    uint8
	RootEntCnt uint16
	TotSec16   uint16 // 0 if the count needs TotSec32
	Media      uint8
	FATSz16    uint16
	SecPerTrk  uint16
	NumHeads   uint16
	HiddSec    uint32
	TotSec32   uint32
	DrvNum     uint8
	Reserved1  uint8
	BootSig    uint8
	VolID      uint32
	VolLab     [11]byte
	FilSysType [8]byte // informative: the cluster count decides
	BootCode   [448]byte
	Signature  [2]byte
}

// infoSector32 is FSInfo of FAT32 (page 21).
type infoSector32 struct {
	LeadSig   uint32
	Reserved1 [480]byte
	StrucSig  uint32
	FreeCount uint32
	NxtFree   uint32
	Reserved2 [12]byte
	TrailSig  uint32
}

const (
	infoLead   = 0x41615252
	infoStruct = 0x61417272
	infoTrail  = 0xAA550000
	// unknownCount is where a next free cluster would be, of a volume that has none.
	unknownCount = 0xFFFFFFFF
)

const (
	oemName         = "MSWIN4.1" // the specification's recommendation
	mediaFixed      = 0xF8
	driveFixed      = 0x80
	extendedBootSig = 0x29
	noLabel         = "NO NAME"
	// A geometry that every size up to 2 GiB fits; nothing reads it.
	sectorsPerTrack = 32
	heads           = 64
)

var (
	jumpToBootCode   = [3]byte{0xEB, 0x3C, 0x90}
	jumpToBootCode32 = [3]byte{0xEB, 0x58, 0x90}
	// bootFailure is INT 18h, which tells old firmware to try the next device,
	// and an endless loop for firmware that returns from it.
	bootFailure   = []byte{0xCD, 0x18, 0xEB, 0xFE}
	bootSignature = [2]byte{0x55, 0xAA}
)

// dirEntry is the directory entry of a short name.
type dirEntry struct {
	Name         [11]byte
	Attr         uint8
	NTRes        uint8
	CrtTimeTenth uint8
	CrtTime      uint16
	CrtDate      uint16
	LstAccDate   uint16
	FstClusHI    uint16
	WrtTime      uint16
	WrtDate      uint16
	FstClusLO    uint16
	FileSize     uint32
}

// Values of dirEntry.Attr.
const (
	attrVolumeID  = 0x08
	attrDirectory = 0x10
	attrArchive   = 0x20
	attrLongName  = 0x0F
)

// longEntry holds 13 units of a long name. The entries of a name stand before
// its dirEntry, the last piece first.
type longEntry struct {
	Ord       uint8
	Name1     [5]uint16
	Attr      uint8
	Type      uint8
	Chksum    uint8
	Name2     [6]uint16
	FstClusLO uint16
	Name3     [2]uint16
}

const (
	unitsPerLongEntry = 5 + 6 + 2
	lastLongEntry     = 0x40 // flag in Ord
	longNamePadding   = 0xFFFF
)

// encode appends a structure of the format. These have fixed sizes, so that
// encoding them cannot fail.
func encode(b []byte, structure any) []byte {
	b, err := binary.Append(b, binary.LittleEndian, structure)
	if err != nil {
		panic("fat: " + err.Error())
	}
	return b
}

// stamp is a moment as the format records it.
type stamp struct {
	date, time uint16
	tenth      uint8 // of a second, and those of the odd second, in units of 10 ms
}

const (
	minYear = 1980
	maxYear = minYear + 127
)

func newStamp(t time.Time) (stamp, error) {
	if t.IsZero() {
		t = time.Date(minYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	t = t.UTC()
	if t.Year() < minYear || t.Year() > maxYear {
		return stamp{}, fmt.Errorf("year %d is outside of %d to %d", t.Year(), minYear, maxYear)
	}
	return stamp{
		date:  uint16((t.Year()-minYear)<<9 | int(t.Month())<<5 | t.Day()),
		time:  uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2),
		tenth: uint8(t.Second() % 2 * 100),
	}, nil
}

// label returns a volume label in its field.
func label(text string) ([11]byte, error) {
	var field [11]byte
	if len(text) > len(field) {
		return field, fmt.Errorf("label %q is longer than %d bytes", text, len(field))
	}
	for _, r := range text {
		if r != ' ' && !isShort(r) {
			return field, fmt.Errorf("label %q has %q in it", text, r)
		}
	}
	if strings.HasPrefix(text, " ") {
		return field, fmt.Errorf("label %q begins with a space", text)
	}
	copy(field[:], pad(text, len(field)))
	return field, nil
}

// pad fills text with spaces up to n bytes.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", n-len(text))
}
