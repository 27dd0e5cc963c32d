package imagefile

import (
	"encoding/binary"
	"math/bits"
)

var le = binary.LittleEndian

// The descriptors of a volume (ECMA-119 §8.1 and §8.4): from sector 16 on, of
// 2048 bytes each.
const (
	descriptorStart  = 16 * 2048
	descriptorSize   = 2048
	descriptorMagic  = "CD001"
	maxDescriptors   = 64
	primaryType      = 1
	volumeSpaceSize  = 80
	logicalBlockSize = 128
)

// isoSize returns how many bytes the volume has by its primary descriptor.
func isoSize(head []byte) (size int64, ok bool) {
	for i := range maxDescriptors {
		offset := descriptorStart + i*descriptorSize
		if offset+descriptorSize > len(head) || !has(head, offset+1, descriptorMagic) {
			return 0, false
		}
		if d := head[offset:]; d[0] == primaryType {
			return int64(le.Uint32(d[volumeSpaceSize:])) * int64(le.Uint16(d[logicalBlockSize:])), true
		}
	}
	return 0, false
}

// superblock is how a file system is known, and how many bytes it says it has.
// The length of its head is enough for its fields.
type superblock struct {
	name  string
	magic []magic
	size  func(head []byte) int64 // negative: it is none
}

const superblockEnd = 128 << 10 // behind all that is looked at

// bootSectors are file systems that begin with a boot sector, superblocks all
// others that a whole disk can be. Their fields are
// those of the kernel's headers: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h,
// uapi/linux/btrfs_tree.h, linux/f2fs_fs.h, and for the others of
// libblkid/src/superblocks.
var (
	bootSectors = []superblock{
		{"NTFS", []magic{at(3, "NTFS    ")}, func(h []byte) int64 {
			sectors := le.Uint64(h[40:]) // without the copy of the first one at the end
			if sectors >= 1<<63 {
				return -1
			}
			return mul(int64(le.Uint16(h[11:])), sectors+1)
		}},
		{"exFAT", []magic{at(3, "EXFAT   ")}, func(h []byte) int64 {
			if h[108] > 12 {
				return -1
			}
			return mul(1<<h[108], le.Uint64(h[72:]))
		}},
		{"FAT", []magic{at(510, mbrMagic)}, fatSize},
	}
	superblocks = []superblock{
		{"ext4", []magic{at(1024+56, "\x53\xef")}, extSize},
		{"XFS", []magic{at(0, "XFSB")}, func(h []byte) int64 {
			return mul(int64(be.Uint32(h[4:])), be.Uint64(h[8:]))
		}},
		{"Btrfs", []magic{at(64<<10+64, "_BHRfS_M")}, func(h []byte) int64 {
			const deviceItem = 64<<10 + 201 // of this device; the totals are of all
			return mul(1, le.Uint64(h[deviceItem+8:]))
		}},
		{"F2FS", []magic{at(1024, "\x10\x20\xf5\xf2")}, func(h []byte) int64 {
			const logBlockSize, blockCount = 1024 + 16, 1024 + 36
			if le.Uint32(h[logBlockSize:]) > 16 {
				return -1
			}
			return mul(1<<le.Uint32(h[logBlockSize:]), le.Uint64(h[blockCount:]))
		}},
		{"UDF", []magic{at(descriptorStart+1, "BEA01")}, udfSize},
		{"HFS+", []magic{at(1024, "H+\x00\x04")}, hfsSize},
		{"HFS+", []magic{at(1024, "HX\x00\x05")}, hfsSize},
	}
)

var be = binary.BigEndian

const mbrMagic = "\x55\xaa" // at the end of every boot sector

// mul multiplies, and is negative if that is too much for a size.
func mul(a int64, b uint64) int64 {
	if high, low := bits.Mul64(uint64(a), b); high == 0 && int64(low) >= 0 {
		return int64(low)
	}
	return -1
}

