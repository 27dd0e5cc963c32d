package medium

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/gpt"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Tree is a file system of a medium.
type Tree struct {
	Name   string // for messages: "volume", "EFI system partition"
	EFI    bool   // it is an EFI system partition, otherwise an ISO 9660 volume
	Offset int64  // of the file system, in bytes

	src io.ReaderAt // the whole medium
	iso *hybridiso.Reader
	fat *fat.Reader

	listed []Member // of a bundle
}

// TreeFile is a regular file of a [Tree].
type TreeFile struct {
	Path    string   // as it is written there, slash separated, without leading slash
	Size    int64    // in bytes
	Extents []Extent // the content is all of them, in order
	Record  int64    // where its directory entry is on the medium, in bytes
}

// Extent is a run of bytes of a medium.
type Extent struct{ Offset, Size int64 }

// At returns where on the medium a byte of the file lies, or -1.
func (f TreeFile) At(offset int64) int64 {
	for _, e := range f.Extents {
		if offset < e.Size {
			return e.Offset + offset
		}
		offset -= e.Size
	}
	return -1
}

// FS returns the files, as [hybridiso.Reader.FS] and [fat.Reader.FS] have them.
func (t *Tree) FS() fs.FS {
	switch {
	case t.fat != nil:
		return t.fat.FS()
	case t.iso != nil:
		return t.iso.FS()
	}
	return nothing{}
}

// isoBlock is the logical block of the volumes that are read, in bytes (ECMA-119 §6.2.2).
const isoBlock = 2048

// Unit returns what the room of a file is a multiple of, in bytes: the volume's block, or the
// cluster.
func (t *Tree) Unit() int64 {
	if t.EFI {
		return int64(t.fat.Info().ClusterSize)
	}
	return isoBlock
}

// Find returns a regular file by its path, in whatever case: firmware and boot loaders look
// at names so. A file that is not there is an [fs.ErrNotExist].
func (t *Tree) Find(name string) (TreeFile, error) {
	switch {
	case t.fat != nil:
		return t.findFAT(name)
	case t.iso != nil:
		return t.findISO(name)
	}
	return find(t.listed, name)
}

func (t *Tree) findFAT(name string) (TreeFile, error) {
	e, err := t.fat.Lookup(name)
	if err != nil {
		return TreeFile{}, err
	}
	if e.IsDir() {
		return TreeFile{}, fs.ErrNotExist
	}
	extents, err := t.fat.Extents(e)
	if err != nil {
		return TreeFile{}, fmt.Errorf("%s: %w", name, err)
	}
	f := TreeFile{Path: name, Size: e.Size, Record: t.Offset + e.Offset}
	for _, x := range extents {
		f.Extents = append(f.Extents, Extent{t.Offset + x.Offset, x.Size})
	}
	return f, nil
}

func (t *Tree) findISO(name string) (TreeFile, error) {
	at, err := t.iso.Lookup(".")
	for element := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if err != nil {
			return TreeFile{}, err
		}
		if !at.Mode.IsDir() {
			return TreeFile{}, fs.ErrNotExist
		}
		var entries []hybridiso.Entry
		if entries, err = t.iso.Entries(at); err != nil {
			return TreeFile{}, err
		}
		n := slices.IndexFunc(entries, func(e hybridiso.Entry) bool { return path.Base(e.Path) == element })
		if n < 0 {
			n = slices.IndexFunc(entries, func(e hybridiso.Entry) bool { return strings.EqualFold(path.Base(e.Path), element) })
		}
		if n < 0 {
			return TreeFile{}, fs.ErrNotExist
		}
		at = entries[n]
	}
	if err != nil {
		return TreeFile{}, err
	}
	if !at.Mode.IsRegular() {
		return TreeFile{}, fs.ErrNotExist
	}
	f := TreeFile{Path: at.Path, Size: at.Size, Record: t.Offset + at.Record}
	for _, x := range at.Extents {
		f.Extents = append(f.Extents, Extent{t.Offset + x.Offset, x.Size})
	}
	return f, nil
}

// Open returns the content of a file.
func (t *Tree) Open(f TreeFile) *io.SectionReader { return Join(t.src, f.Extents, f.Size) }

// Join returns the file of size bytes whose content is all of the extents of src, in order.
func Join(src io.ReaderAt, extents []Extent, size int64) *io.SectionReader {
	if len(extents) == 1 {
		return io.NewSectionReader(src, extents[0].Offset, min(size, extents[0].Size))
	}
	return io.NewSectionReader(pieces{src, extents}, 0, size)
}

