// Package magic recognises what a disk or a partition holds, by the magic numbers of formats.
package magic

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"
)

// Content is what a disk or partition holds, by the names of blkid(8).
type Content struct {
	Type  string // empty if nothing was recognised
	Label string // empty if there is none, or it takes more to read
	Set   string // what it is a member of, in words; mostly empty
}

// setOf names what the members of which must not be written by mistake.
var setOf = map[string]string{
	"LVM2_member":       "an LVM volume group",
	"linux_raid_member": "a RAID",
	"zfs_member":        "a ZFS pool",
	"bcache":            "a bcache set",
	"bcachefs":          "",
	"drbd":              "a DRBD resource",
	"isw_raid_member":   "a firmware RAID",
	"ddf_raid_member":   "a firmware RAID",
}

// SetOf says what a member in that format is one of, in words; mostly nothing.
func SetOf(format string) string { return setOf[format] }

// signature is where a format writes its magic number, and its label.
type signature struct {
	format string
	offset int64 // negative: from the end, rounded down to align
	align  int64 // of the end; 0 for none
	magic  string

	labelOffset int64 // from the beginning; 0 for none here
	labelLength int64
}

// signatures are tried in this order: sets before file systems, and tables of
// partitions at last, because a hybrid image is both. The places are those of
// libblkid/src/superblocks of util-linux, which cites each format.
var signatures = []signature{
	{format: "LVM2_member", offset: 0, magic: "LABELONE"},
	{format: "LVM2_member", offset: 512, magic: "LABELONE"},
	{format: "LVM2_member", offset: 1024, magic: "LABELONE"},
	{format: "LVM2_member", offset: 1536, magic: "LABELONE"},
	{format: "linux_raid_member", offset: 0, magic: mdMagic},                    // 1.1
	{format: "linux_raid_member", offset: 4096, magic: mdMagic},                 // 1.2
	{format: "linux_raid_member", offset: -8192, align: 4096, magic: mdMagic},   // 1.0
	{format: "linux_raid_member", offset: -65536, align: 65536, magic: mdMagic}, // 0.90
	{format: "isw_raid_member", offset: -1024, magic: "Intel Raid ISM Cfg Sig. "},
	{format: "ddf_raid_member", offset: -512, magic: "\xDE\x11\xDE\x11"},
	{format: "bcache", offset: 4096 + 24, magic: "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{format: "crypto_LUKS", offset: 0, magic: "LUKS\xba\xbe", labelOffset: 24, labelLength: 48},
	{format: "iso9660", offset: 32769, magic: "CD001", labelOffset: 32808, labelLength: 32},
	{format: "udf", offset: 32769, magic: "BEA01"},
	{format: "btrfs", offset: 65600, magic: "_BHRfS_M", labelOffset: 65835, labelLength: 256},
	{format: "ext4", offset: 1080, magic: "\x53\xef", labelOffset: 1144, labelLength: 16},
	{format: "xfs", offset: 0, magic: "XFSB", labelOffset: 108, labelLength: 12},
	{format: "f2fs", offset: 1024, magic: "\x10\x20\xf5\xf2"},
	{format: "bcachefs", offset: 4096 + 24, magic: "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", labelOffset: 4096 + 72, labelLength: 32},
	{format: "erofs", offset: 1024, magic: "\xe2\xe1\xf5\xe0", labelOffset: 1088, labelLength: 16},
	{format: "squashfs", offset: 0, magic: "hsqs"},
	{format: "swap", offset: 4086, magic: "SWAPSPACE2", labelOffset: 1052, labelLength: 16},
	{format: "ntfs", offset: 3, magic: "NTFS    "},
	{format: "exfat", offset: 3, magic: "EXFAT   "},
	{format: "vfat", offset: 82, magic: "FAT32   ", labelOffset: 71, labelLength: 11},
	{format: "vfat", offset: 54, magic: "FAT", labelOffset: 43, labelLength: 11},
	{format: "gpt", offset: 512, magic: "EFI PART"},
	{format: "gpt", offset: 4096, magic: "EFI PART"},
	{format: "dos", offset: 510, magic: "\x55\xaa"},
}

// mdMagic is 0xa92b4efc, little-endian.
const mdMagic = "\xfc\x4e\x2b\xa9"

// Read recognises what is on a device of that many bytes. What cannot be read
// is not recognised.
func Read(r io.ReaderAt, size int64) Content {
	read := func(offset, length int64) []byte {
		b := make([]byte, length)
		if offset < 0 || offset+length > size {
			return nil
		}
		if n, err := r.ReadAt(b, offset); int64(n) != length || err != nil && err != io.EOF {
			return nil
		}
		return b
	}
	if isZFS(read, size) {
		return Content{Type: "zfs_member", Set: setOf["zfs_member"]}
	}
	for _, s := range signatures {
		offset := s.offset
		if offset < 0 {
			end := size
			if s.align != 0 {
				end -= size % s.align
			}
			offset += end
		}
		if !bytes.Equal(read(offset, int64(len(s.magic))), []byte(s.magic)) {
			continue
		}
		c := Content{Type: s.format, Set: setOf[s.format]}
		if s.labelLength > 0 {
			c.Label = label(read(s.labelOffset, s.labelLength))
		}
		return c
	}
	return Content{}
}

// label is the text of a label, which ends with zeros or spaces.
func label(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	s := strings.TrimRight(string(b), " ")
	if s == "NO NAME" || !utf8.ValidString(s) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f { // nothing that a terminal would obey
			return '?'
		}
		return r
	}, s)
}

// A ZFS vdev has four labels of 256 KiB, two at each end, and in the second
// half of each an array of uberblocks of 1 KiB or more (ZFS On-Disk
// Specification, 1.2.1 and 1.3.3). Not every place in it is filled.
const (
	zfsLabelSize  = 256 << 10
	zfsUberblocks = 128 << 10
	zfsUberblock  = 1 << 10
	zfsMagic      = 0x00bab10c
)

func isZFS(read func(offset, length int64) []byte, size int64) bool {
	last := size - size%zfsLabelSize
	for _, start := range []int64{0, last - zfsLabelSize} {
		array := read(start+zfsUberblocks, zfsLabelSize-zfsUberblocks)
		for i := 0; i+8 <= len(array); i += zfsUberblock {
			if binary.LittleEndian.Uint64(array[i:]) == zfsMagic || binary.BigEndian.Uint64(array[i:]) == zfsMagic {
				return true
			}
		}
	}
	return false
}
