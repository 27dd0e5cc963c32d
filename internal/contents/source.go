package contents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// source is a file system of a kind. Paths are slash separated, "." is the root directory;
// their names may be any bytes.
type source interface {
	lookup(name string) (entry, error) // follows no link; an fs.ErrNotExist
	list(dir entry) iter.Seq2[entry, error]
	open(file entry) (*io.SectionReader, error)
}

// entry is a file in a source.
type entry struct {
	path         string
	mode         fs.FileMode
	size         int64
	uid, gid     uint32
	modTime      time.Time
	target       string
	links        uint32
	major, minor uint32
	id           uint64 // of a folder: no other in the source has it

	extents []medium.Extent // of a file in no file system

	iso hybridiso.Entry
	fat fat.Entry
	ino squashfs.Inode
}

func below(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// openSource opens the file system image that a file is.
func openSource(r *io.SectionReader) (source, error) {
	s, err := squashfs.Open(r, r.Size())
	if !errors.Is(err, squashfs.ErrNotSquashFS) {
		return squash{s}, err
	}
	iso, err := openISO(r, r.Size())
	if !errors.Is(err, hybridiso.ErrNoVolume) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return iso, err
	}
	partition, err := openFAT(r, 0, r.Size())
	if !errors.Is(err, fat.ErrNotFAT) {
		return partition, err
	}
	if name := foreignSystem(r); name != "" {
		return nil, fmt.Errorf("is an image of the file system %s, which is not read: 'livebuild extract' takes it out, to be mounted", name)
	}
	return nil, errNoImage
}

var errNoImage = errors.New("is no folder, and no image of a squashfs, ISO 9660 or FAT file system")

// empty is the source of a disk, whose files are all in its partitions.
type empty struct{}

func (empty) lookup(name string) (entry, error) {
	if name != "." {
		return entry{}, fs.ErrNotExist
	}
	return entry{path: ".", mode: fs.ModeDir | 0o555}, nil
}

func (empty) list(entry) iter.Seq2[entry, error] { return func(func(entry, error) bool) {} }

func (empty) open(entry) (*io.SectionReader, error) { return nil, fs.ErrNotExist }

// foreign are file systems that are known by their magic numbers, and not read: at an offset in
// bytes (Linux, include/uapi/linux/magic.h, fs/erofs/erofs_fs.h, fs/xfs/libxfs/xfs_format.h,
// fs/btrfs; ext4's are those of ext2 and ext3, too).
var foreign = []struct {
	name   string
	offset int64
	magic  string
}{
	{"ext4", 1024 + 56, "\x53\xef"},
	{"EROFS", 1024, "\xe2\xe1\xf5\xe0"},
	{"XFS", 0, "XFSB"},
	{"Btrfs", 64<<10 + 64, "_BHRfS_M"},
}

// foreignSystem is the name of a file system that is not read, or empty.
func foreignSystem(r io.ReaderAt) string {
	for _, f := range foreign {
		p := make([]byte, len(f.magic))
		if _, err := r.ReadAt(p, f.offset); err == nil && string(p) == f.magic {
			return f.name
		}
	}
	return ""
}

// iso9660 is the source of a volume.
type iso9660 struct {
	src io.ReaderAt
	r   *hybridiso.Reader
}

func openISO(src io.ReaderAt, size int64) (source, error) {
	r, err := hybridiso.Open(src, size)
	return iso9660{src, r}, err
}

func (s iso9660) entryOf(e hybridiso.Entry) entry {
	size := e.Size
	if e.Zisofs {
		size = e.Unpacked
	}
	return entry{
		path: e.Path, mode: e.Mode, size: size, uid: e.UID, gid: e.GID, modTime: e.ModTime, target: e.Target,
		id: uint64(e.Record), iso: e,
	}
}

func (s iso9660) lookup(name string) (entry, error) {
	e, err := s.r.Lookup(name)
	return s.entryOf(e), err
}

func (s iso9660) list(dir entry) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		entries, err := s.r.Entries(dir.iso)
		if err != nil {
			yield(entry{}, err)
			return
		}
		entries = slices.Clone(entries)
		slices.SortFunc(entries, func(a, b hybridiso.Entry) int { return strings.Compare(a.Path, b.Path) })
		for _, e := range entries {
			if !yield(s.entryOf(e), nil) {
				return
			}
		}
	}
}

func (s iso9660) open(file entry) (*io.SectionReader, error) {
	extents := make([]medium.Extent, len(file.iso.Extents))
	for i, e := range file.iso.Extents {
		extents[i] = medium.Extent(e)
	}
	content := medium.Join(s.src, extents, file.iso.Size)
	if !file.iso.Zisofs {
		return content, nil
	}
	z, err := hybridiso.OpenZisofs(content, content.Size())
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(z, 0, z.Size()), nil
}

// vfat is the source of a FAT file system.
type vfat struct {
	src io.ReaderAt // the file system
	r   *fat.Reader
}

func openFAT(src io.ReaderAt, offset, size int64) (source, error) {
	section := io.NewSectionReader(src, offset, size-offset)
	r, err := fat.Open(section, section.Size())
	return vfat{section, r}, err
}

func (s vfat) entryOf(name string, e fat.Entry) entry {
	return entry{path: name, mode: e.Mode(), size: e.Size, modTime: e.ModTime, id: uint64(e.Cluster), fat: e}
}

func (s vfat) lookup(name string) (entry, error) {
	e, err := s.r.Lookup(name)
	return s.entryOf(name, e), err
}

func (s vfat) list(dir entry) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		entries, err := s.r.Entries(dir.fat)
		if err != nil {
			yield(entry{}, err)
			return
		}
		for _, e := range entries {
			if !yield(s.entryOf(below(dir.path, e.Name), e), nil) {
				return
			}
		}
	}
}

func (s vfat) open(file entry) (*io.SectionReader, error) {
	list, err := s.r.Extents(file.fat)
	if err != nil {
		return nil, err
	}
	extents := make([]medium.Extent, len(list))
	for i, e := range list {
		extents[i] = medium.Extent(e)
	}
	return medium.Join(s.src, extents, file.size), nil
}

// squash is the source of a squashfs.
type squash struct{ r *squashfs.Reader }

func (s squash) entryOf(name string, ino squashfs.Inode) entry {
	e := entry{
		path: name, mode: ino.Mode, size: ino.Size, uid: ino.UID, gid: ino.GID, modTime: ino.ModTime, target: ino.Target,
		links: ino.Links, id: uint64(ino.Number), ino: ino,
	}
	e.major, e.minor = ino.DeviceNumbers()
	return e
}

func (s squash) lookup(name string) (entry, error) {
	ino, err := s.r.Lookup(name)
	return s.entryOf(path.Clean(name), ino), err
}

func (s squash) list(dir entry) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for e, err := range s.r.Entries(dir.ino) {
			var ino squashfs.Inode
			if err == nil {
				if ino, err = s.r.Inode(e); err != nil {
					err = fmt.Errorf("%s: %w", e.Name, err)
				}
			}
			if !yield(s.entryOf(below(dir.path, e.Name), ino), err) || err != nil {
				return
			}
		}
	}
}

func (s squash) open(file entry) (*io.SectionReader, error) {
	f, err := s.r.OpenFile(file.ino)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f, 0, f.Size()), nil
}
