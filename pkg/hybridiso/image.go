package hybridiso

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Image describes a volume completely. Two equal images give the same bytes,
// whatever the order of Files.
type Image struct {
	// VolumeID labels the volume: at most 32 printable ASCII characters,
	// recorded as given. Joliet keeps the first 16.
	VolumeID string

	// SystemID (at most 32 characters), VolumeSetID, Publisher, DataPreparer
	// and Application (at most 128) are recorded as given; all may be empty.
	SystemID     string
	VolumeSetID  string
	Publisher    string
	DataPreparer string
	Application  string

	// Time is every date of the volume, in whole seconds UTC, from 1900 to 2155.
	// Zero stands for 1980-01-01, so that nothing depends on the clock.
	Time time.Time

	// Files are the contents of the volume. Parent directories are implied.
	Files []File

	// Boot says how the image starts a machine.
	Boot Boot

	// Seed is what the disk GUID, the partition GUIDs and the disk signature
	// are derived from; images meant to be told apart need different seeds.
	Seed [16]byte
}

// File is one entry of the volume. At most one of Data, Open, Late, Link, Dir and
// Stream is set; with none of them the file is regular and empty.
type File struct {
	// Path is slash separated, without leading slash, "." or "..". Its names
	// are bytes in any encoding, at most 255 each.
	Path string

	// Data is the content of a regular file.
	Data []byte

	// Open returns the content of a regular file of Size bytes. It is called
	// once, while the image is written; another length is an error.
	Open func() (io.ReadCloser, error)
	Size int64

	// Late returns the content of a regular file of Size bytes that follows from the
	// stream, behind which it lies. It is called once, when the stream is written,
	// with all of that; what the image is written to must then be an io.ReaderAt.
	Late func(ctx context.Context, stream io.Reader) ([]byte, error)

	// Link makes the entry a symbolic link. Rock Ridge records its
	// components, so empty ones ("a//b", "a/") are not preserved.
	Link string

	// Dir makes the entry a directory; needed for empty ones only.
	Dir bool

	// Stream marks the one file that is written in place, of at most MaxSize
	// bytes. See [Layout.Write].
	Stream  bool
	MaxSize int64

	// Mode are the permissions of a regular file or a directory, in Rock Ridge. Zero
	// stands for 0444 and 0555. Other bits do not count.
	Mode fs.FileMode
}

// Boot selects the boot entries of an image. The zero value boots nothing.
type Boot struct {
	// BIOS is the entry for PC firmware, or nil.
	BIOS *BIOSBoot

	// EFI is the entry for UEFI firmware, or nil.
	EFI *EFIBoot

	// Hybrid adds MBR, GPT and the volume of partition 1, for use as a disk.
	// Without it the system area is zero.
	Hybrid bool
}

// BIOSBoot starts isolinux.
type BIOSBoot struct {
	// Path is the file of isolinux.bin in the volume. It gets a boot
	// information table.
	Path string

	// MBR is the boot code of a hybrid image: isohdpfx.bin, of which at most
	// 432 bytes are used. Nil for one that does not boot from disks.
	MBR []byte
}

// EFIBoot starts the loader in a FAT file system.
type EFIBoot struct {
	// Path is the file of the FAT image in the volume, a multiple of 512
	// bytes. Its own label must differ from the volume identifiers.
	Path string
}

// The recorded lengths of the identifiers (ECMA-119 §8.4), in characters.
const (
	maxVolumeID   = 32
	maxSystemID   = 32
	maxIdentifier = 128
)

// The years of a directory record's date (ECMA-119 §9.1.5).
const (
	minYear = 1900
	maxYear = minYear + 255
)

// check reports what is wrong with the scalar fields; the tree checks Files.
func (img Image) check() error {
	if img.VolumeID == "" {
		return fmt.Errorf("volume ID is empty")
	}
	for _, field := range []struct {
		name, value string
		limit       int
	}{
		{"volume ID", img.VolumeID, maxVolumeID},
		{"system ID", img.SystemID, maxSystemID},
		{"volume set ID", img.VolumeSetID, maxIdentifier},
		{"publisher", img.Publisher, maxIdentifier},
		{"data preparer", img.DataPreparer, maxIdentifier},
		{"application", img.Application, maxIdentifier},
	} {
		if err := checkText(field.value, field.limit); err != nil {
			return fmt.Errorf("%s %q %w", field.name, field.value, err)
		}
	}
	if year := img.Time.UTC().Year(); year < minYear || year > maxYear {
		return fmt.Errorf("year %d is outside of %d to %d", year, minYear, maxYear)
	}
	if bios := img.Boot.BIOS; bios != nil && bios.MBR != nil && !img.Boot.Hybrid {
		return fmt.Errorf("boot code for disks needs a hybrid image")
	}
	return nil
}

// checkText refuses what a padded ASCII field cannot give back unchanged.
func checkText(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("has %d characters, more than %d", len(s), limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return fmt.Errorf("holds byte %#02x, which is not printable ASCII", s[i])
		}
	}
	if s != "" && s[len(s)-1] == ' ' {
		return fmt.Errorf("ends with a space")
	}
	return nil
}

// PartitionVolumeID returns the volume identifier of partition 1 of a hybrid
// image: the image's own with the suffix ".p1", shortened to fit.
func PartitionVolumeID(volumeID string) string {
	const suffix, other = ".p1", ".p2"
	stem := volumeID[:min(len(volumeID), maxVolumeID-len(suffix))]
	if stem+suffix == volumeID {
		return stem + other
	}
	return stem + suffix
}
