package squashfs

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"iter"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Xattr is an extended attribute.
type Xattr struct {
	Name  string // with its namespace: user.mime_type
	Value []byte
}

// xattrPrefixes are the namespaces by their numbers (squashfs_fs.h,
// SQUASHFS_XATTR_USER and on).
var xattrPrefixes = []string{"user.", "trusted.", "security."}

// xattrEntrySize is the least that an attribute takes, without its value.
const xattrEntrySize = 8

// Bounds of Linux (include/uapi/linux/limits.h): no value is longer, and no list
// of an inode's names, each with a NUL.
const (
	xattrValueMax = 64 << 10 // XATTR_SIZE_MAX
	xattrListMax  = 64 << 10 // XATTR_LIST_MAX
)

// Xattrs reads the extended attributes of ino, in the order of the image. An
// error ends the sequence.
func (r *Reader) Xattrs(ino Inode) iter.Seq2[Xattr, error] { return r.xattrList(ino, r.xattrValue) }

// xattrList is Xattrs with a function for the values of other lists.
func (r *Reader) xattrList(ino Inode, elsewhere func(disk.InodeRef) ([]byte, error)) iter.Seq2[Xattr, error] {
	return func(yield func(Xattr, error) bool) {
		if ino.xattrs == disk.InvalidXattr {
			return
		}
		var id disk.XattrID
		var c *cursor
		err := r.row(&r.xattrIDs, uint64(ino.xattrs), &id)
		if err == nil {
			c, err = r.xattrCursor(id.Xattr)
		}
		if err != nil {
			yield(Xattr{}, fmt.Errorf("reading extended attributes of inode %d: %w", ino.Number, err))
			return
		}
		list := 0
		for range id.Count {
			x, err := c.xattr(elsewhere)
			if list += len(x.Name) + 1; err == nil && list > xattrListMax {
				err = fmt.Errorf("names of more than %d bytes", xattrListMax)
			}
			if err != nil {
				yield(Xattr{}, fmt.Errorf("reading extended attributes of inode %d: %w", ino.Number, err))
				return
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

// xattrCursor returns a cursor at a place in the attributes, which is named as
// that of an inode is.
func (r *Reader) xattrCursor(at disk.InodeRef) (*cursor, error) {
	return r.cursorAt(r.xattrs, position{r.xattrs.start + at.Block(), int(at.Offset())})
}

// xattrValue reads a value that is in another list.
func (r *Reader) xattrValue(at disk.InodeRef) ([]byte, error) {
	c, err := r.xattrCursor(at)
	if err != nil {
		return nil, err
	}
	return c.value()
}

// xattr reads an attribute.
func (c *cursor) xattr(elsewhere func(disk.InodeRef) ([]byte, error)) (x Xattr, err error) {
	var e disk.XattrEntry
	if err := c.decode(&e); err != nil {
		return x, err
	}
	if x.Name, err = c.text(uint32(e.NameSize)); err != nil {
		return x, err
	}
	prefix := int(e.Type & disk.XattrPrefixMask)
	if prefix >= len(xattrPrefixes) {
		return x, fmt.Errorf("%q is in the unknown namespace %d", x.Name, prefix)
	}
	x.Name = xattrPrefixes[prefix] + x.Name
	if x.Value, err = c.value(); err != nil || e.Type&disk.XattrElsewhere == 0 {
		return x, err
	}
	if len(x.Value) != disk.InodeRefSize {
		return x, fmt.Errorf("%s: place of %d bytes, not %d", x.Name, len(x.Value), disk.InodeRefSize)
	}
	x.Value, err = elsewhere(disk.InodeRef(binary.LittleEndian.Uint64(x.Value)))
	return x, err
}

// value reads the value of an attribute.
func (c *cursor) value() ([]byte, error) {
	var size uint32
	if err := c.decode(&size); err != nil {
		return nil, err
	}
	if size > xattrValueMax {
		return nil, fmt.Errorf("value of %d bytes, %d are possible", size, xattrValueMax)
	}
	p := make([]byte, size)
	return p, c.read(p)
}

// openXattrs finds the extended attributes, whose table ends the image, and
// returns where they begin, which is where the table before them ends.
func (r *Reader) openXattrs(end uint64) (start uint64, err error) {
	p := make([]byte, binary.Size(disk.XattrTable{}))
	at := r.sb.XattrTable
	if at > end || end-at < uint64(len(p)) {
		return 0, fmt.Errorf("xattr table: at %d, beyond the end of the image at %d", at, end)
	}
	if err := r.readAt(p, at); err != nil {
		return 0, fmt.Errorf("reading xattr table: %w", err)
	}
	var t disk.XattrTable
	if _, err := binary.Decode(p, binary.LittleEndian, &t); err != nil {
		return 0, fmt.Errorf("reading xattr table: %w", err)
	}
	if r.xattrIDs, err = r.openLookupTable("xattr table", at+uint64(len(p)), uint64(t.IDs), disk.XattrIDSize, end); err != nil {
		return 0, err
	}
	r.xattrs = section{"extended attributes", t.Start, r.xattrIDs.start(at)}
	if t.Start > r.xattrs.end || t.Start < r.data.start {
		return 0, fmt.Errorf("xattr table: attributes at %d, their table begins at %d", t.Start, r.xattrs.end)
	}
	return t.Start, nil
}

// DeviceNumbers are the major and minor number of a device, or 0.
func (ino Inode) DeviceNumbers() (major, minor uint32) {
	if ino.Mode&fs.ModeDevice == 0 {
		return 0, 0
	}
	// new_decode_dev of Linux's include/linux/kdev_t.h.
	return ino.Device >> 8 & 0xfff, ino.Device&0xff | ino.Device>>12&0xfff00
}
