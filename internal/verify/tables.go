package verify

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/gpt"
)

// ImageSize is how many bytes of what a medium is read from are the image: of a disk that is larger,
// as many as the image's own tables say.
func ImageSize(m *medium.Medium) int64 {
	size := m.Volume.Size
	disk, err := gpt.Read(io.NewSectionReader(m.ReaderAt(), 0, m.Size), gpt.UnknownSize)
	if err == nil && disk.Primary != nil {
		size = max(size, disk.Primary.Sectors*int64(disk.SectorSize))
	}
	for _, p := range m.Volume.Partitions {
		size = max(size, p.Offset+p.Size)
	}
	if size <= 0 || size > m.Size {
		return m.Size
	}
	return size
}

// tables checks the partition tables, both copies of a GPT, and whether all of the image is there.
func (v *verifier) tables() error {
	if want := v.medium.Volume.Size; want > v.medium.Size {
		if err := v.wrong("volume descriptor", v.medium.Size, "", "the image ends here, of %d bytes", want); err != nil {
			return err
		}
	}
	disk, err := gpt.Read(io.NewSectionReader(v.medium.ReaderAt(), 0, v.size), v.size)
	if err != nil {
		return v.wrong("partition tables", 0, "", "%w", err)
	}
	for _, f := range disk.Findings {
		if err := v.wrong(f.Structure, f.Offset, "", "%s", f.Text); err != nil {
			return err
		}
	}
	if err := v.missingGPT(disk); err != nil {
		return err
	}
	if v.medium.Volume.LostMBR || v.medium.MadeHere() && disk.Signed && disk.MBR == nil {
		return v.wrong("MBR", 0, "", "it is lost: there is a GPT, but no MBR before it")
	}
	return nil
}

// behind says what a stick has behind the image, and checks the backup of its table. Files that
// change with every start have nothing that they could be held against.
func (v *verifier) behind(stick *persistence.Stick) error {
	v.report.Kept = &stick.Partition
	var err error
	if v.report.Content, err = stick.Content(); err != nil {
		if err := v.wrong("partition "+persistence.Name, stick.Start, "", "%w", err); err != nil {
			return err
		}
	}
	switch at, err := stick.CheckEnd(); {
	case err != nil:
		return v.wrong("backup GPT", at, "", "%w", err)
	case at >= 0:
		return v.wrong("backup GPT", at, "", "it is not the one that follows from the image and the partition %s", persistence.Name)
	}
	return nil
}

// missingGPT finds copies of a GPT of which nothing is left that calls itself one, so that its reader
// cannot say what is wrong with it.
func (v *verifier) missingGPT(disk *gpt.Disk) error {
	if disk.Primary == nil && disk.Backup == nil && (disk.MBR == nil || !disk.MBR.Protects()) {
		return nil
	}
	sector := int64(disk.SectorSize)
	for _, c := range []struct {
		structure string
		table     *gpt.Table
		offset    int64
	}{{"primary GPT", disk.Primary, sector}, {"backup GPT", disk.Backup, v.size/sector*sector - sector}} {
		named := func(f gpt.Finding) bool { return f.Structure == c.structure }
		if c.table == nil && !slices.ContainsFunc(disk.Findings, named) {
			if err := v.wrong(c.structure, c.offset, "", "it is not there"); err != nil {
				return err
			}
		}
	}
	return nil
}

// Platforms of El Torito's boot images (El Torito 1.0, figure 2; UEFI 2.10 §13.3.2.1).
const (
	platformBIOS = 0
	platformEFI  = 0xEF
)

