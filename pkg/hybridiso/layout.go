package hybridiso

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// partitionBlock is where partition 1 begins: behind the system area, at the
// volume descriptors of the image, which are in turn the system area of the
// partition's own volume.
const partitionBlock = 16

// Layout is an image with everything decided that does not depend on the size
// of the stream. It does not change and may be used by several goroutines.
type Layout struct {
	image   Image
	volumes []*volume // of the image, and of partition 1 if it is hybrid

	ordinary []*node // regular files with fixed places, in physical order
	stream   *node   // or nil
	late     []*node // files that follow from the stream, in physical order
	bios     *node   // isolinux.bin, one of ordinary; or nil
	esp      *node   // the FAT image; or nil

	catalogBlock int64
	emptyBlock   int64 // the address of everything without content
	dataBlock    int64 // first block behind the head
	dataEnd      int64 // first block behind the ordinary files
}

// geometry is what depends on the size of the stream.
type geometry struct {
	emptyBlock int64
	streamNode *node
	stream     extent
	lateNodes  []*node
	late       []extent // theirs
	espNode    *node
	esp        extent
	dataEnd    int64 // first block behind partition 1
	blocks     int64 // of the whole image
}

// sectors returns the size of the image in sectors.
func (g geometry) sectors() int64 { return g.blocks * sectorsPerBlock }

// sections returns the file sections of a node: one for most, several for a
// file too large for one (ECMA-119 §6.4.4), one without length for empty files
// and links.
func (g geometry) sections(n *node) []extent {
	e := n.extent
	switch n {
	case g.streamNode:
		e = g.stream
	case g.espNode:
		e = g.esp
	default:
		if i := slices.Index(g.lateNodes, n); i >= 0 {
			e = g.late[i]
		}
	}
	if e.size == 0 {
		return []extent{{block: g.emptyBlock}}
	}
	var sections []extent
	for e.size > maxExtent {
		sections = append(sections, extent{e.block, maxExtent})
		e.block += maxExtent / blockSize
		e.size -= maxExtent
	}
	return append(sections, e)
}

