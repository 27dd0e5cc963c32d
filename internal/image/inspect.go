package image

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Inspection is what an image claims, whoever made it.
type Inspection struct {
	Volume     hybridiso.Volume
	Arch       string // of its programs: "x86_64" or "aarch64"
	Firmware32 bool   // UEFI firmware that starts it is of 32 bits
	Modes      []Mode // in which it claims to start a machine, in the order of the constants

	r       io.ReaderAt
	entries []hybridiso.Entry
}

// ForeignError says that a file is no image that a machine could be started from.
type ForeignError struct{ Reason string }

func (e *ForeignError) Error() string { return "not a bootable ISO image: " + e.Reason }

// ModeError says that an image does not claim a boot mode.
type ModeError struct {
	Mode  Mode
	Modes []Mode // that it claims
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("the image does not start as %s", e.Mode)
}

// AllModes returns every boot mode.
func AllModes() []Mode { return []Mode{BIOSCD, BIOSUSB, UEFICD, UEFIUSB} }

// UEFI reports whether UEFI firmware starts the image, otherwise a PC BIOS does.
func (m Mode) UEFI() bool { return m == UEFICD || m == UEFIUSB }

// USB reports whether the image is on a stick, otherwise on a disc.
func (m Mode) USB() bool { return m == BIOSUSB || m == UEFIUSB }

// Inspect reads the tables and directories of an image. The error is a *ForeignError if it
// is none.
func Inspect(r io.ReaderAt) (*Inspection, error) {
	v, err := hybridiso.ReadVolume(r)
	if errors.Is(err, hybridiso.ErrNoVolume) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &ForeignError{"no ISO 9660 volume"}
	}
	if err != nil {
		return nil, err
	}
	i := &Inspection{Volume: v, Modes: claimedModes(v), r: r}
	if len(i.Modes) == 0 {
		return nil, &ForeignError{"neither a boot catalog nor partitions to start from"}
	}
	if i.entries, err = hybridiso.ReadTree(r); err != nil {
		return nil, err
	}
	loader, err := i.loader()
	if err != nil {
		return nil, err
	}
	i.Arch, i.Firmware32 = loader.arch, loader.firmware32
	return i, nil
}

// MadeHere reports whether livebuild made the image.
func (i *Inspection) MadeHere() bool { return i.Volume.DataPreparer == preparer }

// claimedModes are the modes that the tables of an image speak of. One whose MBR is lost once was a
// disk.
func claimedModes(v hybridiso.Volume) []Mode {
	b := v.BootModes()
	var m []Mode
	if b.BIOSDisc {
		m = append(m, BIOSCD)
	}
	if b.BIOSDisk || v.LostMBR && b.BIOSDisc {
		m = append(m, BIOSUSB)
	}
	if b.EFIDisc {
		m = append(m, UEFICD)
	}
	if b.EFIDisk || v.LostMBR && b.EFIDisc {
		m = append(m, UEFIUSB)
	}
	return m
}

// Check returns a *ModeError unless the mode is among those that an image claims.
func (m Mode) Check(claimed []Mode) error {
	if !slices.Contains(claimed, m) {
		return &ModeError{Mode: m, Modes: claimed}
	}
	return nil
}

// efiLoader is a program that UEFI firmware starts from a medium that it knows nothing else
// about (UEFI 2.10 §3.5.1.1).
type efiLoader struct {
	file       string
	arch       string
	firmware32 bool
}

var efiLoaders = []efiLoader{
	{"BOOTX64.EFI", "x86_64", false},
	{"BOOTAA64.EFI", "aarch64", false},
	{"BOOTIA32.EFI", "x86_64", true},
}

const efiFolder = "EFI/BOOT/"

// loader finds out what processor and firmware the image is for: by its EFI loader, on the medium
// or in the EFI system partition; a PC BIOS runs on one processor alone.
func (i *Inspection) loader() (efiLoader, error) {
	for _, l := range efiLoaders {
		if i.Has(efiFolder + l.file) {
			return l, nil
		}
	}
	if slices.Contains(i.Modes, BIOSCD) || slices.Contains(i.Modes, BIOSUSB) {
		return efiLoader{arch: "x86_64"}, nil
	}
	for _, e := range i.Volume.BootEntries {
		if l, ok := loaderIn(io.NewSectionReader(i.r, e.Offset, maxPartition)); ok {
			return l, nil
		}
	}
	return efiLoader{}, &ForeignError{"no boot loader for x86_64 or aarch64"}
}

// maxPartition is more than an EFI system partition has, in bytes.
const maxPartition = 4 << 30

// loaderIn returns the loader in an EFI system partition. One that cannot be read has none, for
// firmware neither.
func loaderIn(partition *io.SectionReader) (efiLoader, bool) {
	esp, err := fat.Open(partition, partition.Size())
	if err != nil {
		return efiLoader{}, false
	}
	for _, l := range efiLoaders {
		if e, err := esp.Lookup(efiFolder + l.file); err == nil && !e.IsDir() {
			return l, true
		}
	}
	return efiLoader{}, false
}

// Has reports whether there is a file with this path, in whatever case: firmware and boot
// loaders look at names so.
func (i *Inspection) Has(path string) bool {
	_, ok := i.find(path)
	return ok
}

func (i *Inspection) find(path string) (hybridiso.Entry, bool) {
	n := slices.IndexFunc(i.entries, func(e hybridiso.Entry) bool {
		return e.Mode.IsRegular() && strings.EqualFold(e.Path, path)
	})
	if n < 0 {
		return hybridiso.Entry{}, false
	}
	return i.entries[n], true
}

// maxTextSize is more than any boot menu has, in bytes.
const maxTextSize = 4 << 20

// Text returns a small file of the image, such as a menu, or false if there is none at the path.
func (i *Inspection) Text(path string) (string, bool, error) {
	e, ok := i.find(path)
	if !ok || e.Size > maxTextSize {
		return "", false, nil
	}
	var text []byte
	for _, extent := range e.Extents {
		part := make([]byte, min(extent.Size, maxTextSize))
		if _, err := i.r.ReadAt(part, extent.Offset); err != nil && !errors.Is(err, io.EOF) {
			return "", false, fmt.Errorf("reading %s: %w", path, err)
		}
		text = append(text, part...)
	}
	return string(text), true, nil
}
