package hybridiso

import (
	"encoding/binary"
	"math"
)

// validationEntry begins the boot catalog (El Torito 1.0, figure 2).
type validationEntry struct {
	HeaderID   uint8
	PlatformID uint8
	_          uint16
	ID         [24]byte
	Checksum   uint16
	Key        [2]byte
}

// bootEntry is the default entry (figure 3) or a section entry (figure 5). The
// default entry has neither selection criteria.
type bootEntry struct {
	BootIndicator         uint8
	MediaType             uint8
	LoadSegment           uint16
	SystemType            uint8
	_                     uint8
	SectorCount           uint16 // in units of 512 bytes
	LoadBlock             uint32
	SelectionCriteriaType uint8
	SelectionCriteria     [19]byte
}

// sectionHeader announces the section entries of another platform (figure 4).
type sectionHeader struct {
	HeaderIndicator uint8
	PlatformID      uint8
	Entries         uint16
	ID              [28]byte
}

// bootInformationTable is patched into isolinux.bin at byte 8, as the option
// -boot-info-table of mkisofs does (mkisofs(8), "EL TORITO BOOT INFORMATION
// TABLE").
type bootInformationTable struct {
	PrimaryVolumeDescriptor uint32
	BootFile                uint32 // block
	Length                  uint32
	Checksum                uint32
	_                       [40]byte
}

const (
	catalogEntryLength = 32

	validationHeader   = 1
	finalSectionHeader = 0x91
	bootable           = 0x88
	noEmulation        = 0

	platformBIOS = 0x00
	platformEFI  = 0xEF // UEFI 2.10 §13.3.2.1

	// isolinuxSectors is the part of isolinux.bin that firmware loads; it
	// loads the rest itself.
	isolinuxSectors = 4

	// toEndOfMedium as the sector count of an EFI image means all of the
	// medium behind its start (UEFI 2.10 §13.3.2.1). Of the two values with
	// that meaning, 0 and 1, it is the one on Windows' installation discs.
	toEndOfMedium = 1

	bootInformationOffset = 8
	bootInformationEnd    = bootInformationOffset + 56
)

// bootCatalog returns the boot catalog. Without a BIOS entry the default entry
// is that of UEFI.
func (l *Layout) bootCatalog(g geometry) []byte {
	platform := uint8(platformBIOS)
	if l.bios == nil {
		platform = platformEFI
	}
	catalog := encode(newValidationEntry(platform))
	if l.bios != nil {
		catalog = append(catalog, encode(bootEntry{
			BootIndicator: bootable,
			MediaType:     noEmulation,
			SectorCount:   isolinuxSectors,
			LoadBlock:     uint32(l.bios.extent.block),
		})...)
	}
	if l.esp != nil {
		if l.bios != nil {
			catalog = append(catalog, encode(sectionHeader{
				HeaderIndicator: finalSectionHeader,
				PlatformID:      platformEFI,
				Entries:         1,
			})...)
		}
		sectors := g.esp.size / sectorSize
		if sectors > math.MaxUint16 {
			sectors = toEndOfMedium
		}
		catalog = append(catalog, encode(bootEntry{
			BootIndicator: bootable,
			MediaType:     noEmulation,
			SectorCount:   uint16(sectors),
			LoadBlock:     uint32(g.esp.block),
		})...)
	}
	return catalog
}

// newValidationEntry returns a validation entry whose 16-bit words add up to 0.
func newValidationEntry(platform uint8) validationEntry {
	entry := validationEntry{HeaderID: validationHeader, PlatformID: platform, Key: [2]byte{0x55, 0xAA}}
	entry.Checksum = -wordSum(encode(entry))
	return entry
}

// wordSum adds up the little-endian 16-bit words of b.
func wordSum(b []byte) (sum uint16) {
	for ; len(b) > 0; b = b[2:] {
		sum += binary.LittleEndian.Uint16(b)
	}
	return sum
}

// withBootInformation returns a copy of isolinux.bin, to be recorded at block,
// with its boot information table.
func withBootInformation(program []byte, block int64) []byte {
	checksum := uint32(0)
	rest := append(program[bootInformationEnd:len(program):len(program)], make([]byte, -len(program)&3)...)
	for ; len(rest) > 0; rest = rest[4:] {
		checksum += binary.LittleEndian.Uint32(rest)
	}
	table := encode(bootInformationTable{
		PrimaryVolumeDescriptor: descriptorBlock,
		BootFile:                uint32(block),
		Length:                  uint32(len(program)),
		Checksum:                checksum,
	})
	patched := append([]byte(nil), program...)
	copy(patched[bootInformationOffset:], table)
	return patched
}
