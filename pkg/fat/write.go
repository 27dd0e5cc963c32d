package fat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// bufferSize is the unit of writing.
const bufferSize = 256 << 10

// Write writes the image from its first byte to its last.
func (l *Layout) Write(ctx context.Context, w io.Writer) error {
	out := &writer{w: bufio.NewWriterSize(w, bufferSize)}
	if l.bits == 32 {
		out.write(l.reserved32())
	} else {
		out.write(l.bootSector())
	}
	table := l.table()
	for range tableCount {
		out.write(table)
	}
	if l.bits != 32 { // there it is among the others
		out.write(l.directory(l.root))
	}
	out.zeros(l.dataSector()*sectorSize - out.n)
	for _, n := range l.order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n.dir {
			out.write(l.directory(n))
		} else if err := out.content(n); err != nil {
			return fmt.Errorf("file %q: %w", n.path, err)
		}
		out.zeros(n.clusters*l.clusterSize() - n.size)
	}
	out.zeros(l.size - out.n)
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

func (l *Layout) bootSector() []byte {
	b := bootSector{
		JmpBoot:    jumpToBootCode,
		BytsPerSec: sectorSize,
		SecPerClus: uint8(l.sectorsPerCluster),
		RsvdSecCnt: reservedCount,
		NumFATs:    tableCount,
		RootEntCnt: rootEntryCount,
		Media:      mediaFixed,
		FATSz16:    uint16(l.tableSectors),
		SecPerTrk:  sectorsPerTrack,
		NumHeads:   heads,
		DrvNum:     driveFixed,
		BootSig:    extendedBootSig,
		VolID:      l.serial,
		VolLab:     l.label,
		Signature:  bootSignature,
	}
	if l.totalSectors <= math.MaxUint16 {
		b.TotSec16 = uint16(l.totalSectors)
	} else {
		b.TotSec32 = uint32(l.totalSectors)
	}
	copy(b.OEMName[:], oemName)
	copy(b.FilSysType[:], pad(fmt.Sprintf("FAT%d", l.bits), len(b.FilSysType)))
	copy(b.BootCode[:], bootFailure)
	return encode(nil, &b)
}

// reserved32 is what lies before the tables of FAT32.
func (l *Layout) reserved32() []byte {
	b := bootSector{
		JmpBoot:    jumpToBootCode32,
		BytsPerSec: sectorSize,
		SecPerClus: uint8(l.sectorsPerCluster),
		RsvdSecCnt: reservedCount32,
		NumFATs:    tableCount,
		Media:      mediaFixed,
		SecPerTrk:  sectorsPerTrack,
		NumHeads:   heads,
		TotSec32:   uint32(l.totalSectors),
	}
	copy(b.OEMName[:], oemName)
	b32 := bootSector32{
		FATSz32:   uint32(l.tableSectors),
		RootClus:  uint32(l.root.first),
		FSInfo:    infoSector,
		BkBootSec: backupSector,
		DrvNum:    driveFixed,
		BootSig:   extendedBootSig,
		VolID:     l.serial,
		VolLab:    l.label,
	}
	copy(b32.FilSysType[:], pad("FAT32", len(b32.FilSysType)))
	sector := append(encode(encode(nil, &b)[:bootSector32Offset], &b32), bootFailure...)
	sector = append(sector, make([]byte, sectorSize-len(sector))...)
	copy(sector[sectorSize-len(bootSignature):], bootSignature[:])
	used := int64(0)
	for _, n := range l.order {
		used += n.clusters
	}
	info := infoSector32{
		LeadSig: infoLead, StrucSig: infoStruct, TrailSig: infoTrail,
		FreeCount: uint32(l.clusters - used), NxtFree: uint32(firstCluster + used),
	}
	if used == l.clusters {
		info.NxtFree = unknownCount
	}
	both := encode(sector, &info)
	all := make([]byte, reservedCount32*sectorSize)
	copy(all, both)
	copy(all[backupSector*sectorSize:], both)
	return all
}

