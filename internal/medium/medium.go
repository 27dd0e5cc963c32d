// Package medium is a finished image, whoever made it, wherever it lies: in a file, in a
// compressed file, on a disk, in anything that can be read at offsets. All who start from an
// image that exists start here: those who boot it, write it, look into it, or take from it
// what has not changed.
//
// An image is not trusted. The readers below bound what they take in memory and time, and what
// is damaged is an error or is not there.
package medium

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Preparer marks an image as made by livebuild, in the volume descriptor's field for who
// prepared the data (ECMA-119 §8.4.21).
const Preparer = "LIVEBUILD"

// Medium is an image that exists.
type Medium struct {
	Form       Form
	Size       int64 // of the image, or of the disk that it is on, in bytes
	Volume     hybridiso.Volume
	Arch       string // of its programs: "x86_64", "aarch64", or "" if that is not known
	Firmware32 bool   // UEFI firmware that starts it is of 32 bits
	Modes      []Mode // in which it claims to start a machine, in the order of the constants

	// Stick is what the live system keeps its files in, behind the image on a disk, or nil. All
	// else is of the image as it was built.
	Stick *persistence.Stick

	r     io.ReaderAt
	trees []*Tree

	// Of a bundle.
	members  []Member
	paper    *manifest.Manifest // nil if it is of no use
	paperErr error              // why
}

// ForeignError says that a file is no image that a machine could be started from.
type ForeignError struct{ Reason string }

func (e *ForeignError) Error() string { return "not a bootable ISO image: " + e.Reason }

// Read reads the tables and directories of an image of size bytes, to which r has to be open
// as long as the Medium is used. The error is a *ForeignError if it is none that starts a
// machine.
func Read(r io.ReaderAt, size int64) (*Medium, error) {
	m, err := ReadAny(r, size)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Form == Archive && m.paper == nil:
		return nil, m.paperErr
	case m.Form == Archive:
		return m, nil
	case m.Form != Disc:
		return nil, &ForeignError{errNoForm.Error()}
	case len(m.Modes) == 0:
		return nil, &ForeignError{"neither a boot catalog nor partitions to start from"}
	case m.Arch == "":
		return nil, &ForeignError{"no boot loader for x86_64 or aarch64"}
	}
	return m, nil
}

// ReadAny is [Read] for whoever only looks into an image: one that starts no machine has no
// Modes, and one of which it is not known for what machines it is has no Arch. A squashfs alone,
// a disk with an EFI system partition and an archive for kexec will do, too, see [Form]: their Volume has
// partitions at most. The error is a *ForeignError if there is none of these.
func ReadAny(r io.ReaderAt, size int64) (*Medium, error) {
	m := &Medium{Size: size, r: r, Stick: persistence.Find(r, size)}
	if m.Stick != nil {
		m.Size, m.r = m.Stick.Image, m.Stick.AsBuilt(r)
		size, r = m.Size, m.r
	}
	var err error
	m.Volume, err = hybridiso.ReadVolume(io.NewSectionReader(r, 0, size))
	if errors.Is(err, hybridiso.ErrNoVolume) || errors.Is(err, io.ErrUnexpectedEOF) {
		switch err := m.otherForm(); {
		case errors.Is(err, errNoForm):
			return nil, &ForeignError{errNoForm.Error()}
		case err != nil:
			return nil, err
		}
		if m.Bundled() {
			return m, nil
		}
		m.Modes = claimedModes(m.Volume)
		loader, _ := m.efiLoader()
		m.Arch, m.Firmware32 = loader.arch, loader.firmware32
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	m.Modes = claimedModes(m.Volume)
	if err := m.openTrees(); err != nil {
		return nil, err
	}
	loader, ok := m.efiLoader()
	if !ok && (slices.Contains(m.Modes, BIOSCD) || slices.Contains(m.Modes, BIOSUSB)) {
		loader.arch = "x86_64" // a PC BIOS runs on no other processor
	}
	m.Arch, m.Firmware32 = loader.arch, loader.firmware32
	return m, nil
}

// MadeHere reports whether livebuild made the image.
func (m *Medium) MadeHere() bool { return m.Volume.DataPreparer == Preparer || m.Bundled() }

// MadeHere reports whether a file or a disk begins with an image made by livebuild.
func MadeHere(r io.ReaderAt) bool {
	v, err := hybridiso.ReadVolume(r)
	return err == nil && v.DataPreparer == Preparer
}

// Trees returns the file systems that boot loaders read, the volume of the whole medium
// first.
func (m *Medium) Trees() []*Tree { return m.trees }

// Files returns the file system of the volume, without any file if there is none.
func (m *Medium) Files() *Tree { return m.trees[0] }

// ReaderAt returns what the image is read from.
func (m *Medium) ReaderAt() io.ReaderAt { return m.r }

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

// efiLoader finds out what processor and firmware the image is for: by its EFI loader, on the
// medium or in the EFI system partition.
func (m *Medium) efiLoader() (efiLoader, bool) {
	for _, t := range m.trees {
		for _, l := range efiLoaders {
			if t.has(fmt.Sprintf("EFI/BOOT/%s", l.file)) {
				return l, true
			}
		}
	}
	return efiLoader{}, false
}
