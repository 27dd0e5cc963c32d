package hybridiso

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// ErrNoVolume means that there is no ISO 9660 volume to read.
var ErrNoVolume = errors.New("no ISO 9660 volume")

// Volume is what the descriptors and tables of an image say, by whatever
// program it was written.
type Volume struct {
	ID           string
	SystemID     string
	VolumeSetID  string
	Publisher    string
	DataPreparer string
	Application  string

	Size     int64     // in bytes, as the primary volume descriptor counts
	Modified time.Time // zero if not recorded

	BootEntries []BootEntry // of El Torito, in order
	BootCode    bool        // there is an MBR, and in it a program that starts something
	LostMBR     bool        // there is a GPT, but no MBR before it
	Partitions  []Partition // of a GPT that counts, by one of its copies; else of the MBR

	// Doubts are what is wrong with the partition tables.
	Doubts []gpt.Finding
}

// BootEntry is an entry of the El Torito boot catalog.
type BootEntry struct {
	Platform uint8 // 0 for BIOS, 0xEF for UEFI
	Bootable bool
	Offset   int64 // of the boot image, in bytes
	LoadSize int64 // in bytes; 0 and 512 mean, for UEFI, to the end of the medium
}

// Partition is an entry of a partition table.
type Partition struct {
	Type   string // GUID in upper case, or an MBR type such as "0xEF"
	Name   string // GPT only
	Offset int64  // in bytes
	Size   int64  // in bytes
}

// BootModes says how an image can start a machine, by its tables alone.
type BootModes struct {
	BIOSDisc, EFIDisc, BIOSDisk, EFIDisk bool
}

// maxDescriptors bounds what is read from an image that may be hostile.
const maxDescriptors = 64

// Header and extension of sections (El Torito 1.0, figures 4 and 6).
const (
	moreSectionHeader = 0x90
	sectionExtension  = 0x44
)

// BootModes returns the ways in which the image looks bootable.
func (v Volume) BootModes() BootModes {
	m := BootModes{BIOSDisk: v.BootCode}
	for _, e := range v.BootEntries {
		m.BIOSDisc = m.BIOSDisc || e.Bootable && e.Platform == platformBIOS
		m.EFIDisc = m.EFIDisc || e.Bootable && e.Platform == platformEFI
	}
	for _, p := range v.Partitions {
		m.EFIDisk = m.EFIDisk || p.Type == gpt.EFISystem.String() || p.Type == mbrTypeName(gpt.TypeEFISystem)
	}
	return m
}

// ReadVolume reads the volume descriptors, the boot catalog and the partition
// tables of an image. A partition table that is damaged counts as none. The
// error wraps [ErrNoVolume] if there is nothing to be read.
func ReadVolume(r io.ReaderAt) (Volume, error) {
	var v Volume
	catalog, err := v.readDescriptors(r)
	if err != nil {
		return Volume{}, fmt.Errorf("reading volume descriptors: %w", err)
	}
	if catalog != 0 {
		if err := v.readCatalog(r, catalog); err != nil {
			return Volume{}, fmt.Errorf("reading boot catalog: %w", err)
		}
	}
	if err := v.readPartitions(r); err != nil {
		return Volume{}, fmt.Errorf("reading partition table: %w", err)
	}
	return v, nil
}

// readDescriptors fills in the primary descriptor's fields and returns the
// block of the boot catalog, or 0.
func (v *Volume) readDescriptors(r io.ReaderAt) (catalog uint32, err error) {
	primary, block := false, make([]byte, blockSize)
	for i := range int64(maxDescriptors) {
		if err := readAt(r, block, (descriptorBlock+i)*blockSize); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) && !primary {
				return 0, ErrNoVolume
			}
			return 0, err
		}
		var d volumeDescriptor
		decode(block, &d)
		switch {
		case d.StandardIdentifier != standardIdentifier && !primary:
			return 0, ErrNoVolume
		case d.StandardIdentifier != standardIdentifier:
			return 0, errors.New("descriptor set is not terminated")
		case d.Type == typePrimary && !primary:
			primary = true
			v.setPrimary(d)
		case d.Type == typeBootRecord:
			var boot bootRecord
			decode(block, &boot)
			if boot.BootSystemIdentifier == elToritoIdentifier {
				catalog = boot.BootCatalog
			}
		case d.Type == typeTerminator:
			if !primary {
				return 0, ErrNoVolume
			}
			return catalog, nil
		}
	}
	return 0, fmt.Errorf("more than %d descriptors", maxDescriptors)
}

func (v *Volume) setPrimary(d volumeDescriptor) {
	v.ID = text(d.VolumeIdentifier[:])
	v.SystemID = text(d.SystemIdentifier[:])
	v.VolumeSetID = text(d.VolumeSetIdentifier[:])
	v.Publisher = text(d.PublisherIdentifier[:])
	v.DataPreparer = text(d.DataPreparerIdentifier[:])
	v.Application = text(d.ApplicationIdentifier[:])
	v.Size = int64(d.VolumeSpaceSize.value()) * blockSize
	v.Modified = d.ModificationDate.time()
}

