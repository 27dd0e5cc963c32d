package carrier

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"
)

// Places and values of ext4 (kernel.org/doc/html/latest/filesystems/ext4, "Data structures and algorithms").
const (
	ext4Block  = 4096
	ext4Group  = 8 * ext4Block         // blocks of a group, of which one block is the bitmap
	ext4Super  = 1024                  // where the superblock begins, in bytes
	ext4Inode  = 256                   // bytes
	ext4Inodes = ext4Block / ext4Inode // of a group: a block of them

	// Inodes: those below 11 are reserved, and of them the root alone is used.
	ext4Root, ext4LostFound, ext4Folder, ext4File = 2, 11, 12, 13

	ext4Extents = 0x80000 // flag of an inode: its blocks are told by extents
	ext4Extent  = 12      // bytes of one, and of what heads a list of them
	ext4InInode = 4       // extents that an inode has room for
	ext4InBlock = (ext4Block - ext4Extent) / ext4Extent
	ext4Longest = 1 << 15 // blocks of an extent

	ext4NoBackups              = 0x200              // compatible: sparse_super2, of which no group is named
	ext4Needs                  = 0x2 | 0x40 | 0x200 // file types in directories, extents, flexible groups
	ext4ToWrite                = 0x2                // read-only compatible: large files
	ext4Mode                   = 0o444              // of the file, and
	ext4Executes               = ext4Mode | 0o111   // of folders
	ext4Regular, ext4Directory = 0o100000, 0o040000
)

// ext4Volume is a file system with one file, which lies behind all else.
type ext4Volume struct {
	groups, blocks int64
	first          int64 // block of the file, behind all that tells of it
	head           []byte
}

// ext4 lays out an ext4 file system, without a journal, with the image: its size, all that comes before the image, and
// where that lies. What tells of all groups lies in the first ones, so that nothing is in the image's way.
func ext4(size int64) (volume int64, head []byte, at int64, err error) {
	data := (size + ext4Block - 1) / ext4Block
	extents := (data + ext4Longest - 1) / ext4Longest
	leaves := int64(0) // blocks with extents
	if extents > ext4InInode {
		leaves = (extents + ext4InBlock - 1) / ext4InBlock
	}
	if leaves > ext4InInode {
		return 0, nil, 0, fmt.Errorf("an image of %d bytes has more parts on ext4 than are laid out here", size)
	}
	v := &ext4Volume{}
	const folders = 3
	for more := true; more; {
		table := (v.groups*32 + ext4Block - 1) / ext4Block
		v.first = 1 + table + 3*v.groups + folders + leaves
		v.blocks = v.first + data
		more = v.groups < (v.blocks+ext4Group-1)/ext4Group
		v.groups = (v.blocks + ext4Group - 1) / ext4Group
	}
	table := (v.groups*32 + ext4Block - 1) / ext4Block
	v.head = make([]byte, v.first*ext4Block)
	bitmaps := 1 + table // of blocks, then of inodes, then inodes
	inodes := bitmaps + 2*v.groups
	dirs := inodes + v.groups
	for group := range v.groups {
		v.describe(group, bitmaps+group, bitmaps+v.groups+group, inodes+group)
	}
	v.super()

	dir, name := path.Split(strings.TrimPrefix(Path, "/"))
	dir = strings.TrimSuffix(dir, "/")
	for n, folder := range []struct {
		inode, parent, links uint32
		entries              []ext4Entry
	}{
		{ext4Root, ext4Root, 4, []ext4Entry{{"lost+found", ext4LostFound, true}, {dir, ext4Folder, true}}},
		{ext4LostFound, ext4Root, 2, nil},
		{ext4Folder, ext4Root, 2, []ext4Entry{{name, ext4File, false}}},
	} {
		block := dirs + int64(n)
		all := append([]ext4Entry{{".", folder.inode, true}, {"..", folder.parent, true}}, folder.entries...)
		ext4Directories(v.at(block), all)
		i := v.inode(inodes, folder.inode, ext4Directory|ext4Executes, folder.links, ext4Block, 1)
		ext4List(i[40:], ext4InInode, 0, 1)
		ext4Part(i[40+ext4Extent:], 0, 1, block)
	}
	i := v.inode(inodes, ext4File, ext4Regular|ext4Mode, 1, size, data+leaves)
	v.parts(i[40:], dirs+folders, leaves, extents, data)
	return v.blocks * ext4Block, v.head, v.first * ext4Block, nil
}

// at is a block.
func (v *ext4Volume) at(block int64) []byte { return v.head[block*ext4Block:][:ext4Block] }

// usedInodes is how many inodes of a group are not free.
func usedInodes(group int64) int64 {
	if group == 0 {
		return ext4File
	}
	return 0
}

