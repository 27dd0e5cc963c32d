// Package fsfile has the open files of a read-only [fs.FS].
package fsfile

import (
	"errors"
	"io"
	"io/fs"
)

// File is an open file. It is read, sought in and read at offsets.
type File struct {
	*io.SectionReader
	info fs.FileInfo
}

// NewFile returns a file of info.Size() bytes of contents.
func NewFile(info fs.FileInfo, contents io.ReaderAt) *File {
	return &File{io.NewSectionReader(contents, 0, info.Size()), info}
}

// NewEmpty returns a file without contents, whatever its size, such as that of a
// device.
func NewEmpty(info fs.FileInfo) *File {
	return &File{io.NewSectionReader(nil, 0, 0), info}
}

// Stat implements [fs.File].
func (f *File) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements [fs.File]. There is nothing to close.
func (f *File) Close() error { return nil }

// Dir is an open directory.
type Dir struct {
	info    fs.FileInfo
	path    string
	list    func() ([]fs.DirEntry, error)
	entries []fs.DirEntry
	read    bool
}

// NewDir returns a directory that is called path in errors. Its entries are read
// by list, at the first call of ReadDir.
func NewDir(info fs.FileInfo, path string, list func() ([]fs.DirEntry, error)) *Dir {
	return &Dir{info: info, path: path, list: list}
}

// Stat implements [fs.File].
func (d *Dir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Close implements [fs.File]. There is nothing to close.
func (d *Dir) Close() error { return nil }

// Read implements [fs.File].
func (d *Dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a directory")}
}

// ReadDir implements [fs.ReadDirFile].
func (d *Dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		var err error
		if d.entries, err = d.list(); err != nil {
			return nil, err
		}
		d.read = true
	}
	list := d.entries
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	d.entries = d.entries[len(list):]
	return list, nil
}
