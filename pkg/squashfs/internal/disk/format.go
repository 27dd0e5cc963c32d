// Package disk is SquashFS 4.0 as it lies on a disk: its structures, in the order
// of their description in the Linux kernel's fs/squashfs/squashfs_fs.h and
// Documentation/filesystems/squashfs.rst, and its tables of metadata as they are
// written. Every integer is little-endian; structures are packed.
package disk

import (
	"encoding/binary"
	"math"
)

const (
	Magic        = 0x73717368 // SQUASHFS_MAGIC, "hsqs"
	VersionMajor = 4          // SQUASHFS_MAJOR
	VersionMinor = 0          // SQUASHFS_MINOR

	MetadataSize = 8192 // SQUASHFS_METADATA_SIZE: bytes of metadata per block, uncompressed
	Padding      = 4096 // an image is padded to this, so that any block device holds it whole

	NameMax      = 256 // SQUASHFS_NAME_LEN; names are stored as length-1, Linux allows 255
	DirCountMax  = 256 // SQUASHFS_DIR_COUNT: entries behind one directory header
	DirSizeExtra = 3   // a listing's recorded size counts "." and "..", 3 bytes by convention

	// SymlinkMax is the longest target of a symbolic link: the kernel refuses
	// one above a page (fs/squashfs/inode.c, squashfs_read_inode).
	SymlinkMax = 4096

	InvalidFragment = math.MaxUint32 // SQUASHFS_INVALID_FRAG: the file has no tail in a fragment
	InvalidXattr    = math.MaxUint32 // SQUASHFS_INVALID_XATTR: the inode has no extended attributes
	InvalidTable    = math.MaxUint64 // SQUASHFS_INVALID_BLK: the table is absent

	MetadataStored = 1 << 15 // SQUASHFS_COMPRESSED_BIT: in a metadata block's header, stored as it is
	DataStored     = 1 << 24 // SQUASHFS_COMPRESSED_BIT_BLOCK: in a data block's size, stored as it is
)

// Superblock flags.
const (
	FlagUncompressedInodes    = 1 << 0
	FlagUncompressedData      = 1 << 1
	FlagUncompressedFragments = 1 << 3
	FlagNoFragments           = 1 << 4
	FlagDuplicates            = 1 << 6
	FlagExportable            = 1 << 7
	FlagUncompressedXattrs    = 1 << 8
	FlagNoXattrs              = 1 << 9
	FlagCompressorOptions     = 1 << 10
	FlagUncompressedIDs       = 1 << 11
)

// InodeType is an inode's type; directory entries carry the basic ones.
type InodeType uint16

const (
	TypeDir         InodeType = 1 // SQUASHFS_DIR_TYPE
	TypeFile        InodeType = 2 // SQUASHFS_REG_TYPE
	TypeSymlink     InodeType = 3 // SQUASHFS_SYMLINK_TYPE
	TypeBlockDevice InodeType = 4 // SQUASHFS_BLKDEV_TYPE
	TypeCharDevice  InodeType = 5 // SQUASHFS_CHRDEV_TYPE
	TypeFIFO        InodeType = 6 // SQUASHFS_FIFO_TYPE
	TypeSocket      InodeType = 7 // SQUASHFS_SOCKET_TYPE

	TypeExtDir     InodeType = 8  // SQUASHFS_LDIR_TYPE
	TypeExtFile    InodeType = 9  // SQUASHFS_LREG_TYPE
	TypeExtSymlink InodeType = 10 // SQUASHFS_LSYMLINK_TYPE

	// An extended type is its basic type and this.
	Extended = TypeExtDir - TypeDir
)

// Superblock is struct squashfs_super_block, the image's first 96 bytes. Table
// positions are in bytes from the start of the image.
type Superblock struct {
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
	RootInode     InodeRef
	BytesUsed     uint64
	IDTable       uint64
	XattrTable    uint64
	InodeTable    uint64
	DirTable      uint64
	FragmentTable uint64
	ExportTable   uint64
}

// InodeRef names an inode by place: the start of its metadata block, in bytes
// from the start of the inode table, in the upper 48 bits, and its offset in
// the uncompressed block in the lower 16.
type InodeRef uint64

func NewInodeRef(block uint32, offset uint16) InodeRef {
	return InodeRef(block)<<16 | InodeRef(offset)
}

func (r InodeRef) Block() uint64  { return uint64(r) >> 16 }
func (r InodeRef) Offset() uint16 { return uint16(r) }

// InodeHeader is struct squashfs_base_inode, common to every inode.
type InodeHeader struct {
	Type  InodeType
	Mode  uint16 // permission bits
	UID   uint16 // index into the ID table
	GID   uint16 // index into the ID table
	Mtime uint32 // seconds since 1970
	Inode uint32 // inode number, from 1
}

// DirInode is struct squashfs_dir_inode after its header.
type DirInode struct {
	StartBlock uint32 // metadata block of the listing, from the start of the directory table
	Nlink      uint32
	FileSize   uint16 // bytes of the listing plus DirSizeExtra
	Offset     uint16 // of the listing in its metadata block
	Parent     uint32 // inode number
}

