// Package fat writes and reads FAT file systems, such as the EFI system partition
// of a boot medium.
//
// An [Image] describes the file system. [Image.Layout] decides every cluster,
// name and entry without reading content; [Layout.Write] emits the bytes from
// first to last. The bytes are a function of the description: no clock, no
// random serial number, no order of insertion.
//
// Written are FAT12, FAT16 and FAT32 with 512-byte sectors, two allocation tables
// and, but for FAT32, a root directory of 512 entries; directories; long names.
// The number of clusters decides which: it is FAT32 where there are too many for
// FAT16. Not written are attributes, boot code, code pages (short names are ASCII).
//
// [Open] reads file systems of any maker, hostile ones too, as
// an [io/fs.FS]; [Reader.Findings] says what is wrong with one. Short names are
// taken for code page 437.
//
// The format is Microsoft's "FAT: General Overview of On-Disk Format", version
// 1.03 of December 2000; field names are the specification's.
package fat

import (
	"io"
	"time"
)

// Image describes a file system completely. Two equal images give the same
// bytes, whatever the order of Files.
type Image struct {
	// Label is the volume label: at most 11 upper-case characters as short names
	// allow, or spaces. It may be empty.
	Label string

	// Serial is the volume serial number: 0x12345678 is shown as 1234-5678.
	Serial uint32

	// Time is every date of the file system, in UTC, from 1980 to 2107. Zero stands
	// for 1980-01-01, so that nothing depends on the clock.
	Time time.Time

	// Size is the length of the image in bytes, a multiple of 512.
	Size int64

	// ClusterSize is the allocation unit in bytes, a power of two from 512 to
	// 32768. Zero chooses the smallest from 2048 up with which Size is one of FAT12
	// or FAT16, else the smallest from 4096 up.
	ClusterSize int

	// Files are the contents. Parent directories are implied.
	Files []File
}

// File is a regular file, or an empty directory.
type File struct {
	// Path is slash separated, without leading slash. Names are UTF-8 of at most
	// 255 UTF-16 units; they keep their case, but may not differ in it only.
	Path string

	// Data is the content. If Open is set, the content is read from it instead,
	// and must be Size bytes long.
	Data []byte
	Open func() (io.ReadCloser, error)
	Size int64

	// Dir makes the entry a directory; needed for empty ones only.
	Dir bool
}
