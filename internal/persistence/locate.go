package persistence

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// Kept is a partition that is to be kept, and what is to be made in it first.
type Kept struct {
	Partition
	Fresh Format // Ready if it has been made
}

// Format is what a new partition becomes at the first start.
type Format string

// The formats. Ready is no new partition.
const (
	Ready Format = ""
	Ext4  Format = "ext4"
	LUKS  Format = "luks" // with an ext4 in it
)

// Note is kept in the first sector of a disk, in text, as long as it has no tables because an
// image is being written to it.
func (k Kept) Note() string {
	return fmt.Sprintf("%s %s %d %d %s\n", Name, k.ID, k.Start, k.Size, k.Fresh)
}

// Locate finds the partition on a disk of that size, in bytes, whatever state a writing that was
// interrupted left it in: by the note, by either copy of the table. It returns nil if there is
// none. The error is one of reading.
func Locate(r io.ReaderAt, size int64) (*Kept, error) {
	sector := make([]byte, sectorSize)
	if n, err := r.ReadAt(sector, 0); n < len(sector) {
		return nil, err
	}
	if p := noted(string(sector)); p != nil && p.sound(size) {
		return p, nil
	}
	d, err := gpt.Read(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return nil, err
	}
	table := d.Primary
	// A backup counts only if nobody has made other tables since.
	if table == nil && (d.MBR == nil || d.MBR.Protects()) {
		table = d.Backup
	}
	if table == nil {
		return nil, nil
	}
	if p := named(table); p != nil && p.sound(size) {
		return &Kept{Partition: *p}, nil
	}
	return nil, nil
}

// noted reads a note somewhere in a text, or returns nil.
func noted(text string) *Kept {
	_, text, found := strings.Cut(text, "\n"+Name+" ")
	text, _, ended := strings.Cut(text, "\n")
	fields := strings.Split(text, " ")
	if !found || !ended || len(fields) != 4 {
		return nil
	}
	k := Kept{Fresh: Format(fields[3])}
	id, err := gpt.ParseGUID(fields[0])
	start, err1 := strconv.ParseInt(fields[1], 10, 64)
	size, err2 := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || err1 != nil || err2 != nil || k.Fresh != Ready && k.Fresh != Ext4 && k.Fresh != LUKS {
		return nil
	}
	k.Partition = Partition{id, start, size}
	return &k
}

// sound reports whether the partition lies on a disk of that size, between its ends, which are
// whole blocks.
func (p Partition) sound(disk int64) bool {
	const block = 4096
	end := (disk - Ends) / block * block
	return p.Start >= Ends && p.Size >= sectorSize && p.Start%sectorSize == 0 && p.Size%sectorSize == 0 && p.Size <= end && p.Start <= end-p.Size
}