// Layout checks the image and decides where everything goes. It reads no files.
func (img Image) Layout() (*Layout, error) {
	if img.Time.IsZero() {
		img.Time = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if err := img.check(); err != nil {
		return nil, fmt.Errorf("laying out image: %w", err)
	}
	tree, err := newTree(img.Files)
	if err != nil {
		return nil, fmt.Errorf("laying out image: %w", err)
	}
	l := &Layout{image: img}
	if err := l.assign(tree); err != nil {
		return nil, fmt.Errorf("laying out image: %w", err)
	}
	if err := l.place(tree); err != nil {
		return nil, fmt.Errorf("laying out image: %w", err)
	}
	return l, nil
}

// assign gives the regular files their parts.
func (l *Layout) assign(t *tree) (err error) {
	boot := l.image.Boot
	if boot.BIOS != nil {
		if l.bios, err = t.bootFile(boot.BIOS.Path); err != nil {
			return err
		}
		if size := l.bios.size(); size < bootInformationEnd || size > maxBootProgram {
			return fmt.Errorf("boot file %q has %d bytes, expected %d to %d", l.bios.path, size, bootInformationEnd, maxBootProgram)
		}
		if len(boot.BIOS.MBR) > maxBootCode {
			return fmt.Errorf("boot code for disks has %d bytes, more than %d", len(boot.BIOS.MBR), maxBootCode)
		}
	}
	if boot.EFI != nil {
		if l.esp, err = t.bootFile(boot.EFI.Path); err != nil {
			return err
		}
		if size := l.esp.size(); size == 0 || size%sectorSize != 0 {
			return fmt.Errorf("EFI image %q has %d bytes, expected a multiple of %d", l.esp.path, size, sectorSize)
		}
		if l.esp == l.bios {
			return fmt.Errorf("file %q is both boot files", l.esp.path)
		}
	}
	total := int64(0)
	for _, n := range t.regular() {
		if total += n.size(); total > maxImage {
			return fmt.Errorf("file %q: all up to it are larger than the %d bytes of the largest image", n.path, int64(maxImage))
		}
		switch {
		case n.file.Stream:
			l.stream = n
		case n.file.Late != nil:
			l.late = append(l.late, n)
		case n != l.esp:
			l.ordinary = append(l.ordinary, n)
		}
	}
	return nil
}

// place gives out the blocks of the head and of the ordinary files.
func (l *Layout) place(t *tree) error {
	if err := l.planVolumes(t); err != nil {
		return err
	}
	for _, n := range l.ordinary {
		n.extent.size = n.size()
	}
	last := l.volumes[len(l.volumes)-1]
	next := last.base + descriptorBlock + last.descriptorCount()

	// The directories' lengths depend on sizes alone, so it does not matter
	// that no block is known yet.
	largest := l.geometry(l.maxStream())
	for _, v := range l.volumes {
		for _, h := range v.hierarchies() {
			var err error
			if next, err = h.place(next, v.base, largest); err != nil {
				return err
			}
		}
	}
	l.catalogBlock = next
	l.emptyBlock = l.catalogBlock + 1
	l.dataBlock = l.emptyBlock + 1

	next = l.dataBlock
	for _, n := range l.ordinary {
		n.extent.block = next
		next = n.extent.end()
	}
	l.dataEnd = next
	if size := l.Size(l.maxStream()); size > maxImage {
		return fmt.Errorf("image may need %d bytes, more than the %d of the largest image", size, int64(maxImage))
	}
	return nil
}

// planVolumes plans the volume of the image, and that of partition 1 without
// the EFI system partition, which it does not hold.
func (l *Layout) planVolumes(t *tree) error {
	all := func(*node) bool { return true }
	image, err := newVolume(l.image.VolumeID, 0, t.root, l.image.Time, all)
	if err != nil {
		return err
	}
	image.bootable = l.bootable()
	l.volumes = []*volume{image}
	if !l.image.Boot.Hybrid {
		return nil
	}
	inside := func(n *node) bool { return n != l.esp }
	partition, err := newVolume(PartitionVolumeID(l.image.VolumeID), partitionBlock, t.root, l.image.Time, inside)
	if err != nil {
		return err
	}
	partition.hundredths = 1
	l.volumes = append(l.volumes, partition)
	return nil
}

// bootable reports whether the image has a boot catalog.
func (l *Layout) bootable() bool { return l.bios != nil || l.esp != nil }

func (l *Layout) maxStream() int64 {
	if l.stream == nil {
		return 0
	}
	return l.stream.file.MaxSize
}

// geometry places what follows the ordinary files.
func (l *Layout) geometry(streamSize int64) geometry {
	g := geometry{emptyBlock: l.emptyBlock, streamNode: l.stream, lateNodes: l.late, espNode: l.esp, dataEnd: l.dataEnd}
	if l.stream != nil {
		g.stream = extent{alignUp(g.dataEnd, alignmentBlocks), streamSize}
		g.dataEnd = g.stream.end()
	}
	for _, n := range l.late {
		e := extent{g.dataEnd, n.size()}
		g.late = append(g.late, e)
		g.dataEnd = e.end()
	}
	end := g.dataEnd
	if l.esp != nil {
		g.esp = extent{alignUp(end, alignmentBlocks), l.esp.size()}
		end = g.esp.end()
	}
	if l.image.Boot.Hybrid {
		end += blocksOf(backupSectors * sectorSize)
	}
	g.blocks = alignUp(end, alignmentBlocks)
	return g
}

// Size returns the size of the image in bytes if the stream has the given size.
func (l *Layout) Size(streamSize int64) int64 {
	return l.geometry(streamSize).blocks * blockSize
}

// HeadSize returns how many bytes at the beginning Write writes at last, at once.
func (l *Layout) HeadSize() int64 { return l.dataBlock * blockSize }

// StreamOffset returns where in the image the stream begins, in bytes, or 0
// without a stream.
func (l *Layout) StreamOffset() int64 {
	return l.geometry(0).stream.block * blockSize
}

// head returns everything before the ordinary files.
func (l *Layout) head(g geometry) []byte {
	head := make([]byte, l.dataBlock*blockSize)
	put := func(block int64, content []byte) { copy(head[block*blockSize:], content) }
	if l.image.Boot.Hybrid {
		put(0, l.systemArea(g))
	}
	for _, v := range l.volumes {
		put(v.base+descriptorBlock, v.descriptors(l.image, g, l.catalogBlock))
		for _, h := range v.hierarchies() {
			put(h.pathTableL, h.pathTable(binary.LittleEndian))
			put(h.pathTableM, h.pathTable(binary.BigEndian))
			for _, dir := range h.directories {
				put(dir.block, h.render(dir, g))
			}
			put(h.continuation.block, h.continuation.render(h.base))
		}
	}
	if l.bootable() {
		put(l.catalogBlock, l.bootCatalog(g))
	}
	return head
}
