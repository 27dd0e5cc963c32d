// Package squashfs writes and reads SquashFS 4.0 images.
//
// The writer takes files, directories and symbolic links from the host's file
// system ([Scan]) and lays them down in one pass ([Tree.Write]): blocks are
// compressed in parallel, equal files are stored once, all-zero blocks not at
// all, and small files share fragment blocks, like beside like. The bytes of an
// image are a function of the files' names, permissions and contents and of the
// [Options] alone: not of the number of workers, the clock, owners, hard links,
// or the order in which the host lists a directory. Every inode belongs to root.
//
// What an earlier image of the writer has already can be taken from there
// ([Earlier]) instead of being compressed again, and gives the same bytes.
//
// The reader ([Open]) takes images of any maker, hostile ones too. It knows
// every type of inode, and extended attributes.
//
// The writer supports neither device nodes, sockets and named pipes, which are
// an error, nor extended attributes, which it leaves out. LZO is only read, and
// the obsolete LZMA1, which Linux does not read either, is not supported.
//
// The format is described by the Linux kernel's fs/squashfs/squashfs_fs.h and
// Documentation/filesystems/squashfs.rst.
package squashfs

import (
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// MinBlockSize and MaxBlockSize bound a data block in bytes; it is a power of two.
const (
	MinBlockSize = codec.MinBlockSize
	MaxBlockSize = codec.MaxBlockSize
)

// HeadSize is how many bytes at the beginning of an image Tree.Write writes at
// last, at once: the superblock.
func HeadSize() int64 { return int64(disk.SuperblockSize) }