// fileSystem recognises a file system that is not within a partition.
func fileSystem(list []superblock, head []byte) (Contents, bool) {
	padded := head
	if len(padded) < superblockEnd {
		padded = append(append(make([]byte, 0, superblockEnd), head...), make([]byte, superblockEnd-len(head))...)
	}
	for _, s := range list {
		if _, ok := match([]format{{magic: s.magic}}, head); !ok {
			continue
		}
		if size := s.size(padded); size >= 0 {
			return Contents{
				What:   "a bare file system (" + s.name + ")",
				Starts: s.name == "FAT", // which firmware reads (UEFI 2.10 §13.3)
				needs:  []need{{size, "its file system"}},
			}, true
		}
	}
	return Contents{}, false
}

// extSize looks at more than the magic number, which is short.
func extSize(h []byte) int64 {
	s := h[1024:]
	inodes, blocks, logBlockSize, revision := le.Uint32(s[0:]), uint64(le.Uint32(s[4:])), le.Uint32(s[24:]), le.Uint32(s[76:])
	const incompat64Bit = 0x80
	if le.Uint32(s[96:])&incompat64Bit != 0 {
		blocks |= uint64(le.Uint32(s[336:])) << 32
	}
	if inodes == 0 || blocks == 0 || logBlockSize > 6 || revision > 1 {
		return -1
	}
	return mul(1024<<logBlockSize, blocks)
}

// fatSize reads the BIOS parameter block (FAT 1.03, "Boot Sector and BPB").
func fatSize(h []byte) int64 {
	sector, cluster, reserved, fats, media := le.Uint16(h[11:]), h[13], le.Uint16(h[14:]), h[16], h[21]
	jump := h[0] == 0xE9 || h[0] == 0xEB && h[2] == 0x90
	if !jump || sector < 512 || sector > 4096 || bits.OnesCount16(sector) != 1 || bits.OnesCount8(cluster) != 1 ||
		reserved == 0 || fats == 0 || fats > 2 || media != 0xF0 && media < 0xF8 {
		return -1
	}
	sectors := uint64(le.Uint16(h[19:]))
	if sectors == 0 {
		sectors = uint64(le.Uint32(h[32:]))
	}
	return mul(int64(sector), sectors)
}

// udfSize finds the end of a volume's partition. The anchor in sector 256 says
// where the volume descriptors are, and one of those where the partition is
// (ECMA-167 3/10.2 and 3/10.5, OSTA UDF 2.60 §2.2.3). A size of 0 means that
// nothing in the head says so.
func udfSize(h []byte) int64 {
	const (
		anchorSector    = 256
		anchorTag       = 2
		partitionTag    = 5
		terminatorTag   = 8
		descriptors     = 20 // of the extent, behind the tag and a length
		partitionStart  = 188
		partitionLength = 192
		udfDescriptor   = 512
	)
	if !has(h, descriptorStart+descriptorSize+1, "NSR0") && !has(h, descriptorStart+2*descriptorSize+1, "NSR0") {
		return -1
	}
	for _, size := range []int{2048, 512, 4096} {
		anchor := anchorSector * size
		if anchor+udfDescriptor > len(h) || le.Uint16(h[anchor:]) != anchorTag {
			continue
		}
		at := int64(le.Uint32(h[anchor+descriptors:])) * int64(size)
		for ; at+udfDescriptor <= int64(len(h)); at += int64(size) {
			d := h[at:]
			switch le.Uint16(d) {
			case partitionTag:
				return mul(int64(size), uint64(le.Uint32(d[partitionStart:]))+uint64(le.Uint32(d[partitionLength:])))
			case 0, terminatorTag:
				return 0
			}
		}
	}
	return 0
}

// hfsSize reads a volume header of HFS+ (TN1150).
func hfsSize(h []byte) int64 {
	return mul(int64(be.Uint32(h[1024+40:])), uint64(be.Uint32(h[1024+44:])))
}
