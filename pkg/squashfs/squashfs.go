// Package squashfs writes and reads SquashFS 4.0 images.
//
// [Write] writes an image of an [fs.FS], and is all that most programs need:
//
//	summary, err := squashfs.Write(ctx, file, os.DirFS("files"), squashfs.Options{})
//
// A [Source] has more to say of files: owners, devices, extended attributes, hard
// links. [FromDir] returns one of a folder, [NewTree] looks at it, and [Tree.Write]
// lays the [Tree] down in one pass: blocks are compressed in parallel, equal files
// are stored once, all-zero blocks not at all, and small files share fragment
// blocks, like beside like. The bytes of an image are a function of what the source
// says and of the [Options] alone: not of the number of workers, the clock, or the
// order in which a directory is listed.
//
// [Scan] is for images of a Nix store and their like: it takes names, permissions
// and contents alone, every file belongs to root, and what an earlier image of the
// writer has already can be taken from there ([Earlier]) instead of being compressed
// again, and gives the same bytes.
//
// The reader ([Open]) takes images of any maker, hostile ones too. It knows
// every type of inode, and extended attributes.
//
// LZO is only read, and the obsolete LZMA1, which Linux does not read either, is not
// supported.
//
// Everything works wherever Go does. On Linux small files are read ahead of the
// compressors, holes are found without reading them, and what an earlier image has is
// copied by the kernel.
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
