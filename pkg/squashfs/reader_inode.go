package squashfs

import (
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Inode is a file of any type, without the names that it has.
type Inode struct {
	Number  uint32      // from 1
	Mode    fs.FileMode // type and permissions
	UID     uint32
	GID     uint32
	ModTime time.Time
	Links   uint32 // names that it has; of a directory as the image's writer counted them
	Size    int64  // of a regular file's contents, or of Target, in bytes; otherwise 0
	Target  string // of a symbolic link
	Device  uint32 // of a device, as Linux's new_encode_dev has it

	kind disk.InodeType // a basic type
	ref  disk.InodeRef
	dir  dirPlace
	file filePlace

	xattrs uint32 // record of the xattr table, or invalidXattr
}

// dirPlace is where a directory's listing is.
type dirPlace struct {
	start      position
	size       uint64 // of the listing, without dirSizeExtra
	parent     uint32
	indexes    position // of the first dirIndex, if indexCount > 0
	indexCount uint16
}

// filePlace is where a file's contents are.
type filePlace struct {
	start          uint64   // of the first data block
	sparse         uint64   // bytes of the file in all-zero blocks, as its writer counted them
	sizes          position // of the first block's size, if blocks > 0
	blocks         uint64
	fragment       uint32
	fragmentOffset uint32
	tail           uint32 // bytes of the file in the fragment
}

// Root returns the root directory.
func (r *Reader) Root() (Inode, error) { return r.root() }

func (r *Reader) readRoot() (Inode, error) {
	ino, err := r.inode(r.sb.RootInode)
	if err != nil {
		return Inode{}, fmt.Errorf("reading root directory: %w", err)
	}
	if !ino.Mode.IsDir() {
		return Inode{}, fmt.Errorf("root directory is of type %s", ino.Mode.Type())
	}
	return ino, nil
}

// Inode returns the inode that e names.
func (r *Reader) Inode(e DirEntry) (Inode, error) {
	ino, err := r.inode(e.ref)
	if err != nil {
		return Inode{}, err
	}
	if ino.Number != e.Number || ino.kind != e.kind {
		return Inode{}, fmt.Errorf("directory entry names inode %d of type %d, but finds inode %d of type %d", e.Number, e.kind, ino.Number, ino.kind)
	}
	return ino, nil
}

// blockOf is the metadata block in which an inode begins.
func (r *Reader) blockOf(ino Inode) uint64 { return r.inodes.start + ino.ref.Block() }

func (r *Reader) inode(ref disk.InodeRef) (Inode, error) {
	c, err := r.cursorAt(r.inodes, position{r.inodes.start + ref.Block(), int(ref.Offset())})
	if err != nil {
		return Inode{}, fmt.Errorf("reading inode at %#x: %w", uint64(ref), err)
	}
	var h disk.InodeHeader
	if err := c.decode(&h); err != nil {
		return Inode{}, fmt.Errorf("reading inode at %#x: %w", uint64(ref), err)
	}
	ino := Inode{Number: h.Inode, ModTime: time.Unix(int64(h.Mtime), 0).UTC(), ref: ref, xattrs: disk.InvalidXattr}
	if err := r.inodeBody(&ino, h, c); err != nil {
		return Inode{}, fmt.Errorf("reading inode %d: %w", h.Inode, err)
	}
	return ino, nil
}

func (r *Reader) inodeBody(ino *Inode, h disk.InodeHeader, c *cursor) error {
	if h.Inode == 0 || h.Inode > r.sb.Inodes {
		return fmt.Errorf("number not from 1 to %d", r.sb.Inodes)
	}
	if int(h.UID) >= len(r.ids) || int(h.GID) >= len(r.ids) {
		return fmt.Errorf("user ID %d and group ID %d of %d", h.UID, h.GID, len(r.ids))
	}
	ino.UID, ino.GID = r.ids[h.UID], r.ids[h.GID]

	ino.kind = h.Type
	if h.Type > disk.Extended {
		ino.kind -= disk.Extended
	}
	typ, ok := fileType(ino.kind)
	if !ok {
		return fmt.Errorf("unknown type %d", h.Type)
	}
	ino.Mode = typ | fileMode(h.Mode)

	var err error
	switch h.Type {
	case disk.TypeDir:
		return r.dirBody(ino, c)
	case disk.TypeExtDir:
		return r.extDirBody(ino, c)
	case disk.TypeFile:
		return r.fileBody(ino, c)
	case disk.TypeExtFile:
		return r.extFileBody(ino, c)
	case disk.TypeSymlink, disk.TypeExtSymlink:
		err = symlinkBody(ino, c)
	case disk.TypeBlockDevice, disk.TypeCharDevice, disk.TypeBlockDevice + disk.Extended, disk.TypeCharDevice + disk.Extended:
		var d disk.DeviceInode
		err = c.decode(&d)
		ino.Links, ino.Device = d.Nlink, d.Rdev
	default:
		var d disk.IPCInode
		err = c.decode(&d)
		ino.Links = d.Nlink
	}
	if err != nil || h.Type <= disk.Extended {
		return err
	}
	return c.decode(&ino.xattrs)
}

func (r *Reader) dirBody(ino *Inode, c *cursor) error {
	var d disk.DirInode
	if err := c.decode(&d); err != nil {
		return err
	}
	ino.Links = d.Nlink
	ino.dir = dirPlace{
		start:  position{r.listings.start + uint64(d.StartBlock), int(d.Offset)},
		size:   listingSize(uint32(d.FileSize)),
		parent: d.Parent,
	}
	return nil
}

func (r *Reader) extDirBody(ino *Inode, c *cursor) error {
	var d disk.ExtDirInode
	if err := c.decode(&d); err != nil {
		return err
	}
	ino.Links, ino.xattrs = d.Nlink, d.Xattr
	ino.dir = dirPlace{
		start:      position{r.listings.start + uint64(d.StartBlock), int(d.Offset)},
		size:       listingSize(d.FileSize),
		parent:     d.Parent,
		indexes:    c.position(),
		indexCount: d.IndexCount,
	}
	return nil
}

// listingSize is a directory's recorded size without the room for "." and
// "..". The kernel takes a smaller one for an empty listing.
func listingSize(recorded uint32) uint64 {
	return uint64(max(recorded, disk.DirSizeExtra) - disk.DirSizeExtra)
}

func (r *Reader) fileBody(ino *Inode, c *cursor) error {
	var f disk.FileInode
	if err := c.decode(&f); err != nil {
		return err
	}
	ino.Links = 1
	ino.Size = int64(f.FileSize)
	ino.file = filePlace{
		start:          uint64(f.StartBlock),
		sizes:          c.position(),
		fragment:       f.Fragment,
		fragmentOffset: f.Offset,
	}
	return r.countBlocks(ino)
}

func (r *Reader) extFileBody(ino *Inode, c *cursor) error {
	var f disk.ExtFileInode
	if err := c.decode(&f); err != nil {
		return err
	}
	if f.FileSize > math.MaxInt64 {
		return fmt.Errorf("size %d", f.FileSize)
	}
	if f.Sparse > f.FileSize {
		return fmt.Errorf("%d of %d bytes in all-zero blocks", f.Sparse, f.FileSize)
	}
	ino.Links, ino.xattrs = f.Nlink, f.Xattr
	ino.Size = int64(f.FileSize)
	ino.file = filePlace{
		start:          f.StartBlock,
		sparse:         f.Sparse,
		sizes:          c.position(),
		fragment:       f.Fragment,
		fragmentOffset: f.Offset,
	}
	return r.countBlocks(ino)
}

// countBlocks divides the file into blocks and a tail. Without a fragment the
// last block is what the tail would have been.
func (r *Reader) countBlocks(ino *Inode) error {
	f := &ino.file
	blockSize := uint64(r.sb.BlockSize)
	size := uint64(ino.Size)
	f.blocks = size / blockSize
	f.tail = uint32(size % blockSize)
	if f.fragment == disk.InvalidFragment {
		if f.tail > 0 {
			f.blocks++
			f.tail = 0
		}
		return nil
	}
	if f.tail == 0 {
		return fmt.Errorf("fragment %d for a file of %d bytes, which fills its blocks", f.fragment, ino.Size)
	}
	if f.fragment >= r.sb.Fragments {
		return fmt.Errorf("fragment %d of %d", f.fragment, r.sb.Fragments)
	}
	if uint64(f.fragmentOffset)+uint64(f.tail) > blockSize {
		return fmt.Errorf("%d bytes at %d of a fragment, which holds no more than %d", f.tail, f.fragmentOffset, blockSize)
	}
	return nil
}

func symlinkBody(ino *Inode, c *cursor) error {
	var s disk.SymlinkInode
	if err := c.decode(&s); err != nil {
		return err
	}
	if s.TargetSize > disk.SymlinkMax {
		return fmt.Errorf("symbolic link to a name of %d bytes, %d are possible", s.TargetSize, disk.SymlinkMax)
	}
	ino.Links = s.Nlink
	ino.Size = int64(s.TargetSize)
	var err error
	ino.Target, err = c.text(s.TargetSize)
	return err
}

// fileType is a basic inode type as Go has it.
func fileType(kind disk.InodeType) (typ fs.FileMode, ok bool) {
	switch kind {
	case disk.TypeDir:
		return fs.ModeDir, true
	case disk.TypeFile:
		return 0, true
	case disk.TypeSymlink:
		return fs.ModeSymlink, true
	case disk.TypeBlockDevice:
		return fs.ModeDevice, true
	case disk.TypeCharDevice:
		return fs.ModeDevice | fs.ModeCharDevice, true
	case disk.TypeFIFO:
		return fs.ModeNamedPipe, true
	case disk.TypeSocket:
		return fs.ModeSocket, true
	}
	return 0, false
}

// fileMode is the twelve mode bits of chmod(2) as Go has them.
func fileMode(mode uint16) fs.FileMode {
	const setuid, setgid, sticky = 0o4000, 0o2000, 0o1000
	m := fs.FileMode(mode) & fs.ModePerm
	if mode&setuid != 0 {
		m |= fs.ModeSetuid
	}
	if mode&setgid != 0 {
		m |= fs.ModeSetgid
	}
	if mode&sticky != 0 {
		m |= fs.ModeSticky
	}
	return m
}
