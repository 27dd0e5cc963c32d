package squashfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
)

// layoutGeneration counts the changes to the rules by which files are laid
// down. It has to grow with every change that gives the same tree other bytes.
const layoutGeneration = 5

// Options say how a tree is laid down. The zero value is a good choice.
type Options struct {
	// Codec compresses, and gives the block size. By default it is [codec.Default].
	Codec *codec.Codec

	MkfsTime time.Time // of the superblock; the zero time is DefaultTime
	ModTime  time.Time // of every inode; if it is zero, each has its own, and DefaultTime if it has none

	Workers int // compressors at work; 0: one for each processor. The bytes do not depend on it.

	// Backwards has workers take up from the last on what waits for them. The bytes do not depend
	// on it, which is what it is for: to show that.
	Backwards bool

	// Progress, if set, is called from one goroutine with the number of bytes
	// of files dealt with since the last call. The calls add up to Tree.Bytes.
	Progress func(bytes int64)
}

// Summary is what became of a tree.
type Summary struct {
	Size           int64 // in bytes with the record behind the image, a multiple of 4096
	DataBytes      int64 // of it: data and fragment blocks
	Blocks         int   // data blocks stored
	Fragments      int   // fragment blocks
	DuplicateFiles int   // files stored with an earlier equal one
	DuplicateBytes int64 // their sizes added up
	SparseBytes    int64 // bytes in all-zero blocks, which take no room
	ReusedBytes    int64 // of DataBytes: taken from the earlier image

	// Sum identifies the image: equal sums mean equal bytes, but for the
	// padding. [Earlier.Sum] returns it, too.
	Sum [sha256.Size]byte
}

// ChangedError says that a file is not any more what it was when the tree was
// scanned.
type ChangedError struct {
	Path string
	Size int64 // at the scan, in bytes
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed while it was packed: it had %d bytes", e.Path, e.Size)
}

// Write writes an image of all that fsys has to w; it is [NewTree] of [FromFS] and
// [Tree.Write] in one.
func Write(ctx context.Context, w io.WriterAt, fsys fs.FS, opts Options) (Summary, error) {
	t, err := NewTree(ctx, FromFS(fsys))
	if err != nil {
		return Summary{}, err
	}
	return t.Write(ctx, w, opts)
}

// Write lays the tree down as an image that starts at offset 0 of w. Every
// byte is written once and in order, but for the superblock, which comes last:
// an image that was not finished is none. Only if w is a file, or has a method
// Outer() (io.WriterAt, int64) that leads to one, is what an earlier image has
// copied by the kernel and in any order.
//
// A file that cannot be read or whose size has changed since the scan is an
// error that names it, and so is what the format cannot hold. A Tree can be
// written more than once, by several calls at a time, too.
func (t *Tree) Write(ctx context.Context, w io.WriterAt, opts Options) (Summary, error) {
	opts, err := opts.complete()
	if err != nil {
		return Summary{}, err
	}
	if t.Inodes > math.MaxUint32-1 {
		return Summary{}, fmt.Errorf("%d files, a SquashFS image holds %d", t.Inodes, uint32(math.MaxUint32-1))
	}
	mkfsTime, err := seconds(opts.MkfsTime)
	if err != nil {
		return Summary{}, err
	}
	out := &disk.Writer{W: w, Pos: int64(disk.SuperblockSize)}
	sb := newSuperblock(opts.Codec, t.Inodes, mkfsTime)
	var options []byte // as they are in the image
	if payload := opts.Codec.Options(); payload != nil {
		sb.Flags |= disk.FlagCompressorOptions
		options = disk.StoredMetadata(payload)
		if _, err := out.Write(options); err != nil {
			return Summary{}, err
		}
	}

	rec := &disk.Record{Identity: opts.Codec.Identity(), Generation: layoutGeneration}
	var stats pack.Stats
	err = t.pack(ctx, out, opts, func(ctx context.Context, packed *pack.Result) error {
		rec.Groups, stats = packed.Groups, packed.Stats
		out.Hash = sha256.New()
		out.Gather()
		return t.writeTables(ctx, out, &sb, packed, opts)
	})
	if err != nil {
		return Summary{}, err
	}
	rec.Tables = [sha256.Size]byte(out.Hash.Sum(nil))
	out.Hash = nil
	head, err := binary.Append(nil, binary.LittleEndian, sb)
	if err != nil {
		return Summary{}, err
	}
	rec.Head = sha256.Sum256(append(slices.Clone(head), options...))
	if err := writeRecord(out, rec); err != nil {
		return Summary{}, fmt.Errorf("writing record: %w", err)
	}
	if err := out.Flush(); err != nil {
		return Summary{}, fmt.Errorf("writing record: %w", err)
	}
	if _, err := w.WriteAt(head, 0); err != nil {
		return Summary{}, fmt.Errorf("writing superblock: %w", err)
	}
	return newSummary(out.Pos, stats, rec.Sum), nil
}

// complete fills in the defaults.
func (o Options) complete() (Options, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	if o.Codec != nil {
		return o, nil
	}
	var err error
	o.Codec, err = codec.Default()
	return o, err
}

