package disk

import "encoding/binary"

// decoder is a record that is decoded field by field, for the reason that others are
// encoded so.
type decoder interface {
	size() int
	decode(p []byte) // of that size
}

// Size is how many bytes the record takes that v points to.
func Size(v any) int {
	if d, ok := v.(decoder); ok {
		return d.size()
	}
	return binary.Size(v)
}

// Decode decodes the record that v points to.
func Decode(p []byte, v any) error {
	if d, ok := v.(decoder); ok && len(p) >= d.size() {
		d.decode(p)
		return nil
	}
	_, err := binary.Decode(p, le, v)
	return err
}

func (*InodeHeader) size() int  { return 16 }
func (*DirInode) size() int     { return 16 }
func (*FileInode) size() int    { return 16 }
func (*SymlinkInode) size() int { return 8 }
func (*DirHeader) size() int    { return 12 }

func (h *InodeHeader) decode(p []byte) {
	*h = InodeHeader{
		Type:  InodeType(le.Uint16(p)),
		Mode:  le.Uint16(p[2:]),
		UID:   le.Uint16(p[4:]),
		GID:   le.Uint16(p[6:]),
		Mtime: le.Uint32(p[8:]),
		Inode: le.Uint32(p[12:]),
	}
}

func (d *DirInode) decode(p []byte) {
	*d = DirInode{
		StartBlock: le.Uint32(p),
		Nlink:      le.Uint32(p[4:]),
		FileSize:   le.Uint16(p[8:]),
		Offset:     le.Uint16(p[10:]),
		Parent:     le.Uint32(p[12:]),
	}
}

func (f *FileInode) decode(p []byte) {
	*f = FileInode{
		StartBlock: le.Uint32(p),
		Fragment:   le.Uint32(p[4:]),
		Offset:     le.Uint32(p[8:]),
		FileSize:   le.Uint32(p[12:]),
	}
}

func (s *SymlinkInode) decode(p []byte) {
	*s = SymlinkInode{Nlink: le.Uint32(p), TargetSize: le.Uint32(p[4:])}
}

func (h *DirHeader) decode(p []byte) {
	*h = DirHeader{Count: le.Uint32(p), StartBlock: le.Uint32(p[4:]), Inode: le.Uint32(p[8:])}
}