// table returns the allocation table: for each cluster the next of its file.
func (l *Layout) table() []byte {
	endOfChain := uint32(1)<<min(l.bits, 28) - 1
	elements := make([]uint32, l.clusters+firstCluster)
	elements[0] = endOfChain&^0xFF | mediaFixed
	elements[1] = endOfChain // and: unmounted properly, no errors
	for _, n := range l.order {
		last := n.first + n.clusters - 1
		for c := n.first; c < last; c++ {
			elements[c] = uint32(c + 1)
		}
		elements[last] = endOfChain
	}
	table := make([]byte, l.tableSectors*sectorSize)
	switch l.bits {
	case 32:
		for i, e := range elements {
			binary.LittleEndian.PutUint32(table[4*i:], e)
		}
		return table
	case 16:
		for i, e := range elements {
			binary.LittleEndian.PutUint16(table[2*i:], uint16(e))
		}
		return table
	}
	// Two elements of 12 bits share three bytes (page 17).
	for i, e := range elements {
		at := i + i/2
		if i%2 == 0 {
			table[at] = byte(e)
			table[at+1] |= byte(e >> 8)
		} else {
			table[at] |= byte(e << 4)
			table[at+1] = byte(e >> 4)
		}
	}
	return table
}

// directory returns the entries of a directory.
func (l *Layout) directory(dir *node) []byte {
	var b []byte
	switch {
	case dir != l.root:
		b = encode(b, l.entry(shortDot, attrDirectory, dir.first, 0))
		parent := dir.parent.first
		if dir.parent == l.root { // 0, wherever that is (page 25)
			parent = 0
		}
		b = encode(b, l.entry(shortDotDot, attrDirectory, parent, 0))
	case l.named:
		b = encode(b, l.entry(l.label, attrVolumeID, 0, 0))
	}
	for _, c := range dir.children {
		b = c.appendLong(b)
		if c.dir {
			b = encode(b, l.entry(c.short, attrDirectory, c.first, 0))
		} else {
			b = encode(b, l.entry(c.short, attrArchive, c.first, uint32(c.size)))
		}
	}
	return b
}

var (
	shortDot    = [11]byte([]byte(".          "))
	shortDotDot = [11]byte([]byte("..         "))
)

func (l *Layout) entry(name [11]byte, attr uint8, first int64, size uint32) *dirEntry {
	return &dirEntry{
		Name: name, Attr: attr,
		CrtTimeTenth: l.stamp.tenth, CrtTime: l.stamp.time, CrtDate: l.stamp.date,
		LstAccDate: l.stamp.date,
		WrtTime:    l.stamp.time, WrtDate: l.stamp.date,
		FstClusHI: uint16(first >> 16), FstClusLO: uint16(first), FileSize: size,
	}
}

// appendLong appends the entries of the long name, the last piece first.
func (n *node) appendLong(b []byte) []byte {
	units := n.longUnits()
	pieces := (len(units) + unitsPerLongEntry - 1) / unitsPerLongEntry
	if len(units)%unitsPerLongEntry != 0 {
		units = append(units, 0)
	}
	for len(units) < pieces*unitsPerLongEntry {
		units = append(units, longNamePadding)
	}
	for i := pieces; i > 0; i-- {
		piece := units[(i-1)*unitsPerLongEntry:]
		e := longEntry{Ord: uint8(i), Attr: attrLongName, Chksum: checksum(n.short)}
		if i == pieces {
			e.Ord |= lastLongEntry
		}
		piece = piece[copy(e.Name1[:], piece):]
		piece = piece[copy(e.Name2[:], piece):]
		copy(e.Name3[:], piece)
		b = encode(b, &e)
	}
	return b
}

// writer counts bytes and keeps the first error.
type writer struct {
	w   *bufio.Writer
	n   int64
	err error
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		var n int
		n, w.err = w.w.Write(b)
		w.n += int64(n)
	}
}

var zeroBlock [sectorSize]byte

func (w *writer) zeros(n int64) {
	for ; n > 0; n -= sectorSize {
		w.write(zeroBlock[:min(n, sectorSize)])
	}
}

// content copies a file, whose length must be the one that was laid out.
func (w *writer) content(n *node) (err error) {
	if w.err != nil {
		return w.err
	}
	source := io.NopCloser(bytes.NewReader(n.file.Data))
	if n.file.Open != nil {
		if source, err = n.file.Open(); err != nil {
			return err
		}
	}
	defer func() {
		if closed := source.Close(); err == nil {
			err = closed
		}
	}()
	copied, err := io.Copy(w.w, io.LimitReader(source, n.size+1))
	w.n += copied
	if err == nil && copied != n.size {
		err = fmt.Errorf("content is not %d bytes long", n.size)
	}
	return err
}