// describe tells of a group, all of whose blocks are used, and fills its bitmaps.
func (v *ext4Volume) describe(group, blockBitmap, inodeBitmap, inodes int64) {
	d := v.head[ext4Block+32*group:][:32]
	for n, block := range []int64{blockBitmap, inodeBitmap, inodes} {
		binary.LittleEndian.PutUint32(d[4*n:], uint32(block))
	}
	binary.LittleEndian.PutUint16(d[14:], uint16(ext4Inodes-usedInodes(group)))
	if group == 0 {
		binary.LittleEndian.PutUint16(d[16:], 3) // folders
	}
	// Bits behind the end are set, too.
	for n, b := 0, v.at(blockBitmap); n < len(b); n++ {
		b[n] = 0xff
	}
	b := v.at(inodeBitmap)
	for n := range ext4Group {
		if int64(n) < usedInodes(group) || n >= ext4Inodes {
			b[n/8] |= 1 << (n % 8)
		}
	}
}

// super is the superblock.
func (v *ext4Volume) super() {
	s := v.head[ext4Super:]
	for at, value := range map[int]uint32{
		0: uint32(v.groups * ext4Inodes), 4: uint32(v.blocks), 16: uint32(v.groups*ext4Inodes - usedInodes(0)),
		24: 2, 28: 2, // blocks of 1 KiB shifted by that
		32: ext4Group, 36: ext4Group, 40: ext4Inodes,
		48: epoch, 64: epoch, 264: epoch,
		76: 1, 84: ext4LostFound, // revision, and the first inode that is not reserved
		92: ext4NoBackups, 96: ext4Needs, 100: ext4ToWrite,
	} {
		binary.LittleEndian.PutUint32(s[at:], value)
	}
	for at, value := range map[int]uint16{54: 0xffff, 56: 0xef53, 58: 1, 60: 1, 88: ext4Inode} {
		binary.LittleEndian.PutUint16(s[at:], value)
	}
	copy(s[104:], "livebuild carries") // of which 16 bytes are the UUID
	copy(s[120:136], "CARRIER\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	s[372] = 20 // groups of a flexible one, as a power of 2: all
}

// epoch is when all of it was written: 1980-01-01.
const epoch = 315532800

// inode fills one, but for its extents.
func (v *ext4Volume) inode(table int64, number, mode, links uint32, size, blocks int64) []byte {
	i := v.head[table*ext4Block+int64(number-1)*ext4Inode:][:ext4Inode]
	binary.LittleEndian.PutUint16(i, uint16(mode))
	binary.LittleEndian.PutUint32(i[4:], uint32(size))
	for _, at := range []int{8, 12, 16} {
		binary.LittleEndian.PutUint32(i[at:], epoch)
	}
	binary.LittleEndian.PutUint16(i[26:], uint16(links))
	binary.LittleEndian.PutUint32(i[28:], uint32(blocks*(ext4Block/sector)))
	binary.LittleEndian.PutUint32(i[32:], ext4Extents)
	binary.LittleEndian.PutUint32(i[108:], uint32(size>>32))
	return i
}

// ext4List heads a list of extents, or of blocks with such lists.
func ext4List(b []byte, room, depth, entries int64) {
	for n, value := range []int64{0xf30a, entries, room, depth} {
		binary.LittleEndian.PutUint16(b[2*n:], uint16(value))
	}
}

// ext4Part is an extent: of blocks of the file, where they lie.
func ext4Part(b []byte, of, blocks, at int64) {
	binary.LittleEndian.PutUint32(b, uint32(of))
	binary.LittleEndian.PutUint16(b[4:], uint16(blocks))
	binary.LittleEndian.PutUint32(b[8:], uint32(at))
}

// parts tells where the file lies: in its inode, or in blocks that the inode names.
func (v *ext4Volume) parts(root []byte, block, leaves, extents, data int64) {
	list := func(b []byte, room, from, to int64) {
		ext4List(b, room, 0, to-from)
		for n := from; n < to; n++ {
			of := n * ext4Longest
			ext4Part(b[ext4Extent*(1+n-from):], of, min(ext4Longest, data-of), v.first+of)
		}
	}
	if leaves == 0 {
		list(root, ext4InInode, 0, extents)
		return
	}
	ext4List(root, ext4InInode, 1, leaves)
	for n := range leaves {
		from := n * ext4InBlock
		index := root[ext4Extent*(1+n):]
		binary.LittleEndian.PutUint32(index, uint32(from*ext4Longest))
		binary.LittleEndian.PutUint32(index[4:], uint32(block+n))
		list(v.at(block+n), ext4InBlock, from, min(extents, from+ext4InBlock))
	}
}

// ext4Entry is one of a directory.
type ext4Entry struct {
	name   string
	inode  uint32
	folder bool
}

// ext4Directories fills the block of a directory.
func ext4Directories(b []byte, entries []ext4Entry) {
	for n, e := range entries {
		length := (8 + len(e.name) + 3) / 4 * 4
		if n == len(entries)-1 {
			length = len(b)
		}
		binary.LittleEndian.PutUint32(b, e.inode)
		binary.LittleEndian.PutUint16(b[4:], uint16(length))
		b[6], b[7] = byte(len(e.name)), 1 // a file
		if e.folder {
			b[7] = 2
		}
		copy(b[8:], e.name)
		b = b[length:]
	}
}
