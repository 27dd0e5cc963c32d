package squashfs

import (
	"encoding/binary"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// The on-disk format, in the order of its description in the Linux kernel's
// fs/squashfs/squashfs_fs.h and Documentation/filesystems/squashfs.rst
// (SquashFS 4.0). Every integer is little-endian; structures are packed.

const (
	magic        = 0x73717368 // SQUASHFS_MAGIC, "hsqs"
	versionMajor = 4          // SQUASHFS_MAJOR
	versionMinor = 0          // SQUASHFS_MINOR

	metadataSize = 8192 // SQUASHFS_METADATA_SIZE: bytes of metadata per block, uncompressed
	padding      = 4096 // an image is padded to this, so that any block device holds it whole

	// MinBlockSize and MaxBlockSize bound a data block; it is a power of two.
	MinBlockSize = codec.MinBlockSize
	MaxBlockSize = codec.MaxBlockSize

	nameMax      = 256 // SQUASHFS_NAME_LEN; names are stored as length-1, Linux allows 255
	dirCountMax  = 256 // SQUASHFS_DIR_COUNT: entries behind one directory header
	dirSizeExtra = 3   // a listing's recorded size counts "." and "..", 3 bytes by convention

	// symlinkMax is the longest target of a symbolic link: the kernel refuses
	// one above a page (fs/squashfs/inode.c, squashfs_read_inode).
	symlinkMax = 4096

	invalidFragment = math.MaxUint32 // SQUASHFS_INVALID_FRAG: the file has no tail in a fragment
	invalidXattr    = math.MaxUint32 // SQUASHFS_INVALID_XATTR: the inode has no extended attributes
	invalidTable    = math.MaxUint64 // SQUASHFS_INVALID_BLK: the table is absent

	metadataStored = 1 << 15 // SQUASHFS_COMPRESSED_BIT: in a metadata block's header, stored as it is
	dataStored     = 1 << 24 // SQUASHFS_COMPRESSED_BIT_BLOCK: in a data block's size, stored as it is
)

// Superblock flags.
const (
	flagUncompressedInodes    = 1 << 0
	flagUncompressedData      = 1 << 1
	flagUncompressedFragments = 1 << 3
	flagNoFragments           = 1 << 4
	flagDuplicates            = 1 << 6
	flagExportable            = 1 << 7
	flagNoXattrs              = 1 << 9
	flagCompressorOptions     = 1 << 10
	flagUncompressedIDs       = 1 << 11
)

// inodeType is an inode's type; directory entries carry the basic ones.
type inodeType uint16

const (
	typeDir         inodeType = 1 // SQUASHFS_DIR_TYPE
	typeFile        inodeType = 2 // SQUASHFS_REG_TYPE
	typeSymlink     inodeType = 3 // SQUASHFS_SYMLINK_TYPE
	typeBlockDevice inodeType = 4 // SQUASHFS_BLKDEV_TYPE
	typeCharDevice  inodeType = 5 // SQUASHFS_CHRDEV_TYPE
	typeFIFO        inodeType = 6 // SQUASHFS_FIFO_TYPE
	typeSocket      inodeType = 7 // SQUASHFS_SOCKET_TYPE

	typeExtDir     inodeType = 8  // SQUASHFS_LDIR_TYPE
	typeExtFile    inodeType = 9  // SQUASHFS_LREG_TYPE
	typeExtSymlink inodeType = 10 // SQUASHFS_LSYMLINK_TYPE

	// An extended type is its basic type and this.
	extended = typeExtDir - typeDir
)

// superblock is struct squashfs_super_block, the image's first 96 bytes. Table
// positions are in bytes from the start of the image.
type superblock struct {
	Magic         uint32
	Inodes        uint32
	MkfsTime      uint32 // seconds since 1970
	BlockSize     uint32
	Fragments     uint32
	Compression   uint16
	BlockLog      uint16
	Flags         uint16
	IDs           uint16
	Major         uint16
	Minor         uint16
	RootInode     inodeRef
	BytesUsed     uint64
	IDTable       uint64
	XattrTable    uint64
	InodeTable    uint64
	DirTable      uint64
	FragmentTable uint64
	ExportTable   uint64
}

// inodeRef names an inode by place: the start of its metadata block, in bytes
// from the start of the inode table, in the upper 48 bits, and its offset in
// the uncompressed block in the lower 16.
type inodeRef uint64

func newInodeRef(block uint32, offset uint16) inodeRef {
	return inodeRef(block)<<16 | inodeRef(offset)
}

func (r inodeRef) block() uint64  { return uint64(r) >> 16 }
func (r inodeRef) offset() uint16 { return uint16(r) }

// inodeHeader is struct squashfs_base_inode, common to every inode.
type inodeHeader struct {
	Type  inodeType
	Mode  uint16 // permission bits
	UID   uint16 // index into the ID table
	GID   uint16 // index into the ID table
	Mtime uint32 // seconds since 1970
	Inode uint32 // inode number, from 1
}

// dirInode is struct squashfs_dir_inode after its header.
type dirInode struct {
	StartBlock uint32 // metadata block of the listing, from the start of the directory table
	Nlink      uint32
	FileSize   uint16 // bytes of the listing plus dirSizeExtra
	Offset     uint16 // of the listing in its metadata block
	Parent     uint32 // inode number
}

// extDirInode is struct squashfs_ldir_inode after its header; IndexCount
// dirIndex records follow.
type extDirInode struct {
	Nlink      uint32
	FileSize   uint32
	StartBlock uint32
	Parent     uint32
	IndexCount uint16
	Offset     uint16
	Xattr      uint32
}

// dirIndex is struct squashfs_dir_index; the name, NameSize+1 bytes, follows.
type dirIndex struct {
	Index      uint32 // of a directory header, in bytes from the start of the listing
	StartBlock uint32 // the metadata block that holds it, from the start of the directory table
	NameSize   uint32 // length of the name of that header's first entry, less one
}

// fileInode is struct squashfs_reg_inode after its header; a uint32 for each
// block follows.
type fileInode struct {
	StartBlock uint32 // of the first data block, from the start of the image
	Fragment   uint32 // index into the fragment table, or invalidFragment
	Offset     uint32 // of the tail in the uncompressed fragment block
	FileSize   uint32
}

// extFileInode is struct squashfs_lreg_inode after its header; a uint32 for
// each block follows.
type extFileInode struct {
	StartBlock uint64
	FileSize   uint64
	Sparse     uint64 // bytes of the file that lie in all-zero blocks
	Nlink      uint32
	Fragment   uint32
	Offset     uint32
	Xattr      uint32
}

// symlinkInode is struct squashfs_symlink_inode after its header; the target,
// TargetSize bytes, follows, and in the extended form a uint32 xattr index.
type symlinkInode struct {
	Nlink      uint32
	TargetSize uint32
}

// deviceInode is struct squashfs_dev_inode after its header; in the extended
// form a uint32 xattr index follows.
type deviceInode struct {
	Nlink uint32
	Rdev  uint32
}

// ipcInode is struct squashfs_ipc_inode after its header; in the extended
// form a uint32 xattr index follows.
type ipcInode struct {
	Nlink uint32
}

// dirHeader is struct squashfs_dir_header; Count+1 dirEntry records follow.
type dirHeader struct {
	Count      uint32 // entries behind this header, less one
	StartBlock uint32 // the metadata block of all their inodes, from the start of the inode table
	Inode      uint32 // the number their dirEntry.InodeDelta counts from
}

// dirEntry is struct squashfs_dir_entry; the name, NameSize+1 bytes, follows.
type dirEntry struct {
	Offset     uint16 // of the inode in its metadata block
	InodeDelta int16  // inode number less the header's
	Type       inodeType
	NameSize   uint16 // length of the name, less one
}

// fragmentEntry is struct squashfs_fragment_entry.
type fragmentEntry struct {
	StartBlock uint64
	Size       uint32 // on disk, with dataStored
	Unused     uint32
}

// xattrTable is struct squashfs_xattr_id_table, at superblock.XattrTable.
type xattrTable struct {
	Start  uint64 // of the attributes' metadata, the first part of the table
	IDs    uint32
	Unused uint32
}

// xattrID is struct squashfs_xattr_id: the attributes of an inode.
type xattrID struct {
	Xattr inodeRef // of the first, from the start of the attributes
	Count uint32
	Size  uint32 // of names and values, as listxattr counts them
}

// xattrEntry is struct squashfs_xattr_entry; the name without its namespace,
// NameSize bytes, follows, then the length of the value as a uint32, and the
// value or, for xattrElsewhere, its place.
type xattrEntry struct {
	Type     uint16 // of the namespace, and xattrElsewhere
	NameSize uint16
}

const (
	xattrPrefixMask = 0x00ff // SQUASHFS_XATTR_PREFIX_MASK
	xattrElsewhere  = 0x0100 // SQUASHFS_XATTR_VALUE_OOL: the value is an inodeRef to one
)

// Sizes on disk. format_test.go holds them against the specification's.
var (
	superblockSize    = binary.Size(superblock{})
	inodeHeaderSize   = binary.Size(inodeHeader{})
	extDirInodeSize   = binary.Size(extDirInode{})
	dirIndexSize      = binary.Size(dirIndex{})
	extFileInodeSize  = binary.Size(extFileInode{})
	symlinkInodeSize  = binary.Size(symlinkInode{})
	dirHeaderSize     = binary.Size(dirHeader{})
	dirEntrySize      = binary.Size(dirEntry{})
	fragmentEntrySize = binary.Size(fragmentEntry{})
	xattrIDSize       = binary.Size(xattrID{})
)

// HeadSize is how many bytes at the beginning of an image Tree.Write writes at
// last, at once: the superblock.
func HeadSize() int64 { return int64(superblockSize) }

const (
	metadataHeaderSize = 2 // the uint16 length before each metadata block
	blockSizeSize      = 4 // a block's length in a file inode
	inodeRefSize       = 8 // an inodeRef, in the export table
	tableRefSize       = 8 // a metadata block's position in a lookup table's index
	idSize             = 4 // a user or group ID
)
