package hybridiso

import (
	"encoding/binary"
	"math"
)

// masterBootRecord is sector 0 of a hybrid image: isohybrid's boot code with
// the address of isolinux.bin, and the partition table (UEFI 2.10 §5.2).
type masterBootRecord struct {
	BootCode       [432]byte
	IsolinuxSector uint64
	DiskSignature  uint32
	_              uint16
	Partitions     [4]mbrPartition
	Signature      [2]byte
}

// mbrPartition is an entry of the MBR's partition table (UEFI 2.10 §5.2.1).
type mbrPartition struct {
	BootIndicator uint8
	StartingCHS   [3]byte
	OSType        uint8
	EndingCHS     [3]byte
	StartingLBA   uint32
	SizeInLBA     uint32
}

const (
	maxBootCode = 432

	mbrActive       = 0x80
	mbrTypeNone     = 0x00
	mbrTypeEFI      = 0xEF
	mbrTypeGPT      = 0xEE
	protectiveStart = 1
)

var mbrSignature = [2]byte{0x55, 0xAA}

// mbr returns the master boot record.
//
// The protective entry of UEFI 2.10 §5.2.3 makes the GPT valid. Some BIOSes
// boot only disks with an active partition, which the protective entry must not
// be; an entry of type 0, which operating systems ignore, is active instead.
func (l *Layout) mbr(g geometry) []byte {
	record := masterBootRecord{
		DiskSignature: l.diskSignature(),
		Partitions: [4]mbrPartition{{
			StartingCHS: [3]byte{0x00, 0x02, 0x00},
			OSType:      mbrTypeGPT,
			EndingCHS:   [3]byte{0xFF, 0xFF, 0xFF},
			StartingLBA: protectiveStart,
			SizeInLBA:   uint32(min(g.sectors()-protectiveStart, math.MaxUint32)),
		}},
		Signature: mbrSignature,
	}
	if l.bios != nil && l.image.Boot.BIOS.MBR != nil {
		copy(record.BootCode[:], l.image.Boot.BIOS.MBR)
		record.IsolinuxSector = uint64(l.bios.extent.block * sectorsPerBlock)
		record.Partitions[1] = mbrPartition{
			BootIndicator: mbrActive,
			StartingCHS:   [3]byte{0x00, 0x01, 0x00},
			OSType:        mbrTypeNone,
			EndingCHS:     [3]byte{0x00, 0x01, 0x00},
			StartingLBA:   0,
			SizeInLBA:     1,
		}
	}
	return encode(record)
}

// diskSignature returns a number other than 0, which stands for none.
func (l *Layout) diskSignature() uint32 {
	sum := derive(l.image.Seed, "disk signature")
	return max(1, binary.LittleEndian.Uint32(sum[:]))
}