// ExtDirInode is struct squashfs_ldir_inode after its header; IndexCount
// DirIndex records follow.
type ExtDirInode struct {
	Nlink      uint32
	FileSize   uint32
	StartBlock uint32
	Parent     uint32
	IndexCount uint16
	Offset     uint16
	Xattr      uint32
}

// DirIndex is struct squashfs_dir_index; the name, NameSize+1 bytes, follows.
type DirIndex struct {
	Index      uint32 // of a directory header, in bytes from the start of the listing
	StartBlock uint32 // the metadata block that holds it, from the start of the directory table
	NameSize   uint32 // length of the name of that header's first entry, less one
}

// FileInode is struct squashfs_reg_inode after its header; a uint32 for each
// block follows.
type FileInode struct {
	StartBlock uint32 // of the first data block, from the start of the image
	Fragment   uint32 // index into the fragment table, or InvalidFragment
	Offset     uint32 // of the tail in the uncompressed fragment block
	FileSize   uint32
}

// ExtFileInode is struct squashfs_lreg_inode after its header; a uint32 for
// each block follows.
type ExtFileInode struct {
	StartBlock uint64
	FileSize   uint64
	Sparse     uint64 // bytes of the file that lie in all-zero blocks
	Nlink      uint32
	Fragment   uint32
	Offset     uint32
	Xattr      uint32
}

// SymlinkInode is struct squashfs_symlink_inode after its header; the target,
// TargetSize bytes, follows, and in the extended form a uint32 xattr index.
type SymlinkInode struct {
	Nlink      uint32
	TargetSize uint32
}

// DeviceInode is struct squashfs_dev_inode after its header; in the extended
// form a uint32 xattr index follows.
type DeviceInode struct {
	Nlink uint32
	Rdev  uint32
}

// IPCInode is struct squashfs_ipc_inode after its header; in the extended
// form a uint32 xattr index follows.
type IPCInode struct {
	Nlink uint32
}

// DirHeader is struct squashfs_dir_header; Count+1 DirEntry records follow.
type DirHeader struct {
	Count      uint32 // entries behind this header, less one
	StartBlock uint32 // the metadata block of all their inodes, from the start of the inode table
	Inode      uint32 // the number their DirEntry.InodeDelta counts from
}

// DirEntry is struct squashfs_dir_entry; the name, NameSize+1 bytes, follows.
type DirEntry struct {
	Offset     uint16 // of the inode in its metadata block
	InodeDelta int16  // inode number less the header's
	Type       InodeType
	NameSize   uint16 // length of the name, less one
}

// FragmentEntry is struct squashfs_fragment_entry.
type FragmentEntry struct {
	StartBlock uint64
	Size       uint32 // on disk, with DataStored
	Unused     uint32
}

// XattrTable is struct squashfs_xattr_id_table, at superblock.XattrTable.
type XattrTable struct {
	Start  uint64 // of the attributes' metadata, the first part of the table
	IDs    uint32
	Unused uint32
}

// XattrID is struct squashfs_xattr_id: the attributes of an inode.
type XattrID struct {
	Xattr InodeRef // of the first, from the start of the attributes
	Count uint32
	Size  uint32 // of names and values, as listxattr counts them
}

// XattrEntry is struct squashfs_xattr_entry; the name without its namespace,
// NameSize bytes, follows, then the length of the value as a uint32, and the
// value or, for XattrElsewhere, its place.
type XattrEntry struct {
	Type     uint16 // of the namespace, and XattrElsewhere
	NameSize uint16
}

const (
	XattrPrefixMask = 0x00ff // SQUASHFS_XATTR_PREFIX_MASK
	XattrElsewhere  = 0x0100 // SQUASHFS_XATTR_VALUE_OOL: the value is an InodeRef to one
)

// Sizes on disk. format_test.go holds them against the specification's.
var (
	SuperblockSize    = binary.Size(Superblock{})
	InodeHeaderSize   = binary.Size(InodeHeader{})
	ExtDirInodeSize   = binary.Size(ExtDirInode{})
	DirIndexSize      = binary.Size(DirIndex{})
	ExtFileInodeSize  = binary.Size(ExtFileInode{})
	SymlinkInodeSize  = binary.Size(SymlinkInode{})
	DirHeaderSize     = binary.Size(DirHeader{})
	DirEntrySize      = binary.Size(DirEntry{})
	FragmentEntrySize = binary.Size(FragmentEntry{})
	XattrIDSize       = binary.Size(XattrID{})
	XattrEntrySize    = binary.Size(XattrEntry{})
	XattrTableSize    = binary.Size(XattrTable{})
)

const (
	MetadataHeaderSize = 2 // the uint16 length before each metadata block
	BlockSizeSize      = 4 // a block's length in a file inode
	InodeRefSize       = 8 // an InodeRef, in the export table
	TableRefSize       = 8 // a metadata block's position in a lookup table's index
	IDSize             = 4 // a user or group ID
	XattrIndexSize     = 4 // an index into the xattr table, or the length of an attribute's value
)