// bootCatalog checks that El Torito's entries lead to something that starts. That the catalog
// itself is whole was found out when the medium was opened.
func (v *verifier) bootCatalog() error {
	for _, e := range v.medium.Volume.BootEntries {
		if !e.Bootable {
			continue
		}
		switch {
		case e.Offset >= v.medium.Size:
			if err := v.wrong("El Torito", -1, "", "a boot image is at byte %d, behind the end of the image", e.Offset); err != nil {
				return err
			}
		case e.Platform == platformEFI:
			if err := v.efiImage(e.Offset); err != nil {
				return err
			}
		case e.Platform == platformBIOS:
			if err := v.biosImage(e.Offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// efiImage checks that a file system is where an entry for UEFI leads.
func (v *verifier) efiImage(offset int64) error {
	if slices.ContainsFunc(v.medium.Trees(), func(t *medium.Tree) bool { return t.EFI && t.Offset == offset }) {
		return nil
	}
	_, err := medium.OpenEFI(v.medium.ReaderAt(), offset, v.medium.Size)
	if err == nil {
		err = errors.New("it cannot be read")
	}
	return v.wrong("El Torito", offset, "", "no EFI system partition is where an entry leads: %w", err)
}

// bootInfo is the table that programs for BIOSes find in themselves (mkisofs(8), "EL TORITO BOOT
// INFORMATION TABLE"): offsets in the program, in bytes.
const (
	bootInfoVolume   = 8
	bootInfoFile     = 12
	bootInfoLength   = 16
	bootInfoChecksum = 20
	bootInfoEnd      = 64
	maxBootImage     = 64 << 20 // far more than any
	volumeBlock      = 16       // where volume descriptors begin (ECMA-119 §6.2.1)
	isoBlock         = 2048
)

// biosImage holds a boot image against the checksum of its boot information table, if it has one.
func (v *verifier) biosImage(offset int64) error {
	r := v.medium.ReaderAt()
	head := make([]byte, bootInfoEnd)
	if _, err := r.ReadAt(head, offset); err != nil {
		return v.wrong("El Torito", offset, "", "reading the boot image for BIOS: %w", err)
	}
	if !slices.ContainsFunc(head, func(b byte) bool { return b != 0 }) {
		return v.wrong("El Torito", offset, "", "the boot image for BIOS is empty")
	}
	field := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	length := int64(field(bootInfoLength))
	if field(bootInfoVolume) != volumeBlock || int64(field(bootInfoFile))*isoBlock != offset || length < bootInfoEnd || length > maxBootImage {
		if v.medium.MadeHere() {
			return v.wrong("El Torito", offset, "", "the boot information table of the boot image for BIOS is damaged")
		}
		return nil // without one
	}
	program := make([]byte, (length-bootInfoEnd+3)/4*4)
	if _, err := r.ReadAt(program[:length-bootInfoEnd], offset+bootInfoEnd); err != nil {
		return v.wrong("El Torito", offset, "", "reading the boot image for BIOS: %w", err)
	}
	sum := uint32(0)
	for at := 0; at < len(program); at += 4 {
		sum += binary.LittleEndian.Uint32(program[at:])
	}
	if want := field(bootInfoChecksum); sum != want {
		return v.wrong("El Torito", offset, "", "the boot image for BIOS has the checksum %08x, its boot information table says %08x", sum, want)
	}
	return nil
}

// partitions checks the EFI system partitions.
func (v *verifier) partitions() error {
	for _, t := range v.medium.Trees() {
		if !t.EFI {
			continue
		}
		r, err := fat.Open(io.NewSectionReader(v.medium.ReaderAt(), t.Offset, v.medium.Size-t.Offset), v.medium.Size-t.Offset)
		if err == nil {
			err = r.Findings(v.ctx, func(f fat.Finding) error {
				return v.find(Finding{Structure: "FAT " + f.Structure, Offset: t.Offset + f.Offset, File: f.Path, Err: f.Err})
			})
			if err != nil {
				return err
			}
			continue
		}
		if err := v.wrong("FAT boot sector", t.Offset, "", "%w", err); err != nil {
			return err
		}
	}
	// What calls itself one and was not opened is not among the trees.
	for _, p := range v.medium.Volume.Partitions {
		opened := func(t *medium.Tree) bool { return t.Offset == p.Offset }
		if p.Type == gpt.EFISystem.String() && !slices.ContainsFunc(v.medium.Trees(), opened) {
			_, err := medium.OpenEFI(v.medium.ReaderAt(), p.Offset, v.medium.Size)
			if err == nil {
				err = errors.New("it cannot be read")
			}
			if err := v.wrong("EFI system partition", p.Offset, "", "%w", err); err != nil {
				return err
			}
		}
	}
	return nil
}
