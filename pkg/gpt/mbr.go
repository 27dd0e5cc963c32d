package gpt

import (
	"encoding/binary"
	"math"
)

// MBR is a master boot record (UEFI 2.10 §5.2.1): sector 0 of a disk.
type MBR struct {
	Code       [440]byte // a program for PC BIOS; see [MBR.Boots]
	Signature  uint32    // of the disk; 0 for none
	Partitions [4]Record
}

// Record is an entry of a master boot record (UEFI 2.10 table 5.2). One without
// Sectors is empty.
type Record struct {
	Indicator uint8 // Active or 0
	Type      uint8
	Start     uint32  // first sector
	Sectors   uint32  // length
	StartCHS  [3]byte // the same for BIOSes that count cylinders, as recorded
	EndCHS    [3]byte
}

// Active as a boot indicator marks the partition that a BIOS starts.
const Active = 0x80

// Types of an MBR partition that this package knows the meaning of.
const (
	TypeEFISystem  = 0xEF
	TypeProtective = 0xEE // of a GPT (UEFI 2.10 §5.2.3)
)

// mbrSector is how an MBR is recorded, in the first 512 bytes of the sector,
// whatever its size. Of the two bytes behind the signature the specification
// says "unknown".
type mbrSector struct {
	Code       [440]byte
	Signature  uint32
	Unknown    [2]byte
	Partitions [4]mbrEntry
	Magic      [2]byte
}

type mbrEntry struct {
	Indicator uint8
	StartCHS  [3]byte
	Type      uint8
	EndCHS    [3]byte
	Start     uint32
	Sectors   uint32
}

const (
	mbrSize         = 512
	protectiveStart = 1
)

var mbrMagic = [2]byte{0x55, 0xAA}

// Protective returns the entry that keeps programs that know no GPT away from a
// disk of so many sectors (UEFI 2.10 table 5.4).
func Protective(sectors int64) Record {
	return Record{
		Type:     TypeProtective,
		Start:    protectiveStart,
		Sectors:  uint32(min(sectors-protectiveStart, math.MaxUint32)),
		StartCHS: [3]byte{0x00, 0x02, 0x00},
		EndCHS:   [3]byte{0xFF, 0xFF, 0xFF},
	}
}

// Bytes returns the 512 bytes that a disk begins with.
func (m MBR) Bytes() []byte {
	sector := mbrSector{Code: m.Code, Signature: m.Signature, Magic: mbrMagic}
	for i, r := range m.Partitions {
		sector.Partitions[i] = mbrEntry{r.Indicator, r.StartCHS, r.Type, r.EndCHS, r.Start, r.Sectors}
	}
	return encode(sector)
}

// ParseMBR reads the record at the beginning of b. It reports false if b does
// not end it with 55 AA, as every sector that a BIOS starts does; the entries
// may be anything then, for boot sectors of file systems have it, too (see
// [MBR.HasTable]).
func ParseMBR(b []byte) (MBR, bool) {
	var sector mbrSector
	if len(b) < mbrSize || !decode(b, &sector) || sector.Magic != mbrMagic {
		return MBR{}, false
	}
	m := MBR{Code: sector.Code, Signature: sector.Signature}
	for i, e := range sector.Partitions {
		m.Partitions[i] = Record{e.Indicator, e.Type, e.Start, e.Sectors, e.StartCHS, e.EndCHS}
	}
	return m, true
}

// HasTable reports whether there are entries and all look like some. In the
// boot sector of a file system there is text or code in their place, which Linux
// (block/partitions/msdos.c) tells by the boot indicators, too.
func (m MBR) HasTable() bool {
	used := false
	for _, r := range m.Partitions {
		if r.Indicator != 0 && r.Indicator != Active {
			return false
		}
		used = used || r.Sectors != 0
	}
	return used
}

// Protects reports whether an entry announces a GPT, alone or beside others, as
// in a hybrid MBR. Only then the GPT counts (UEFI 2.10 §5.3.2 wants a protective
// MBR; Linux, block/partitions/efi.c, is_pmbr_valid, takes hybrid ones).
func (m MBR) Protects() bool {
	for _, r := range m.Partitions {
		if r.Type == TypeProtective {
			return m.HasTable()
		}
	}
	return false
}

// Hybrid reports whether the MBR protects a GPT and has partitions of its own
// beside it. An entry of type 0 is none (Linux: "SYS_IND(p) == 0").
func (m MBR) Hybrid() bool {
	for _, r := range m.Partitions {
		if r.Type != TypeProtective && r.Type != 0 && r.Sectors != 0 {
			return m.Protects()
		}
	}
	return false
}

// encode returns the little-endian bytes of a structure of fixed size.
func encode(structure any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, structure)
	if err != nil {
		panic(err) // only for a type that has no fixed size
	}
	return b
}

// decode fills a structure of fixed size from the beginning of b, which may be
// too short for it.
func decode(b []byte, structure any) bool {
	_, err := binary.Decode(b, binary.LittleEndian, structure)
	return err == nil
}
