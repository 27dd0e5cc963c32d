package squashfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Options say how a tree is laid down.
type Options struct {
	Codec    *codec.Codec // which also gives the block size
	MkfsTime time.Time    // of the superblock
	ModTime  time.Time    // of every inode
	Workers  int          // compressors at work; 0: one for each processor. The bytes do not depend on it.

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

// Write lays the tree down as an image that starts at offset 0 of w. Every
// byte is written once and in order, but for the superblock, which comes last:
// an image that was not finished is none. Only if w is a file, or has a method
// Outer() (io.WriterAt, int64) that leads to one, is what an earlier image has
// copied by the kernel and in any order.
//
// A file that cannot be read or whose size has changed since the scan is an
// error that names it, and so is what the format cannot hold. A Tree can be
// written more than once, but not by two calls at a time.
func (t *Tree) Write(ctx context.Context, w io.WriterAt, opts Options) (Summary, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Progress == nil {
		opts.Progress = func(int64) {}
	}
	if t.Inodes > math.MaxUint32-1 {
		return Summary{}, fmt.Errorf("%d files, a SquashFS image holds %d", t.Inodes, uint32(math.MaxUint32-1))
	}
	mkfsTime, err := seconds(opts.MkfsTime)
	if err != nil {
		return Summary{}, err
	}
	modTime, err := seconds(opts.ModTime)
	if err != nil {
		return Summary{}, err
	}

	blockSize := opts.Codec.Settings().BlockSize
	out := &sequentialWriter{w: w, pos: int64(disk.SuperblockSize)}
	sb := disk.Superblock{
		Magic:       disk.Magic,
		Inodes:      uint32(t.Inodes),
		MkfsTime:    mkfsTime,
		BlockSize:   uint32(blockSize),
		Compression: opts.Codec.ID(),
		BlockLog:    uint16(bits.TrailingZeros(uint(blockSize))),
		Flags:       disk.FlagDuplicates | disk.FlagExportable | disk.FlagNoXattrs,
		IDs:         1,
		Major:       disk.VersionMajor,
		Minor:       disk.VersionMinor,
		XattrTable:  disk.InvalidTable,
	}
	if opts.Codec.Stores() {
		sb.Flags |= disk.FlagUncompressedInodes | disk.FlagUncompressedData | disk.FlagUncompressedFragments | disk.FlagUncompressedIDs
	}
	var options []byte // as they are in the image
	if payload := opts.Codec.Options(); payload != nil {
		sb.Flags |= disk.FlagCompressorOptions
		options = disk.StoredMetadata(payload)
		if err := out.write(options); err != nil {
			return Summary{}, err
		}
	}

	data, err := t.writeData(ctx, out, opts)
	if err != nil {
		return Summary{}, err
	}
	sb.Fragments = uint32(len(data.fragments))
	if len(data.fragments) == 0 {
		sb.Flags |= disk.FlagNoFragments
	}

	out.hash = sha256.New()
	meta := &inodeWriter{
		inodes:  disk.NewMetadata(opts.Codec),
		dirs:    disk.NewMetadata(opts.Codec),
		modTime: modTime,
	}
	// The root's parent is one more than any inode, as mksquashfs has it.
	if err := meta.dir(ctx, t.root, "", uint32(t.Inodes)+1); err != nil {
		return Summary{}, err
	}
	sb.RootInode = t.root.ref
	if err := writeTables(out, &sb, meta, t, data.fragments, opts.Codec); err != nil {
		return Summary{}, err
	}

	sb.BytesUsed = uint64(out.pos)
	rec := &record{
		identity:   opts.Codec.Identity(),
		generation: layoutGeneration,
		tables:     [sha256.Size]byte(out.hash.Sum(nil)),
		groups:     data.groups,
	}
	out.hash = nil
	head, err := binary.Append(nil, binary.LittleEndian, sb)
	if err != nil {
		return Summary{}, err
	}
	rec.head = sha256.Sum256(append(slices.Clone(head), options...))
	if err := writeRecord(out, rec); err != nil {
		return Summary{}, fmt.Errorf("writing record: %w", err)
	}
	if _, err := w.WriteAt(head, 0); err != nil {
		return Summary{}, fmt.Errorf("writing superblock: %w", err)
	}
	data.summary.Size = out.pos
	data.summary.Sum = rec.sum
	return data.summary, nil
}

// writeRecord writes the record behind the image proper.
func writeRecord(out *sequentialWriter, rec *record) error {
	if err := out.pad(); err != nil {
		return err
	}
	p, err := rec.encode()
	if err != nil {
		return err
	}
	if err := out.write(p); err != nil {
		return err
	}
	return out.pad()
}

// writeTables writes what follows the data, in the order that Linux insists on
// (fs/squashfs/super.c, squashfs_fill_super).
func writeTables(out *sequentialWriter, sb *disk.Superblock, meta *inodeWriter, t *Tree, fragments []disk.FragmentEntry, c *codec.Codec) error {
	var err error
	if sb.InodeTable, err = out.metadata(meta.inodes); err != nil {
		return fmt.Errorf("writing inode table: %w", err)
	}
	if sb.DirTable, err = out.metadata(meta.dirs); err != nil {
		return fmt.Errorf("writing directory table: %w", err)
	}
	sb.FragmentTable = disk.InvalidTable
	if len(fragments) > 0 {
		if sb.FragmentTable, err = writeLookupTable(out, c, fragments); err != nil {
			return fmt.Errorf("writing fragment table: %w", err)
		}
	}
	refs := make([]disk.InodeRef, t.Inodes)
	t.root.exportRefs(refs)
	if sb.ExportTable, err = writeLookupTable(out, c, refs); err != nil {
		return fmt.Errorf("writing export table: %w", err)
	}
	if sb.IDTable, err = writeLookupTable(out, c, []uint32{0}); err != nil {
		return fmt.Errorf("writing ID table: %w", err)
	}
	return nil
}

// metadata writes a table and returns where it begins.
func (s *sequentialWriter) metadata(m *disk.Metadata) (start uint64, err error) {
	table, err := m.Finish()
	if err != nil {
		return 0, err
	}
	start = uint64(s.pos)
	return start, s.write(table)
}

// writeLookupTable writes a table and returns where its list of blocks is.
func writeLookupTable[T disk.FragmentEntry | disk.InodeRef | uint32](out *sequentialWriter, c *codec.Codec, records []T) (start uint64, err error) {
	blocks, list, err := disk.LookupTable(c, out.pos, records)
	if err != nil {
		return 0, err
	}
	if err := out.write(blocks); err != nil {
		return 0, err
	}
	start = uint64(out.pos)
	return start, out.write(list)
}

// exportRefs fills in refs, by inode number less one.
func (n *node) exportRefs(refs []disk.InodeRef) {
	for i := range n.children {
		n.children[i].exportRefs(refs)
	}
	refs[n.number-1] = n.ref
}

// seconds is t as the format has it: unsigned 32-bit seconds since 1970.
func seconds(t time.Time) (uint32, error) {
	s := t.Unix()
	if s < 0 || s > math.MaxUint32 {
		return 0, fmt.Errorf("time %s: SquashFS holds times from 1970 to 2106", t.UTC().Format(time.RFC3339))
	}
	return uint32(s), nil
}

// sequentialWriter writes at a position that only grows.
type sequentialWriter struct {
	w    io.WriterAt
	pos  int64
	hash hash.Hash // of what is written, if it is set
}

func (s *sequentialWriter) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if s.hash != nil {
		s.hash.Write(p)
	}
	n, err := s.w.WriteAt(p, s.pos)
	s.pos += int64(n)
	return err
}

// pad writes zeros up to a multiple of padding.
func (s *sequentialWriter) pad() error {
	return s.write(zeros[:alignUp(s.pos)-s.pos])
}
