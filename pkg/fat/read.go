package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync"
)

// ErrNotFAT is returned by [Open] for bytes that do not begin with the boot
// sector of a FAT file system.
var ErrNotFAT = errors.New("not a FAT file system")

// Reader reads a file system of any maker. It is safe for concurrent use. The
// file system is not trusted: damage is an error, and neither the memory nor
// the time that a call takes depends on what fields claim.
type Reader struct {
	src  io.ReaderAt
	size int64 // of what src holds
	info Info

	tables      int64 // how many there are
	tableStart  int64 // in bytes, as all positions
	tableLength int64 // of one
	rootStart   int64 // of FAT12 and FAT16
	rootLength  int64 // of FAT12 and FAT16
	rootCluster uint32
	dataStart   int64
	dataEnd     int64

	mu          sync.Mutex
	chunk       []byte // of the table
	chunkStart  int64
	claims      map[uint32]int64 // clusters of directories, by the place of the entry that leads there
	directories map[int64]*directory
	cached      int // entries in directories
}

// Info is what a file system says about itself.
type Info struct {
	Bits        int    // of an element of the allocation table: 12, 16 or 32
	Label       string // of the root directory, or else of the boot sector; empty if there is none
	Serial      uint32 // 0x12345678 is shown as 1234-5678
	Size        int64  // in bytes
	SectorSize  int    // in bytes
	ClusterSize int    // in bytes
	Clusters    int64  // for files and directories
}

// bootSector32 follows TotSec32 of bootSector in FAT32 (page 11).
type bootSector32 struct {
	FATSz32    uint32
	ExtFlags   uint16
	FSVer      uint16
	RootClus   uint32
	FSInfo     uint16
	BkBootSec  uint16
	Reserved   [12]byte
	DrvNum     uint8
	Reserved1  uint8
	BootSig    uint8
	VolID      uint32
	VolLab     [11]byte
	FilSysType [8]byte
}

const (
	bootSector32Offset = 36
	minSectorSize      = 512
	maxSectorSize      = 4096
	maxClusters32      = 0x0FFFFFF6 - firstCluster // the last number before the marks
)

// Open reads the boot sector of the file system in the first size bytes of src
// and checks its fields against each other, as Linux does
// (fs/fat/inode.c, fat_read_bpb and fat_fill_super).
func Open(src io.ReaderAt, size int64) (*Reader, error) {
	sector := make([]byte, sectorSize)
	if size < sectorSize {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrNotFAT, size)
	}
	if n, err := src.ReadAt(sector, 0); n < len(sector) {
		return nil, fmt.Errorf("reading boot sector: %w", noEOF(err))
	}
	var b bootSector
	decode(sector, &b)
	var b32 bootSector32
	decode(sector[bootSector32Offset:], &b32)
	r := &Reader{src: src, size: size, claims: map[uint32]int64{}, directories: map[int64]*directory{}}
	if err := r.divide(&b, &b32); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFAT, err)
	}
	label, signature := b.VolLab, b.BootSig
	r.info.Serial = b.VolID
	if r.info.Bits == 32 {
		label, signature = b32.VolLab, b32.BootSig
		r.info.Serial = b32.VolID
	}
	if signature != extendedBootSig {
		r.info.Serial = 0
	} else if text := oemText(label[:]); text != noLabel {
		r.info.Label = text
	}
	if root, err := r.directory(rootEntry()); err == nil && root.label != "" {
		r.info.Label = root.label
	}
	return r, nil
}

// divide finds the areas of the volume.
func (r *Reader) divide(b *bootSector, b32 *bootSector32) error {
	sector := int64(b.BytsPerSec)
	switch {
	case sector < minSectorSize || sector > maxSectorSize || bits.OnesCount64(uint64(sector)) != 1:
		return fmt.Errorf("sectors of %d bytes", sector)
	case bits.OnesCount8(b.SecPerClus) != 1:
		return fmt.Errorf("clusters of %d sectors", b.SecPerClus)
	case b.RsvdSecCnt == 0:
		return errors.New("no sectors before the allocation table")
	case b.NumFATs == 0:
		return errors.New("no allocation table")
	case b.Media < 0xF8 && b.Media != 0xF0:
		return fmt.Errorf("medium of type %#x", b.Media)
	}
	total, tableSectors := int64(b.TotSec16), int64(b.FATSz16)
	if total == 0 {
		total = int64(b.TotSec32)
	}
	r.info.Bits = 16
	if tableSectors == 0 {
		r.info.Bits, tableSectors, r.rootCluster = 32, int64(b32.FATSz32), b32.RootClus
	}
	if tableSectors == 0 {
		return errors.New("allocation table of no sectors")
	}
	r.tables = int64(b.NumFATs)
	r.tableStart = int64(b.RsvdSecCnt) * sector
	r.tableLength = tableSectors * sector
	r.rootStart = r.tableStart + r.tables*r.tableLength
	r.rootLength = int64(b.RootEntCnt) * entrySize
	r.dataStart = (r.rootStart + r.rootLength + sector - 1) / sector * sector
	cluster := int64(b.SecPerClus) * sector
	clusters := (total*sector - r.dataStart) / cluster
	if total*sector <= r.dataStart || clusters == 0 {
		return fmt.Errorf("%d sectors have no room for a cluster", total)
	}
	if r.info.Bits == 16 && clusters <= maxClusters12 {
		r.info.Bits = 12
	}
	if r.info.Bits == 32 && r.rootLength != 0 {
		return fmt.Errorf("FAT32 with a root directory of %d entries", b.RootEntCnt)
	}
	r.dataEnd = r.dataStart + clusters*cluster
	// Clusters that the table has no element for cannot be used.
	clusters = min(clusters, r.tableLength*8/int64(r.info.Bits)-firstCluster, maxClusters32)
	if clusters <= 0 {
		return errors.New("allocation table has no room for a cluster")
	}
	r.info.Size = total * sector
	r.info.SectorSize, r.info.ClusterSize, r.info.Clusters = int(sector), int(cluster), clusters
	return nil
}

// Info returns what the file system says about itself.
func (r *Reader) Info() Info { return r.info }

// readAt fills p from a place in the file system.
func (r *Reader) readAt(p []byte, at int64) error {
	if at > r.size || int64(len(p)) > r.size-at {
		return fmt.Errorf("%d bytes at %d: %w", len(p), at, io.ErrUnexpectedEOF)
	}
	n, err := r.src.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("%d bytes at %d: %w", len(p), at, noEOF(err))
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decode reads a structure of the format, a pointer to one of fixed size, from
// the beginning of b, which is long enough.
func decode(b []byte, structure any) {
	if _, err := binary.Decode(b, binary.LittleEndian, structure); err != nil {
		panic("fat: " + err.Error())
	}
}

// oemText is a label or a part of a short name, without the spaces that pad it.
func oemText(field []byte) string {
	field = bytes.TrimRight(field, " \x00")
	var b strings.Builder
	for _, c := range field {
		if c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(codePage437[c-0x80])
		}
	}
	return b.String()
}

// codePage437 is the upper half of the code page that Linux takes unless told
// otherwise, since a file system does not name the one of its short names.
var codePage437 = [128]rune([]rune("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»" +
	"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"))