func newSummary(size int64, s pack.Stats, sum [sha256.Size]byte) Summary {
	return Summary{
		Size:           size,
		DataBytes:      s.DataBytes,
		Blocks:         s.Blocks,
		Fragments:      s.Fragments,
		DuplicateFiles: s.DuplicateFiles,
		DuplicateBytes: s.DuplicateBytes,
		SparseBytes:    s.SparseBytes,
		ReusedBytes:    s.ReusedBytes,
		Sum:            sum,
	}
}

// newSuperblock is the superblock as far as it is known before anything is written.
func newSuperblock(c *codec.Codec, inodes int, mkfsTime uint32) disk.Superblock {
	blockSize := c.Settings().BlockSize
	sb := disk.Superblock{
		Magic:       disk.Magic,
		Inodes:      uint32(inodes),
		MkfsTime:    mkfsTime,
		BlockSize:   uint32(blockSize),
		Compression: c.ID(),
		BlockLog:    uint16(bits.TrailingZeros(uint(blockSize))),
		Flags:       disk.FlagDuplicates | disk.FlagExportable,
		Major:       disk.VersionMajor,
		Minor:       disk.VersionMinor,
	}
	if c.Stores() {
		sb.Flags |= disk.FlagUncompressedInodes | disk.FlagUncompressedData | disk.FlagUncompressedFragments | disk.FlagUncompressedIDs
	}
	return sb
}

// pack writes the contents of all files, and then what comes behind them.
func (t *Tree) pack(ctx context.Context, out *disk.Writer, opts Options, then func(context.Context, *pack.Result) error) error {
	var earlier *pack.Earlier
	if t.earlier != nil {
		earlier = t.earlier.packed
	}
	err := pack.Write(ctx, out, t.groups(opts.Codec.Settings().BlockSize), t.Inodes, pack.Options{
		Codec:     opts.Codec,
		Limits:    t.rules.windows,
		Workers:   opts.Workers,
		Backwards: opts.Backwards,
		Progress:  opts.Progress,
		Earlier:   earlier,
	}, then)
	if changed, ok := errors.AsType[*pack.ChangedError](err); ok {
		return &ChangedError{Path: changed.Path, Size: changed.Size}
	}
	return err
}

// writeTables writes what follows the data, in the order that Linux insists on
// (fs/squashfs/super.c, squashfs_fill_super), and fills in the superblock.
func (t *Tree) writeTables(ctx context.Context, out *disk.Writer, sb *disk.Superblock, packed *pack.Result, opts Options) error {
	pool := disk.NewPool(opts.Codec, opts.Workers)
	sb.InodeTable = uint64(out.Pos)
	meta, err := newInodeWriter(t, out, opts, pool, packed)
	if err != nil {
		return err
	}
	if err := meta.write(ctx); err != nil {
		return err
	}
	sb.RootInode = meta.refs[t.root.Number-1]
	sb.Fragments = uint32(len(packed.Fragments))
	sb.IDs = uint16(len(meta.ids.List))
	if len(packed.Fragments) == 0 {
		sb.Flags |= disk.FlagNoFragments
	}
	if meta.xattrs.Empty() {
		sb.Flags |= disk.FlagNoXattrs
	} else if opts.Codec.Stores() {
		sb.Flags |= disk.FlagUncompressedXattrs
	}
	if err = meta.tables.Inodes.Finish(); err != nil {
		return fmt.Errorf("writing inode table: %w", err)
	}
	if sb.DirTable, err = out.Metadata(meta.tables.Dirs); err != nil {
		return fmt.Errorf("writing directory table: %w", err)
	}
	sb.FragmentTable = disk.InvalidTable
	if len(packed.Fragments) > 0 {
		if sb.FragmentTable, err = writeLookupTable(out, pool, packed.Fragments); err != nil {
			return fmt.Errorf("writing fragment table: %w", err)
		}
	}
	if sb.ExportTable, err = writeLookupTable(out, pool, meta.refs); err != nil {
		return fmt.Errorf("writing export table: %w", err)
	}
	if sb.IDTable, err = writeLookupTable(out, pool, meta.ids.List); err != nil {
		return fmt.Errorf("writing ID table: %w", err)
	}
	if sb.XattrTable, err = meta.xattrs.WriteTo(out); err != nil {
		return fmt.Errorf("writing xattr table: %w", err)
	}
	sb.BytesUsed = uint64(out.Pos)
	return nil
}

// writeLookupTable writes a table and returns where its list of blocks is.
func writeLookupTable[T disk.FragmentEntry | disk.InodeRef | uint32](out *disk.Writer, pool *disk.Pool, records []T) (start uint64, err error) {
	list, err := disk.LookupTable(pool, out, records)
	if err != nil {
		return 0, err
	}
	start = uint64(out.Pos)
	_, err = out.Write(list)
	return start, err
}

// writeRecord writes the record behind the image proper.
func writeRecord(out *disk.Writer, rec *disk.Record) error {
	if err := out.Pad(); err != nil {
		return err
	}
	p, err := rec.Encode()
	if err != nil {
		return err
	}
	if _, err := out.Write(p); err != nil {
		return err
	}
	return out.Pad()
}

// seconds is t as the format has it: unsigned 32-bit seconds since 1970.
func seconds(t time.Time) (uint32, error) {
	if t.IsZero() {
		t = DefaultTime
	}
	s := t.Unix()
	if s < 0 || s > math.MaxUint32 {
		return 0, fmt.Errorf("time %s: SquashFS holds times from 1970 to 2106", t.UTC().Format(time.RFC3339))
	}
	return uint32(s), nil
}