// readCatalog reads the first block of the boot catalog.
func (v *Volume) readCatalog(r io.ReaderAt, block uint32) error {
	catalog := make([]byte, blockSize)
	if err := readAt(r, catalog, int64(block)*blockSize); err != nil {
		return err
	}
	var validation validationEntry
	rest := decode(catalog, &validation)
	if validation.HeaderID != validationHeader || wordSum(catalog[:catalogEntryLength]) != 0 {
		return errors.New("validation entry is damaged")
	}

	rest = v.addBootEntry(rest, validation.PlatformID)
	for len(rest) >= catalogEntryLength {
		var header sectionHeader
		rest = decode(rest, &header)
		if header.HeaderIndicator != moreSectionHeader && header.HeaderIndicator != finalSectionHeader {
			break
		}
		for range header.Entries {
			for len(rest) > 0 && rest[0] == sectionExtension {
				rest = rest[catalogEntryLength:]
			}
			if len(rest) == 0 {
				break
			}
			rest = v.addBootEntry(rest, header.PlatformID)
		}
		if header.HeaderIndicator == finalSectionHeader {
			break
		}
	}
	return nil
}

func (v *Volume) addBootEntry(catalog []byte, platform uint8) (rest []byte) {
	var e bootEntry
	rest = decode(catalog, &e)
	v.BootEntries = append(v.BootEntries, BootEntry{
		Platform: platform,
		Bootable: e.BootIndicator == bootable,
		Offset:   int64(e.LoadBlock) * blockSize,
		LoadSize: int64(e.SectorCount) * sectorSize,
	})
	return rest
}

// readPartitions reads the MBR, and the GPT if the MBR says that there is one.
func (v *Volume) readPartitions(r io.ReaderAt) error {
	disk, err := gpt.Read(r, sizeOf(r))
	if err != nil {
		return err
	}
	v.Doubts = disk.Findings
	if disk.MBR == nil {
		v.LostMBR = disk.Signed
		return nil
	}
	v.BootCode = disk.MBR.Boots()
	if table := disk.GPT(); table != nil {
		for _, p := range table.Partitions {
			v.Partitions = append(v.Partitions, Partition{
				Type:   p.Type.String(),
				Name:   p.Name,
				Offset: p.Start * int64(table.SectorSize),
				Size:   p.Sectors * int64(table.SectorSize),
			})
		}
		return nil
	}
	if !disk.MBR.HasTable() {
		return nil
	}
	for _, p := range disk.MBR.Partitions {
		if p.Sectors != 0 && p.Type != gpt.TypeProtective {
			v.Partitions = append(v.Partitions, Partition{
				Type:   mbrTypeName(p.Type),
				Offset: int64(p.Start) * sectorSize,
				Size:   int64(p.Sectors) * sectorSize,
			})
		}
	}
	return nil
}

func mbrTypeName(t uint8) string { return fmt.Sprintf("0x%02X", t) }

// sizeOf returns the size of an image, as far as what it is read from tells.
func sizeOf(r io.ReaderAt) int64 {
	if sized, ok := r.(interface{ Size() int64 }); ok {
		return sized.Size()
	}
	file, ok := r.(interface {
		io.Seeker
		Stat() (fs.FileInfo, error)
	})
	if !ok {
		return gpt.UnknownSize
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return gpt.UnknownSize
	}
	size, err := file.Seek(0, io.SeekEnd) // of a disk
	if _, back := file.Seek(at, io.SeekStart); err != nil || back != nil {
		return gpt.UnknownSize
	}
	return size
}

// readAt fills b, for which the end of the image is too early.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// decode fills structure, which is of fixed size, from the beginning of b, and
// returns the rest of b.
func decode(b []byte, structure any) (rest []byte) {
	n, err := binary.Decode(b, binary.LittleEndian, structure)
	if err != nil {
		panic(err) // only if b is shorter, which callers see to
	}
	return b[n:]
}

// text returns a padded field.
func text(field []byte) string { return string(bytes.TrimRight(field, " \x00")) }

// time returns the date, or zero for an unspecified or impossible one.
func (d longDate) time() time.Time {
	const layout = "20060102150405"
	t, err := time.Parse(layout, string(d.Digits[:len(layout)]))
	if err != nil {
		return time.Time{}
	}
	hundredths, err := strconv.ParseUint(string(d.Digits[len(layout):]), 10, 8)
	if err != nil {
		return time.Time{}
	}
	offset := time.Duration(d.QuarterHoursFromGMT) * 15 * time.Minute
	return t.Add(time.Duration(hundredths)*10*time.Millisecond - offset)
}
