package squashfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// victim is an image whose metadata is not compressed, so that records can be
// changed in place.
type victim struct {
	*Reader // of the image as it was
	t       *testing.T
	image   []byte
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	dir := t.TempDir()
	for i := range 600 {
		write(t, dir, fmt.Sprintf("many/%03d-%s", i, strings.Repeat("x", 20)), nil, 0o644)
	}
	write(t, dir, "blocks", bytes.Repeat([]byte("0123456789abcdef"), 3*MinBlockSize/16), 0o644)
	write(t, dir, "other", bytes.Repeat([]byte("fedcba9876543210"), MinBlockSize/16), 0o644)
	write(t, dir, "tail", []byte("a few bytes"), 0o644)
	write(t, dir, "tail2", []byte("some more"), 0o644)
	write(t, dir, "sparse", nil, 0o644)
	if err := os.Truncate(filepath.Join(dir, "sparse"), 4*MinBlockSize+3); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "sub/a", nil, 0o644)
	write(t, dir, "sub/b", nil, 0o644)
	write(t, dir, "sub/c/d", nil, 0o644)
	link(t, dir, "link", "target")
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress", "-b", "4K", "-noI", "-noD", "-noF")
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	r := openBytes(t, data)
	if err := r.Check(context.Background()); err != nil {
		t.Fatalf("Check of the undamaged image: %v", err)
	}
	return &victim{Reader: r, t: t, image: data}
}

// change decodes the record of type T at a position in the image, lets edit
// change it and puts it back.
func change[T any](v *victim, at uint64, edit func(*T)) {
	v.t.Helper()
	var record T
	if _, err := binary.Decode(v.image[at:], binary.LittleEndian, &record); err != nil {
		v.t.Fatal(err)
	}
	edit(&record)
	if _, err := binary.Encode(v.image[at:], binary.LittleEndian, record); err != nil {
		v.t.Fatal(err)
	}
}

// place is the position in the image of a record that lies in one metadata
// block, some bytes behind p.
func (v *victim) place(p position, behind int) uint64 {
	v.t.Helper()
	const longest = 64
	if p.offset+behind+longest > disk.MetadataSize {
		v.t.Fatalf("record at %v straddles metadata blocks: change the tree", p)
	}
	return p.block + disk.MetadataHeaderSize + uint64(p.offset+behind)
}

func (v *victim) inodeOf(path string) Inode {
	v.t.Helper()
	ino, err := v.Lookup(path)
	if err != nil {
		v.t.Fatal(err)
	}
	return ino
}

// header is where the inode at path begins, body where its own part does.
func (v *victim) header(path string) uint64 {
	ref := v.inodeOf(path).ref
	return v.place(position{v.inodes.start + ref.Block(), int(ref.Offset())}, 0)
}

func (v *victim) body(path string) uint64 { return v.header(path) + uint64(disk.InodeHeaderSize) }

// listing is where the listing of the directory at path begins.
func (v *victim) listing(path string) uint64 { return v.place(v.inodeOf(path).dir.start, 0) }

// entry is where its first entry is.
func (v *victim) entry(path string) uint64 { return v.listing(path) + uint64(disk.DirHeaderSize) }

