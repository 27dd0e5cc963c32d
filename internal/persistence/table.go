package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/layer"
	"github.com/livebuild/livebuild/pkg/gpt"
)

// number is the partition's, if the image has no more than its own two.
const number = 3

// TableError says why the partition table of an image cannot have one partition more.
type TableError struct{ Reason string }

func (e *TableError) Error() string {
	return "the partition table of the image cannot be extended: " + e.Reason
}

// Extend returns what the disk begins and ends with when it has the partition: the head of the
// image, of any length that holds its tables, with these extended, and the last [Ends] bytes of
// the disk. Its error is a *TableError.
func (p Partition) Extend(head []byte, disk int64) (first, last []byte, err error) {
	if disk%sectorSize != 0 || disk < 2*Ends {
		return nil, nil, &TableError{fmt.Sprintf("the disk has %d bytes", disk)}
	}
	before, err := tableOf(head)
	if err != nil {
		return nil, nil, err
	}
	if end := before.table.Sectors * sectorSize; end > p.Start {
		return nil, nil, &TableError{fmt.Sprintf("it is of a disk of %d bytes", end)}
	}
	if before.find() != nil {
		return nil, nil, &TableError{"it has a partition " + Name}
	}
	first, backup, err := before.with(disk/sectorSize, func(partitions []gpt.Partition) []gpt.Partition {
		next := number
		if n := len(partitions); n > 0 {
			next = max(next, partitions[n-1].Number+1)
		}
		return append(partitions, gpt.Partition{
			Number: next, Type: gpt.LinuxFilesystem, ID: p.ID, Start: p.Start / sectorSize, Sectors: p.Size / sectorSize, Name: Name,
		})
	})
	if err != nil {
		return nil, nil, err
	}
	// What cannot be taken back cannot be proved.
	if found, err := found(first, before.table.Sectors*sectorSize); err != nil || !bytes.Equal(found.head, head) || found.Partition != p {
		return nil, nil, &TableError{"it is not as livebuild writes them"}
	}
	last = make([]byte, Ends)
	at := func(sector int64) []byte { return last[sector*sectorSize-(disk-Ends):] }
	copy(at(backup.EntriesAt), backup.Entries)
	copy(at(backup.HeaderAt), backup.Header)
	return first, last, nil
}

// tables are those that a disk begins with.
type tables struct {
	head  []byte
	mbr   gpt.MBR
	table gpt.Table
}

func tableOf(head []byte) (*tables, error) {
	d, err := gpt.Read(bytes.NewReader(head), gpt.UnknownSize)
	switch {
	case err != nil:
		return nil, &TableError{err.Error()}
	case d.GPT() == nil || d.Primary == nil:
		return nil, &TableError{"there is no GPT"}
	case d.SectorSize != sectorSize:
		return nil, &TableError{fmt.Sprintf("it is for sectors of %d bytes", d.SectorSize)}
	}
	return &tables{head, *d.MBR, *d.Primary}, nil
}

// find returns the partition of that name, or nil.
func (t *tables) find() *Partition { return named(&t.table) }

// named returns a table's partition of that name, or nil.
func named(t *gpt.Table) *Partition {
	i := slices.IndexFunc(t.Partitions, func(p gpt.Partition) bool { return p.Name == Name })
	if i < 0 || t.SectorSize != sectorSize {
		return nil
	}
	p := t.Partitions[i]
	return &Partition{p.ID, p.Start * sectorSize, p.Sectors * sectorSize}
}

// with returns the head with its tables for a disk of so many sectors and other partitions, and
// the backup that belongs to it.
func (t *tables) with(sectors int64, change func([]gpt.Partition) []gpt.Partition) (head []byte, backup gpt.Copy, err error) {
	table := t.table
	table.Sectors, table.LastUsable = sectors, 0
	table.Partitions = change(slices.Clone(table.Partitions))
	primary, backup, err := table.Encode()
	if err != nil {
		return nil, backup, &TableError{err.Error()}
	}
	mbr := t.mbr
	for i, r := range mbr.Partitions {
		if r.Type == gpt.TypeProtective {
			mbr.Partitions[i] = gpt.Protective(sectors)
		}
	}
	head = bytes.Clone(t.head)
	if primary.EntriesAt*sectorSize+int64(len(primary.Entries)) > int64(len(head)) {
		return nil, backup, &TableError{"its entries are somewhere else"}
	}
	copy(head, mbr.Bytes())
	copy(head[primary.HeaderAt*sectorSize:], primary.Header)
	copy(head[primary.EntriesAt*sectorSize:], primary.Entries)
	return head, backup, nil
}

