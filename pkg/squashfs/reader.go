package squashfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/blockcache"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// ErrNotSquashFS is returned by [Open] for bytes that do not begin with
// SquashFS's magic number.
var ErrNotSquashFS = errors.New("not a SquashFS image")

// Reader reads an image. It is safe for concurrent use. An image is not
// trusted: damage of any kind is an error, and the memory that a call takes is
// bounded by what the image really holds, not by what its fields claim.
type Reader struct {
	src      io.ReaderAt
	sb       disk.Superblock
	data     section
	decoders *decoders

	inodes    section
	listings  section
	ids       []uint32
	fragments lookupTable
	exports   lookupTable // empty if the image has none
	xattrs    section
	xattrIDs  lookupTable // empty if the image has none

	metadataBlocks blockCache
	fragmentBlocks *blockcache.Cache

	root        func() (Inode, error) // reads it once
	entriesRead atomic.Int64          // of directories, by listings and look-ups
}

// section is a range of the image, in bytes from its start.
type section struct {
	name       string
	start, end uint64
}

// Cached blocks. A walk reads inodes and listings in about the order in which
// they are stored. Look-ups in any order stay in the 2 MiB of metadata that a
// directory of twenty thousand names has. The files that share a fragment block
// lie beside each other in the image, but not in the tree, where writers put
// like files together: a walk comes back to each of the blocks of a window of
// 16 MiB (see layoutRules), and several may walk at once.
const (
	metadataCacheBlocks = 256
	fragmentCacheBytes  = 48 << 20
)

// Open reads the superblock and the positions of the tables of the image of
// size bytes in src, and checks them against each other. The image may be
// followed by other bytes.
func Open(src io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{
		src:            src,
		data:           section{name: "data"},
		metadataBlocks: blockCache{capacity: metadataCacheBlocks},
	}
	r.root = sync.OnceValues(r.readRoot)
	if err := r.readSuperblock(size); err != nil {
		return nil, fmt.Errorf("reading superblock: %w", err)
	}
	r.fragmentBlocks = blockcache.New(fragmentCacheBytes/int(r.sb.BlockSize), int(r.sb.BlockSize))
	options, err := r.readCompressorOptions()
	if err != nil {
		return nil, fmt.Errorf("reading compressor options: %w", err)
	}
	if r.decoders, err = newDecoders(r.sb.Compression, options, r.sb.BlockSize); err != nil {
		return nil, err
	}
	if err := r.readTables(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) readSuperblock(size int64) error {
	if size < int64(disk.SuperblockSize) {
		return fmt.Errorf("%w: %d bytes are too few", ErrNotSquashFS, size)
	}
	p := make([]byte, disk.SuperblockSize)
	if err := r.readAt(p, 0); err != nil {
		return err
	}
	sb := &r.sb
	if _, err := binary.Decode(p, binary.LittleEndian, sb); err != nil {
		return err
	}
	switch {
	case sb.Magic != disk.Magic:
		return fmt.Errorf("%w: magic number %#08x", ErrNotSquashFS, sb.Magic)
	case sb.Major != disk.VersionMajor || sb.Minor != disk.VersionMinor:
		return fmt.Errorf("version %d.%d, only %d.%d is supported", sb.Major, sb.Minor, disk.VersionMajor, disk.VersionMinor)
	case sb.BlockSize < MinBlockSize || sb.BlockSize > MaxBlockSize || bits.OnesCount32(sb.BlockSize) != 1:
		return fmt.Errorf("block size %d: not a power of two from %d to %d", sb.BlockSize, MinBlockSize, MaxBlockSize)
	case sb.BlockLog != uint16(bits.TrailingZeros32(sb.BlockSize)):
		return fmt.Errorf("block size %d and its logarithm %d disagree", sb.BlockSize, sb.BlockLog)
	case sb.BytesUsed > uint64(size):
		return fmt.Errorf("image of %d bytes is cut off after %d", sb.BytesUsed, size)
	case sb.Inodes == 0:
		return errors.New("no inodes")
	case sb.IDs == 0:
		return errors.New("no user and group IDs")
	}
	return nil
}

// readCompressorOptions reads the metadata block behind the superblock that
// tells how the image was compressed, if there is one. It is never compressed
// itself. The data begins behind it.
func (r *Reader) readCompressorOptions() ([]byte, error) {
	r.data.start = uint64(disk.SuperblockSize)
	if r.sb.Flags&disk.FlagCompressorOptions == 0 {
		return nil, nil
	}
	h, err := r.metadataHeader(r.data.start, r.sb.BytesUsed)
	if err != nil {
		return nil, err
	}
	if !h.stored {
		return nil, errors.New("compressed")
	}
	r.data.start = h.end()
	options := make([]byte, h.size)
	return options, r.readAt(options, h.start)
}

// readTables finds every table from the last to the first: each ends where
// the next begins, as in the kernel's squashfs_fill_super.
func (r *Reader) readTables() error {
	sb := &r.sb
	end := sb.BytesUsed
	var err error
	if sb.XattrTable != disk.InvalidTable {
		if end, err = r.openXattrs(end); err != nil {
			return err
		}
	}
	ids, err := r.openLookupTable("ID table", sb.IDTable, uint64(sb.IDs), disk.IDSize, end)
	if err != nil {
		return err
	}
	if r.ids, err = r.readIDs(ids); err != nil {
		return err
	}
	end = ids.start(end)
	if sb.ExportTable != disk.InvalidTable {
		if r.exports, err = r.openLookupTable("export table", sb.ExportTable, uint64(sb.Inodes), disk.InodeRefSize, end); err != nil {
			return err
		}
		end = r.exports.start(end)
	}
	if sb.Fragments > 0 {
		if r.fragments, err = r.openLookupTable("fragment table", sb.FragmentTable, uint64(sb.Fragments), disk.FragmentEntrySize, end); err != nil {
			return err
		}
		end = r.fragments.start(end)
	}
	if r.data.start > sb.InodeTable || sb.InodeTable >= sb.DirTable || sb.DirTable > end {
		return fmt.Errorf("tables overlap: data from %d, inode table at %d, directory table at %d, other tables from %d",
			r.data.start, sb.InodeTable, sb.DirTable, end)
	}
	r.data.end = sb.InodeTable
	r.inodes = section{"inode table", sb.InodeTable, sb.DirTable}
	r.listings = section{"directory table", sb.DirTable, end}
	return nil
}

// readAt fills p from position pos of the image.
func (r *Reader) readAt(p []byte, pos uint64) error {
	n, err := r.src.ReadAt(p, int64(pos))
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Info is what the superblock says of an image.
type Info struct {
	Codec      *codec.Codec // as far as the image tells how it was made
	BlockSize  int          // of data and fragment blocks, in bytes
	MkfsTime   time.Time
	BytesUsed  int64 // without the padding behind them
	Inodes     int
	Fragments  int  // fragment blocks
	Exportable bool // inodes can be found by number, as NFS needs it
}

// Info returns what the superblock says of the image.
func (r *Reader) Info() Info {
	return Info{
		Codec:      r.decoders.codec,
		BlockSize:  int(r.sb.BlockSize),
		MkfsTime:   time.Unix(int64(r.sb.MkfsTime), 0).UTC(),
		BytesUsed:  int64(r.sb.BytesUsed),
		Inodes:     int(r.sb.Inodes),
		Fragments:  int(r.sb.Fragments),
		Exportable: r.sb.ExportTable != disk.InvalidTable,
	}
}