// TestDamage changes one field at a time. Every lie must be found, at a cost
// that does not depend on how large the lie is.
func TestDamage(t *testing.T) {
	const sb = 0 // the superblock's position
	sound := newVictim(t)
	for _, test := range []struct {
		name   string
		damage func(v *victim)
		want   string // in the error
	}{
		{"magic", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Magic++ }) }, "not a SquashFS image"},
		{"version", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Major = 3 }) }, "version 3.0"},
		{"block size", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.BlockSize = 5000 }) }, "block size 5000"},
		{"block size of 2 GiB", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.BlockSize = 1 << 31 }) }, "block size 2147483648"},
		{"block log", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.BlockLog++ }) }, "disagree"},
		{"cut off", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.BytesUsed = 1 << 40 }) }, "is cut off"},
		{"negative size", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.BytesUsed = math.MaxUint64 }) }, "is cut off"},
		{"no inodes", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Inodes = 0 }) }, "no inodes"},
		{"no IDs", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.IDs = 0 }) }, "no user and group IDs"},
		{"compressor", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Compression = 77 }) }, "compressor 77"},
		{"missing compressor options", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Flags |= disk.FlagCompressorOptions }) }, "compressor options"},
		{"one inode more", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Inodes++ }) }, "the superblock says"},
		{"one inode less", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Inodes-- }) }, "number not from 1 to"},
		{"all inodes", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Inodes = math.MaxUint32 }) }, "export table"},
		{"all inodes without export table", func(v *victim) {
			change(v, sb, func(s *disk.Superblock) { s.Inodes, s.ExportTable = math.MaxUint32, disk.InvalidTable })
		}, "fragment table"},
		{"all fragments", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.Fragments = math.MaxUint32 }) }, "fragment table"},
		{"ID table", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.IDTable = 1 << 62 }) }, "ID table"},
		{"fragment table", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.FragmentTable-- }) }, "fragment table"},
		{"xattr table", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.XattrTable = s.BytesUsed - 1 }) }, "xattr table"},
		{"inode table", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.InodeTable = s.DirTable }) }, "tables overlap"},
		{"inode table in superblock", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.InodeTable = 5 }) }, "tables overlap"},
		{"directory table", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.DirTable = s.BytesUsed }) }, "tables overlap"},
		{"root is a file", func(v *victim) {
			change(v, sb, func(s *disk.Superblock) { s.RootInode = v.inodeOf("tail").ref })
		}, "root directory is of type"},
		{"root nowhere", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.RootInode = math.MaxUint64 }) }, "reading root directory"},
		{"root offset", func(v *victim) { change(v, sb, func(s *disk.Superblock) { s.RootInode |= 0xffff }) }, "offset 65535"},

		{"list of fragment blocks", func(v *victim) {
			change(v, v.sb.FragmentTable, func(at *uint64) { *at++ })
		}, "directory table"},
		{"list of export blocks", func(v *victim) {
			change(v, v.sb.ExportTable, func(at *uint64) { *at = 0 })
		}, "export table"},
		{"export table", func(v *victim) {
			change(v, v.exports.blocks[0]+disk.MetadataHeaderSize, func(ref *disk.InodeRef) { *ref++ })
		}, "the export table says"},
		{"fragment position", func(v *victim) {
			change(v, v.fragments.blocks[0]+disk.MetadataHeaderSize, func(e *disk.FragmentEntry) { e.StartBlock = 1 << 60 })
		}, "fragment 0"},
		{"fragment overlaps", func(v *victim) {
			change(v, v.fragments.blocks[0]+disk.MetadataHeaderSize, func(e *disk.FragmentEntry) { e.StartBlock-- })
		}, "overlaps the one before"},
		{"empty fragment", func(v *victim) {
			change(v, v.fragments.blocks[0]+disk.MetadataHeaderSize, func(e *disk.FragmentEntry) { e.Size = 0 })
		}, "is empty"},
		{"short fragment", func(v *victim) {
			change(v, v.fragments.blocks[0]+disk.MetadataHeaderSize, func(e *disk.FragmentEntry) { e.Size-- })
		}, "are needed"},

		{"metadata block of no bytes", func(v *victim) {
			change(v, v.inodes.start, func(h *uint16) { *h = disk.MetadataStored })
		}, "inode table"},
		{"metadata block too long", func(v *victim) {
			change(v, v.inodes.start, func(h *uint16) { *h = disk.MetadataStored | (disk.MetadataSize + 1) })
		}, "inode table"},
		{"metadata block not compressed", func(v *victim) {
			change(v, v.inodes.start, func(h *uint16) { *h &^= disk.MetadataStored })
		}, "decompressing"},
		{"listing block not compressed", func(v *victim) {
			change(v, v.listings.start, func(h *uint16) { *h &^= disk.MetadataStored })
		}, "decompressing"},

		{"inode type", func(v *victim) { change(v, v.header("tail"), func(h *disk.InodeHeader) { h.Type = 15 }) }, "unknown type 15"},
		{"inode type 0", func(v *victim) { change(v, v.header("tail"), func(h *disk.InodeHeader) { h.Type = 0 }) }, "unknown type 0"},
		{"inode of another type", func(v *victim) { change(v, v.header("link"), func(h *disk.InodeHeader) { h.Type = disk.TypeFIFO }) }, "directory entry names"},
		{"owner", func(v *victim) { change(v, v.header("tail"), func(h *disk.InodeHeader) { h.UID = 9 }) }, "user ID 9"},
		{"inode number 0", func(v *victim) { change(v, v.header("tail"), func(h *disk.InodeHeader) { h.Inode = 0 }) }, "number not from 1"},
		{"inode number taken", func(v *victim) { change(v, v.header("tail"), func(h *disk.InodeHeader) { h.Inode-- }) }, "directory entry names"},
		{"file size", func(v *victim) { change(v, v.body("blocks"), func(f *disk.FileInode) { f.FileSize = math.MaxUint32 }) }, "blocks"},
		{"file a little shorter", func(v *victim) { change(v, v.body("blocks"), func(f *disk.FileInode) { f.FileSize-- }) }, "block at"},
		{"file position", func(v *victim) { change(v, v.body("blocks"), func(f *disk.FileInode) { f.StartBlock = 1 << 30 }) }, "the data is from"},
		{"file overlaps another", func(v *victim) { change(v, v.body("blocks"), func(f *disk.FileInode) { f.StartBlock++ }) }, "overlaps the one before"},
		{"file in superblock", func(v *victim) { change(v, v.body("blocks"), func(f *disk.FileInode) { f.StartBlock = 0 }) }, "the data is from"},
		{"fragment number", func(v *victim) { change(v, v.body("tail"), func(f *disk.FileInode) { f.Fragment = 1000 }) }, "fragment 1000 of"},
		{"fragment offset", func(v *victim) { change(v, v.body("tail"), func(f *disk.FileInode) { f.Offset = math.MaxUint32 }) }, "of a fragment"},
		{"fragment for no tail", func(v *victim) { change(v, v.body("tail"), func(f *disk.FileInode) { f.FileSize = 0 }) }, "fills its blocks"},
		{"block size above 16 MiB", func(v *victim) {
			change(v, v.place(v.inodeOf("blocks").file.sizes, 0), func(size *uint32) { *size = math.MaxUint32 })
		}, "bytes long"},
		{"block of no bytes", func(v *victim) {
			change(v, v.place(v.inodeOf("blocks").file.sizes, 0), func(size *uint32) { *size = disk.DataStored })
		}, "stored in no bytes"},
		{"sparse file of 1 EiB", func(v *victim) { change(v, v.body("sparse"), func(f *disk.ExtFileInode) { f.FileSize = 1 << 60 }) }, "sparse"},
		{"sparse file of 16 EiB", func(v *victim) {
			change(v, v.body("sparse"), func(f *disk.ExtFileInode) { f.FileSize = math.MaxUint64 })
		}, "size 18446744073709551615"},
		{"holes", func(v *victim) { change(v, v.body("sparse"), func(f *disk.ExtFileInode) { f.Sparse = f.FileSize + 1 }) }, "all-zero blocks"},
		{"link count", func(v *victim) { change(v, v.body("sparse"), func(f *disk.ExtFileInode) { f.Nlink = 2 }) }, "its inode says 2"},
		{"symlink of 4 GiB", func(v *victim) {
			change(v, v.body("link"), func(s *disk.SymlinkInode) { s.TargetSize = math.MaxUint32 })
		}, "4294967295 bytes"},
		{"parent", func(v *victim) { change(v, v.body("sub"), func(d *disk.DirInode) { d.Parent-- }) }, "as its parent"},
		{"listing nowhere", func(v *victim) { change(v, v.body("sub"), func(d *disk.DirInode) { d.StartBlock = math.MaxUint32 }) }, "directory table"},
		{"listing too long", func(v *victim) { change(v, v.body("sub"), func(d *disk.DirInode) { d.FileSize++ }) }, "listing"},
		{"listing much too long", func(v *victim) { change(v, v.body("many"), func(d *disk.ExtDirInode) { d.FileSize = math.MaxUint32 }) }, "overlap in the directory table"},
		{"listing too short", func(v *victim) { change(v, v.body("sub"), func(d *disk.DirInode) { d.FileSize-- }) }, "listing ends before it"},

		{"header count", func(v *victim) { change(v, v.listing("sub"), func(h *disk.DirHeader) { h.Count = math.MaxUint32 }) }, "4294967296 entries"},
		{"header count 256", func(v *victim) { change(v, v.listing("sub"), func(h *disk.DirHeader) { h.Count = disk.DirCountMax }) }, "257 entries"},
		{"header block", func(v *victim) {
			change(v, v.listing("sub"), func(h *disk.DirHeader) { h.StartBlock = math.MaxUint32 })
		}, "beyond the end"},
		{"entry number", func(v *victim) { change(v, v.entry("sub"), func(e *disk.DirEntry) { e.InodeDelta++ }) }, "directory entry names"},
		{"entry type", func(v *victim) { change(v, v.entry("sub"), func(e *disk.DirEntry) { e.Type = disk.TypeExtFile }) }, "unknown type"},
		{"entry name length", func(v *victim) { change(v, v.entry("sub"), func(e *disk.DirEntry) { e.NameSize = math.MaxUint16 }) }, "name of 65536 bytes"},
		{"slash in name", func(v *victim) {
			change(v, v.entry("sub")+uint64(disk.DirEntrySize), func(c *byte) { *c = '/' })
		}, "is not a file name"},
		{"name ..", func(v *victim) {
			change(v, v.entry("sub")+uint64(disk.DirEntrySize), func(c *byte) { *c = '.' })
		}, "is not a file name"},
		{"order of names", func(v *victim) {
			change(v, v.entry("sub")+uint64(disk.DirEntrySize), func(c *byte) { *c = 'z' })
		}, "out of order"},
		{"equal names", func(v *victim) {
			change(v, v.entry("sub")+uint64(disk.DirEntrySize), func(c *byte) { *c = 'b' })
		}, "out of order"},
		{"directory in itself", func(v *victim) {
			root, c := v.inodeOf("."), v.listing("sub/c")
			change(v, c, func(h *disk.DirHeader) { h.StartBlock, h.Inode = uint32(root.ref.Block()), root.Number })
			change(v, c+uint64(disk.DirHeaderSize), func(e *disk.DirEntry) { e.Offset, e.InodeDelta, e.Type = root.ref.Offset(), 0, disk.TypeDir })
		}, "in more than one place"},

		{"index position", func(v *victim) {
			change(v, v.place(v.inodeOf("many").dir.indexes, 0), func(x *disk.DirIndex) { x.Index++ })
		}, "directory index 0"},
		{"index block", func(v *victim) {
			change(v, v.place(v.inodeOf("many").dir.indexes, 0), func(x *disk.DirIndex) { x.StartBlock++ })
		}, "directory index 0"},
		{"index name", func(v *victim) {
			change(v, v.place(v.inodeOf("many").dir.indexes, disk.DirIndexSize), func(c *byte) { *c++ })
		}, "directory index 0"},
		{"index name length", func(v *victim) {
			change(v, v.place(v.inodeOf("many").dir.indexes, 0), func(x *disk.DirIndex) { x.NameSize = math.MaxUint32 })
		}, "4294967296 bytes"},
		{"index count", func(v *victim) {
			change(v, v.body("many"), func(d *disk.ExtDirInode) { d.IndexCount = math.MaxUint16 })
		}, "inode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &victim{sound.Reader, t, bytes.Clone(sound.image)}
			test.damage(v)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readEverything(v.image)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
			const bound = 32 << 20
			if got := after.TotalAlloc - before.TotalAlloc; got > bound {
				t.Errorf("%d bytes allocated, want no more than %d", got, bound)
			}
		})
	}
}

