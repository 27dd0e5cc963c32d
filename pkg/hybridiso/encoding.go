package hybridiso

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Units of the formats, in bytes.
const (
	blockSize       = 2048 // ECMA-119 §6.1.2, logical sector and block
	sectorSize      = 512  // of disks, and of El Torito load sizes
	sectorsPerBlock = blockSize / sectorSize

	alignment       = 1 << 20
	alignmentBlocks = alignment / blockSize
)

// both16 is a number in both byte orders (ECMA-119 §7.2.3).
type both16 [4]byte

func newBoth16(v uint16) (b both16) {
	binary.LittleEndian.PutUint16(b[:2], v)
	binary.BigEndian.PutUint16(b[2:], v)
	return b
}

// both32 is a number in both byte orders (ECMA-119 §7.3.3).
type both32 [8]byte

func newBoth32(v uint32) (b both32) {
	binary.LittleEndian.PutUint32(b[:4], v)
	binary.BigEndian.PutUint32(b[4:], v)
	return b
}

// value returns the little-endian half, the one that Linux and GRUB use.
func (b both32) value() uint32 { return binary.LittleEndian.Uint32(b[:4]) }

// big32 is a big-endian number in an otherwise little-endian structure.
type big32 [4]byte

func newBig32(v uint32) (b big32) {
	binary.BigEndian.PutUint32(b[:], v)
	return b
}

// shortDate is the date of a directory record (ECMA-119 §9.1.5), in UTC.
type shortDate struct {
	YearsSince1900, Month, Day, Hour, Minute, Second byte
	QuarterHoursFromGMT                              int8
}

func newShortDate(t time.Time) shortDate {
	t = t.UTC()
	return shortDate{
		YearsSince1900: byte(t.Year() - minYear),
		Month:          byte(t.Month()),
		Day:            byte(t.Day()),
		Hour:           byte(t.Hour()),
		Minute:         byte(t.Minute()),
		Second:         byte(t.Second()),
	}
}

// longDate is the date of a volume descriptor (ECMA-119 §8.4.26.1): digits
// down to hundredths of a second, in UTC.
type longDate struct {
	Digits              [16]byte
	QuarterHoursFromGMT int8
}

func newLongDate(t time.Time, hundredths int) (d longDate) {
	copy(d.Digits[:], fmt.Sprintf("%s%02d", t.UTC().Format("20060102150405"), hundredths))
	return d
}

// unspecifiedDate is all digits zero.
func unspecifiedDate() (d longDate) {
	copy(d.Digits[:], "0000000000000000")
	return d
}

// encode returns the little-endian bytes of a structure of fixed size.
func encode(structure any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, structure)
	if err != nil {
		panic(err) // only for a type that has no fixed size
	}
	return b
}

// blocksOf returns the number of blocks that hold size bytes.
func blocksOf(size int64) int64 { return (size + blockSize - 1) / blockSize }

// alignUp returns the first multiple of unit at or after n.
func alignUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// extent is a run of bytes that begins at a block of the image.
type extent struct {
	block int64
	size  int64 // bytes
}

// end returns the first block behind the extent.
func (e extent) end() int64 { return e.block + blocksOf(e.size) }
