// Package persistence is what a stick remembers in: a partition behind the image, which the
// live system keeps its files on, and the partition tables of image, disk and partition together.
//
// The beginning of such a stick is not patched but computed: [Partition.Extend] is a function of
// the beginning of an image, the size of the disk and the partition, and [Find] is its inverse.
// So every byte of the stick before the partition follows from the image, and can be proved.
package persistence

import (
	"crypto/rand"
	"fmt"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// Name is the partition's in the GPT, by which stage 1 finds it on the disk that the medium is on.
const Name = "livebuild-persist"

// Partition is the place of what is remembered.
type Partition struct {
	ID          gpt.GUID
	Start, Size int64 // in bytes, multiples of sectors
}

// End is the first byte behind the partition.
func (p Partition) End() int64 { return p.Start + p.Size }

const (
	sectorSize = 512

	// alignment is more than what flash is erased in.
	alignment = 4 << 20

	// Ends is what is kept for the tables at the beginning and at the end of a disk, in bytes.
	Ends = 1 << 20

	// MinSize leaves room for more than the journal of a file system.
	MinSize = 64 << 20

	// growth is what is left for a later, larger image: a quarter of this one, at least a
	// GiB, but never more than a third of what is free.
	growthMin   = 1 << 30
	growthShare = 4
	growthFree  = 3
)

// RoomError says that a disk has no room for a partition of that size behind an image.
type RoomError struct {
	Path  string
	Room  int64 // bytes behind the image; may be negative
	Wants int64 // bytes
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("%s has %d bytes behind the image, and %d are wanted for what is to be kept", e.Path, max(0, e.Room), e.Wants)
}

// SectorError says that a disk has sectors of another size than an image's tables.
type SectorError struct {
	Path string
	Size int // in bytes
}

func (e *SectorError) Error() string {
	return fmt.Sprintf("%s has sectors of %d bytes: the partition tables of an image are for %d", e.Path, e.Size, sectorSize)
}

// New decides where a partition of that size lies on a disk, called path, behind an image, all in
// bytes. Of size 0 it takes what is left, but for room that a later image may grow into; of
// another size it is at the end of the disk, so that the image may grow up to there. Its error is
// a *RoomError.
func New(path string, image, disk, size int64) (Partition, error) {
	end := (disk - Ends) / Ends * Ends
	free := end - roundUp(image)
	start := roundUp(image) + roundUp(min(max(image/growthShare, growthMin), max(free, 0)/growthFree))
	wants := int64(MinSize)
	if size > 0 {
		wants = max(size/Ends*Ends, MinSize)
		start = (end - wants) / alignment * alignment
	}
	if end-max(start, roundUp(image)) < wants {
		return Partition{}, &RoomError{path, free, wants}
	}
	p := Partition{Start: start, Size: end - start}
	var uuid [16]byte
	if _, err := rand.Read(uuid[:]); err != nil {
		return Partition{}, err
	}
	uuid[6] = uuid[6]&0x0F | 0x40 // version 4, random (RFC 9562 §5.4)
	uuid[8] = uuid[8]&0x3F | 0x80
	p.ID = gpt.FromUUID(uuid)
	return p, nil
}

func roundUp(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

// Check refuses an image, of so many bytes, that would not end before the partition. Its error is
// a *FitError.
func (p Partition) Check(path string, image int64) error {
	if image > p.Start {
		return &FitError{path, p.Start, image}
	}
	return nil
}

// FitError says that an image does not end before what a stick has kept.
type FitError struct {
	Path       string
	Room, Need int64 // in bytes
}

func (e *FitError) Error() string {
	return fmt.Sprintf("%s keeps files from byte %d on: the image has %d bytes, %d too many", e.Path, e.Room, e.Need, e.Need-e.Room)
}