// pieces reads a file that lies in several.
type pieces struct {
	src     io.ReaderAt
	extents []Extent
}

func (p pieces) ReadAt(b []byte, offset int64) (n int, err error) {
	start := int64(0)
	for _, e := range p.extents {
		if at := offset + int64(n) - start; at >= 0 && at < e.Size && n < len(b) {
			part := b[n:min(len(b), n+int(min(e.Size-at, int64(len(b)))))]
			read, err := p.src.ReadAt(part, e.Offset+at)
			n += read
			if read < len(part) {
				return n, err
			}
		}
		start += e.Size
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// maxTextSize is more than any boot menu has, in bytes.
const maxTextSize = 4 << 20

// Text returns a small file, such as a menu, or false if there is none at the path.
func (t *Tree) Text(name string) (text string, ok bool, err error) {
	f, err := t.Find(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && f.Size > maxTextSize {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	b, err := io.ReadAll(t.Open(f))
	if err != nil {
		return "", false, fmt.Errorf("reading %s: %w", name, err)
	}
	return string(b), true, nil
}

// Names returns the names in a folder, in whatever case its path is written, and none if there is
// no such folder.
func (t *Tree) Names(dir string) (names []string, err error) {
	at := "."
	for element := range strings.SplitSeq(strings.Trim(path.Clean("/"+dir), "/"), "/") {
		list, err := t.readDir(at)
		if err != nil {
			return nil, err
		}
		n := slices.IndexFunc(list, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), element) })
		if n < 0 || !list[n].IsDir() {
			return nil, nil
		}
		at = path.Join(at, list[n].Name())
	}
	list, err := t.readDir(at)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

// readDir lists a folder, which need not be there.
func (t *Tree) readDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(t.FS(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", name, err)
	}
	return list, nil
}

// has reports whether there is a file at the path. What cannot be read is not there.
func (t *Tree) has(name string) bool {
	_, err := t.Find(name)
	return err == nil
}

// efiPlatform is the platform of El Torito's boot images that are EFI system partitions
// (UEFI 2.10 §13.3.2.1).
const efiPlatform = 0xEF

// OpenISO opens the ISO 9660 volume at an offset of what has size bytes. The error wraps
// [hybridiso.ErrNoVolume] if there is none.
func OpenISO(r io.ReaderAt, offset, size int64) (*Tree, error) {
	iso, err := hybridiso.Open(io.NewSectionReader(r, offset, size-offset), size-offset)
	if err != nil {
		return nil, err
	}
	return &Tree{Name: "volume", Offset: offset, src: r, iso: iso}, nil
}

// OpenEFI opens the EFI system partition, a FAT file system, at an offset of what has size
// bytes. The error wraps [fat.ErrNotFAT] if there is none.
func OpenEFI(r io.ReaderAt, offset, size int64) (*Tree, error) {
	fat, err := fat.Open(io.NewSectionReader(r, offset, size-offset), size-offset)
	if err != nil {
		return nil, err
	}
	return &Tree{Name: "EFI system partition", EFI: true, Offset: offset, src: r, fat: fat}, nil
}

// openTrees opens the file systems that boot loaders read: the volume of the whole medium
// first, then EFI system partitions, then volumes that begin with a partition. Those that a table
// speaks of need not be there.
func (m *Medium) openTrees() error {
	volume, err := OpenISO(m.r, 0, m.Size)
	if err != nil {
		return err
	}
	m.trees = []*Tree{volume}
	m.partitionTrees()
	return nil
}

// partitionTrees opens those that tables speak of.
func (m *Medium) partitionTrees() {
	var efi, others []int64
	for _, e := range m.Volume.BootEntries {
		if e.Platform == efiPlatform {
			efi = append(efi, e.Offset)
		}
	}
	for _, p := range m.Volume.Partitions {
		if p.Type == gpt.EFISystem.String() || p.Type == fmt.Sprintf("0x%02X", gpt.TypeEFISystem) {
			efi = append(efi, p.Offset)
		} else {
			others = append(others, p.Offset)
		}
	}
	m.addTrees(efi, OpenEFI)
	m.addTrees(others, OpenISO)
}

// addTrees adds what can be opened at the offsets and is not there yet.
func (m *Medium) addTrees(offsets []int64, open func(r io.ReaderAt, offset, size int64) (*Tree, error)) {
	for _, offset := range offsets {
		if offset < 0 || offset >= m.Size || slices.ContainsFunc(m.trees, func(t *Tree) bool { return t.Offset == offset }) {
			continue
		}
		if t, err := open(m.r, offset, m.Size); err == nil {
			m.trees = append(m.trees, t)
		}
	}
}
