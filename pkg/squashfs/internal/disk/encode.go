package disk

import "encoding/binary"

// Records of which an image has as many as files are encoded field by field: encoding/binary
// looks up each field's type each time, which took longer than compressing by lz4.

var le = binary.LittleEndian

func (h InodeHeader) append(p []byte) []byte {
	p = le.AppendUint16(p, uint16(h.Type))
	p = le.AppendUint16(p, h.Mode)
	p = le.AppendUint16(p, h.UID)
	p = le.AppendUint16(p, h.GID)
	p = le.AppendUint32(p, h.Mtime)
	return le.AppendUint32(p, h.Inode)
}

func (d DirInode) append(p []byte) []byte {
	p = le.AppendUint32(p, d.StartBlock)
	p = le.AppendUint32(p, d.Nlink)
	p = le.AppendUint16(p, d.FileSize)
	p = le.AppendUint16(p, d.Offset)
	return le.AppendUint32(p, d.Parent)
}

func (d ExtDirInode) append(p []byte) []byte {
	p = le.AppendUint32(p, d.Nlink)
	p = le.AppendUint32(p, d.FileSize)
	p = le.AppendUint32(p, d.StartBlock)
	p = le.AppendUint32(p, d.Parent)
	p = le.AppendUint16(p, d.IndexCount)
	p = le.AppendUint16(p, d.Offset)
	return le.AppendUint32(p, d.Xattr)
}

func (x DirIndex) append(p []byte) []byte {
	p = le.AppendUint32(p, x.Index)
	p = le.AppendUint32(p, x.StartBlock)
	return le.AppendUint32(p, x.NameSize)
}

func (f FileInode) append(p []byte) []byte {
	p = le.AppendUint32(p, f.StartBlock)
	p = le.AppendUint32(p, f.Fragment)
	p = le.AppendUint32(p, f.Offset)
	return le.AppendUint32(p, f.FileSize)
}

func (f ExtFileInode) append(p []byte) []byte {
	p = le.AppendUint64(p, f.StartBlock)
	p = le.AppendUint64(p, f.FileSize)
	p = le.AppendUint64(p, f.Sparse)
	p = le.AppendUint32(p, f.Nlink)
	p = le.AppendUint32(p, f.Fragment)
	p = le.AppendUint32(p, f.Offset)
	return le.AppendUint32(p, f.Xattr)
}

func (s SymlinkInode) append(p []byte) []byte {
	p = le.AppendUint32(p, s.Nlink)
	return le.AppendUint32(p, s.TargetSize)
}

func (d DeviceInode) append(p []byte) []byte {
	p = le.AppendUint32(p, d.Nlink)
	return le.AppendUint32(p, d.Rdev)
}

func (i IPCInode) append(p []byte) []byte { return le.AppendUint32(p, i.Nlink) }

func (h DirHeader) append(p []byte) []byte {
	p = le.AppendUint32(p, h.Count)
	p = le.AppendUint32(p, h.StartBlock)
	return le.AppendUint32(p, h.Inode)
}

func (e DirEntry) append(p []byte) []byte {
	p = le.AppendUint16(p, e.Offset)
	p = le.AppendUint16(p, uint16(e.InodeDelta))
	p = le.AppendUint16(p, uint16(e.Type))
	return le.AppendUint16(p, e.NameSize)
}
