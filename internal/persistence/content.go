package persistence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Content is what a partition for kept files has in it.
type Content struct {
	Format Format // Ready: nothing that livebuild knows
	New    bool   // it is still to be made, at the first start

	// UUID and Label are those of the file system, or of what is encrypted around it; empty
	// where there is none.
	UUID, Label string
}

// Headers, at the beginning of a partition: the superblock of ext4 (Documentation/filesystems/ext4,
// "Super Block") and the binary header of LUKS (LUKS2 On-Disk Format Specification 1.1.1, §2.1). The
// UUID of LUKS1 is in the same place.
const (
	superblockAt  = 1024
	extMagicAt    = superblockAt + 0x38
	extIncompatAt = superblockAt + 0x60
	extUUIDAt     = superblockAt + 0x68
	extNameAt     = superblockAt + 0x78
	extNameSize   = 16
	extMagic      = 0xEF53
	extExtents    = 0x40 // no ext2 or ext3 has them

	luksMagic     = "LUKS\xba\xbe"
	luksVersionAt = 6
	luksLabelAt   = 24
	luksLabelSize = 48
	luksUUIDAt    = 168
	luksUUIDSize  = 40

	headerSize = 2048 // holds both
)

// Content reads what is in the partition of a disk. The error is one of reading.
func (p Partition) Content(disk io.ReaderAt) (Content, error) {
	end := make([]byte, requestSize)
	if n, err := disk.ReadAt(end, p.End()-requestSize); n < len(end) {
		return Content{}, fmt.Errorf("the end of what is kept: %w", err)
	}
	if text, found := bytes.CutPrefix(end, []byte(request)); found {
		kind, _, _ := bytes.Cut(text, []byte("\n"))
		if f := Format(kind); f == Ext4 || f == LUKS {
			return Content{Format: f, New: true}, nil
		}
	}
	b := make([]byte, headerSize)
	if n, err := disk.ReadAt(b, p.Start); n < len(b) {
		return Content{}, fmt.Errorf("the beginning of what is kept: %w", err)
	}
	switch {
	case bytes.HasPrefix(b, []byte(luksMagic)):
		c := Content{Format: LUKS, UUID: text(b[luksUUIDAt:][:luksUUIDSize])}
		if binary.BigEndian.Uint16(b[luksVersionAt:]) == 2 {
			c.Label = text(b[luksLabelAt:][:luksLabelSize])
		}
		return c, nil
	case binary.LittleEndian.Uint16(b[extMagicAt:]) == extMagic && binary.LittleEndian.Uint32(b[extIncompatAt:])&extExtents != 0:
		u := b[extUUIDAt:][:16]
		return Content{
			Format: Ext4,
			UUID:   fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]),
			Label:  text(b[extNameAt:][:extNameSize]),
		}, nil
	}
	return Content{}, nil
}

// text is what a field of a header has before the first NUL.
func text(field []byte) string {
	before, _, _ := bytes.Cut(field, []byte{0})
	return strings.ToValidUTF8(string(before), "\uFFFD")
}

// Content reads what is in the partition of the stick. The error is one of reading.
func (s *Stick) Content() (Content, error) { return s.Partition.Content(s.disk) }
