package hybridiso

import (
	"encoding/binary"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// maxBootCode is how much of a program for disks fits before the place that
// isohybrid's looks for isolinux.bin's address at.
const maxBootCode = 432

// mbr returns the master boot record, with isohybrid's program and the address of
// isolinux.bin.
//
// The protective entry of UEFI 2.10 §5.2.3 makes the GPT valid. Some BIOSes
// boot only disks with an active partition, which the protective entry must not
// be; an entry of type 0, which operating systems ignore, is active instead.
func (l *Layout) mbr(g geometry) []byte {
	record := gpt.MBR{Signature: gpt.DeriveSignature(l.image.Seed, "disk signature")}
	record.Partitions[0] = gpt.Protective(g.sectors())
	if l.bios != nil && l.image.Boot.BIOS.MBR != nil {
		copy(record.Code[:maxBootCode], l.image.Boot.BIOS.MBR)
		binary.LittleEndian.PutUint64(record.Code[maxBootCode:], uint64(l.bios.extent.block*sectorsPerBlock))
		record.Partitions[1] = gpt.Record{
			Indicator: gpt.Active,
			StartCHS:  [3]byte{0x00, 0x01, 0x00},
			EndCHS:    [3]byte{0x00, 0x01, 0x00},
			Start:     0,
			Sectors:   1,
		}
	}
	return record.Bytes()
}

// tables returns both copies of the GPT, for which the layout has room: the data,
// and the EFI system partition if there is one.
func (l *Layout) tables(g geometry) (primary, backup gpt.Copy) {
	table := gpt.Table{
		Sectors: g.sectors(),
		Disk:    gpt.Derive(l.image.Seed, "disk"),
		Partitions: []gpt.Partition{{
			Type:       gpt.LinuxFilesystem,
			ID:         gpt.Derive(l.image.Seed, "partition 1"),
			Start:      partitionBlock * sectorsPerBlock,
			Sectors:    (g.dataEnd - partitionBlock) * sectorsPerBlock,
			Attributes: gpt.ReadOnly | gpt.NoAutomount,
			Name:       "ISO 9660",
		}},
	}
	if l.bios != nil {
		table.Partitions[0].Attributes |= gpt.LegacyBoot
	}
	if l.esp != nil {
		table.Partitions = append(table.Partitions, gpt.Partition{
			Type:    gpt.EFISystem,
			ID:      gpt.Derive(l.image.Seed, "partition 2"),
			Start:   g.esp.block * sectorsPerBlock,
			Sectors: g.esp.size / sectorSize,
			Name:    "EFI system",
		})
	}
	primary, backup, err := table.Encode()
	if err != nil {
		panic(err) // the layout keeps everything apart, and within maxImage
	}
	return primary, backup
}

// backupSectors is the length of the backup: entries, then header.
const backupSectors = 33

// systemArea returns the MBR and the GPT's primary copy.
func (l *Layout) systemArea(g geometry) []byte {
	primary, _ := l.tables(g)
	return append(append(l.mbr(g), primary.Header...), primary.Entries...)
}

// backupGPT returns what ends the image.
func (l *Layout) backupGPT(g geometry) []byte {
	_, backup := l.tables(g)
	return append(backup.Entries[:len(backup.Entries):len(backup.Entries)], backup.Header...)
}
