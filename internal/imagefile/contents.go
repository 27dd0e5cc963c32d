package imagefile

import (
	"bytes"
	"fmt"
	"io"
)

// Contents is what an image is, by what it begins with.
type Contents struct {
	What string // "an ISO 9660 volume", "a disk with a GPT", "an ext4 file system"
	// Starts reports whether firmware may find something on a stick to start: a
	// program in the first sector or an EFI system partition. It is true of disks
	// with partitions, since some machines look elsewhere, too.
	Starts bool
	Disc   bool // it is a disc, whether or not it is a disk, too

	needs  []need
	backup backup
}

// need is how many bytes an image has at least, and what says so.
type need struct {
	size int64
	by   string
}

// backup is where the backup GPT has its header, if there is one.
type backup struct{ offset, sectorSize int64 }

func (b backup) end() int64 { return b.offset + b.sectorSize }

// ForeignError says that a file is something else than a disk image.
type ForeignError struct {
	Path   string
	What   string // "a zip archive"
	Kind   Kind
	Inside Format // how the file is compressed that it is in
}

func (e *ForeignError) Error() string {
	if e.Inside != Plain {
		return fmt.Sprintf("%s is %s, compressed by %s, and no disk image", e.Path, e.What, e.Inside)
	}
	return fmt.Sprintf("%s is %s, and no disk image", e.Path, e.What)
}

// UnknownError says that nothing is known of what a file holds.
type UnknownError struct {
	Path  string
	Zeros int64 // that it begins with, if those are all that was looked at
}

func (e *UnknownError) Error() string {
	if e.Zeros > 0 {
		return fmt.Sprintf("%s is no disk image: it begins with %d zeros", e.Path, e.Zeros)
	}
	return e.Path + " is no known disk image: it has no ISO 9660 volume, no partition table and no file system at its beginning"
}

// IncompleteError says that a file does not hold the whole of an image.
type IncompleteError struct {
	Path string
	Size int64  // of the image in the file, in bytes
	Need int64  // in bytes; Size or less if the bytes are there, but not what they should be
	By   string // what says so
}

func (e *IncompleteError) Error() string {
	if e.Need <= e.Size {
		return fmt.Sprintf("%s is incomplete: of %d bytes the last are not its backup GPT", e.Path, e.Need)
	}
	return fmt.Sprintf("%s is incomplete: it has %d bytes of the %d that %s tells of", e.Path, e.Size, e.Need, e.By)
}

// headSize is how much of an image is looked at to know it. Everything that
// matters is within: volume descriptors from 32 KiB on, superblocks from 64 KiB
// on, the volume descriptors of UDF from 512 KiB on.
const headSize = 1 << 20

// Contents finds out what the image is. Of a plain file it is known then to be
// whole, of a compressed one only [File.Check] finds that out.
//
// The error is a [ForeignError], an [UnknownError], an [IncompleteError], a
// [DamagedError] or one of reading.
func (f *File) Contents() (Contents, error) {
	r, err := f.Reader()
	if err != nil {
		return Contents{}, err
	}
	defer r.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	switch {
	case err == io.EOF:
		return Contents{}, &EmptyError{f.Path}
	case err != nil && err != io.ErrUnexpectedEOF:
		return Contents{}, err
	}
	c, err := f.recognise(head[:n])
	if err != nil || f.Format != Plain {
		return c, err
	}
	sector := make([]byte, c.backup.sectorSize)
	if c.backup.end() <= f.FileSize {
		if _, err := f.file.ReadAt(sector, c.backup.offset); err != nil {
			return c, err
		}
	}
	return c, c.check(f.Path, f.FileSize, sector)
}

// recognise knows an image by its head. What has the strongest marks comes
// first: an ISO image can begin with anything, the first sector of a disk with
// much.
func (f *File) recognise(head []byte) (Contents, error) {
	tables, err := readTables(head)
	if err != nil {
		return Contents{}, err
	}
	if size, ok := isoSize(head); ok {
		return tables.disc(size), nil
	}
	if tables.hasGPT() {
		c := Contents{What: "a disk with a GPT", Starts: true}
		c.addGPT(tables)
		return c, nil
	}
	begin := head
	for length := skippable(begin); length > 0 && length < int64(len(begin)); length = skippable(begin) {
		begin = begin[length:]
	}
	foreign, found := match(formats, begin)
	if !found {
		// mtools gives boot sectors of FAT a partition table, too.
		for _, list := range [][]superblock{bootSectors, superblocks} {
			if c, ok := fileSystem(list, head); ok {
				c.Starts = c.Starts || tables.starts()
				return c, nil
			}
			if c, ok := tables.disk(); ok {
				return c, nil
			}
		}
		foreign, found = match(weakFormats, head)
	}
	if !found {
		foreign, found = asText(head)
	}
	if !found && f.hasAppleTrailer() {
		foreign, found = format{"an Apple disk image", AppleImage, nil}, true
	}
	switch {
	case found:
		return Contents{}, &ForeignError{f.Path, foreign.name, foreign.kind, f.Format}
	case len(bytes.Trim(head, "\x00")) == 0:
		return Contents{}, &UnknownError{f.Path, int64(len(head))}
	}
	return Contents{}, &UnknownError{Path: f.Path}
}

func (f *File) hasAppleTrailer() bool {
	if f.Format != Plain || f.FileSize < appleTrailerSize {
		return false
	}
	trailer := make([]byte, len(appleTrailer))
	_, err := f.file.ReadAt(trailer, f.FileSize-appleTrailerSize)
	return err == nil && string(trailer) == appleTrailer
}

// check refuses an image of so many bytes that is not whole, with what it has
// where its backup GPT should be.
func (c *Contents) check(path string, size int64, backup []byte) error {
	for _, n := range c.needs {
		if n.size > size {
			return &IncompleteError{path, size, n.size, n.by}
		}
	}
	if c.backup.sectorSize > 0 && !has(backup, 0, "EFI PART") {
		return &IncompleteError{path, size, c.backup.end(), ""}
	}
	return nil
}

// keeper keeps of an image that is read only once what is needed to know
// whether it is whole.
type keeper struct {
	file   *File
	head   []byte
	size   int64
	known  bool // head is full, and contents are set
	failed error

	contents Contents
	backup   []byte
}

// Write never fails: what is wrong is said by end, if it matters.
func (k *keeper) Write(p []byte) (int, error) {
	offset := k.size
	k.size += int64(len(p))
	if !k.known {
		k.head = append(k.head, p[:min(len(p), headSize-len(k.head))]...)
		if len(k.head) == headSize {
			k.recognise()
		}
	}
	// What is in the head is there already.
	from, to := max(k.contents.backup.offset, headSize), k.contents.backup.end()
	if start, end := max(from, offset), min(to, k.size); start < end {
		k.backup = append(k.backup, p[start-offset:end-offset]...)
	}
	return len(p), nil
}

func (k *keeper) recognise() {
	k.known = true
	k.contents, k.failed = k.file.recognise(k.head)
	if b := k.contents.backup; b.end() <= int64(len(k.head)) {
		k.backup = k.head[b.offset:b.end()]
	}
}

// end says what was wrong with the image, after all of it was written.
func (k *keeper) end() error {
	if !k.known {
		k.recognise()
	}
	if k.failed != nil {
		return k.failed
	}
	return k.contents.check(k.file.Path, k.size, k.backup)
}