// Stick is a disk that has an image and a partition behind it.
type Stick struct {
	Partition
	Image int64 // size of the image, in bytes

	head []byte // of the image as it was built
	disk io.ReaderAt
	size int64 // of the disk that the tables are of, in bytes
}

// headSize is what has the tables: MBR, header, 128 entries.
const headSize = 34 * sectorSize

// Find reads a disk of that size, in bytes, and returns nil if it is no stick with such a
// partition, or one that somebody else has partitioned: what it begins with has to be what
// [Partition.Extend] makes of an image.
func Find(r io.ReaderAt, size int64) *Stick {
	head := make([]byte, headSize)
	if n, _ := r.ReadAt(head, 0); n < len(head) {
		return nil
	}
	t, err := tableOf(head)
	if err != nil || t.find() == nil {
		return nil
	}
	image := volumeSize(r)
	if image <= 0 || image > size {
		return nil
	}
	s, err := found(head, image)
	if err == nil {
		s.disk, s.size = r, t.table.Sectors*sectorSize
	}
	if err != nil || s.End() > size {
		return nil
	}
	again, _, err := s.Extend(s.head, s.size)
	if err != nil || !bytes.Equal(again, head) {
		return nil
	}
	return s
}

// found takes the partition out of the tables of a stick with an image of that size, in bytes.
func found(head []byte, image int64) (*Stick, error) {
	t, err := tableOf(head)
	if err != nil {
		return nil, err
	}
	p := t.find()
	if p == nil {
		return nil, &TableError{"it has no partition " + Name}
	}
	before, _, err := t.with(image/sectorSize, func(partitions []gpt.Partition) []gpt.Partition {
		return slices.DeleteFunc(partitions, func(p gpt.Partition) bool { return p.Name == Name })
	})
	return &Stick{Partition: *p, Image: image, head: before}, err
}

// CheckEnd compares what the disk ends with, the backup of its table, with what follows from the
// image and the partition. It returns where they differ, or -1.
func (s *Stick) CheckEnd() (int64, error) {
	_, last, err := s.Extend(s.head, s.size)
	if err != nil {
		return -1, err
	}
	there := make([]byte, len(last))
	at := s.size - int64(len(last))
	if n, err := s.disk.ReadAt(there, at); n < len(there) {
		return at + int64(n), err
	}
	for i := range last {
		if there[i] != last[i] {
			return at + int64(i), nil
		}
	}
	return -1, nil
}

// AsBuilt reads the image on the stick as it was built.
func (s *Stick) AsBuilt(r io.ReaderAt) io.ReaderAt { return Under(r, s.head) }

// Under reads a disk as if it began with the head of an image, which it does not have, or not yet.
func Under(r io.ReaderAt, head []byte) io.ReaderAt { return layer.Over(r).Put(0, head) }

// volumeSize returns the size in bytes that the primary volume descriptor tells (ECMA-119 §8.4.8),
// or 0.
func volumeSize(r io.ReaderAt) int64 {
	const (
		descriptorAt = 16 * 2048
		sizeAt       = 80
		block        = 2048
	)
	d := make([]byte, sizeAt+4)
	if _, err := r.ReadAt(d, descriptorAt); err != nil && !errors.Is(err, io.EOF) || string(d[:6]) != "\x01CD001" {
		return 0
	}
	return (int64(d[sizeAt]) | int64(d[sizeAt+1])<<8 | int64(d[sizeAt+2])<<16 | int64(d[sizeAt+3])<<24) * block
}