// readEverything returns the first error of opening and checking an image and
// of reading all that it can of it in between.
func readEverything(image []byte) error {
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return err
	}
	walkErr := r.Walk(func(path string, ino Inode) error {
		if !ino.Mode.IsRegular() {
			return nil
		}
		f, err := r.OpenFile(ino)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, err = io.Copy(io.Discard, io.NewSectionReader(f, 0, min(f.Size(), 1<<20))); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	err = r.Check(context.Background())
	if walkErr != nil && err == nil {
		return fmt.Errorf("Check accepts what cannot be read: %w", walkErr)
	}
	return err
}

func TestNotSquashFS(t *testing.T) {
	for _, image := range [][]byte{nil, []byte("hsqs"), make([]byte, 5000), bytes.Repeat([]byte("sqsh"), 100)} {
		if _, err := Open(bytes.NewReader(image), int64(len(image))); !errors.Is(err, ErrNotSquashFS) {
			t.Errorf("Open of %d bytes = %v, want ErrNotSquashFS", len(image), err)
		}
	}
}

// TestTruncated cuts an image off at every length, or lets reading it fail
// there although its size is right.
func TestTruncated(t *testing.T) {
	v := newVictim(t)
	used := v.Info().BytesUsed
	for n := int64(0); n < used; n += 101 {
		if _, err := Open(bytes.NewReader(v.image[:n]), n); err == nil {
			t.Fatalf("Open of the first %d bytes succeeds", n)
		}
		r, err := Open(bytes.NewReader(v.image[:n]), int64(len(v.image)))
		if err == nil {
			err = r.Check(context.Background())
		}
		if err == nil {
			t.Fatalf("Check succeeds with the first %d bytes", n)
		}
	}
}
