// Package fsfile has the open files of a read-only [fs.FS].
package fsfile

import (
	"errors"
	"io"
	"io/fs"
	"sort"
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

// pieces is a file of runs of bytes.
type pieces[E ~struct{ Offset, Size int64 }] struct {
	src     io.ReaderAt
	extents []E
	ends    []int64 // of the extents in the file
}

// Pieces returns the extents of src as one file.
func Pieces[E ~struct{ Offset, Size int64 }](src io.ReaderAt, extents []E) io.ReaderAt {
	p := &pieces[E]{src: src, extents: extents}
	end := int64(0)
	for _, e := range extents {
		end += extent(e).Size
		p.ends = append(p.ends, end)
	}
	return p
}

type extent = struct{ Offset, Size int64 }

func (f *pieces[E]) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	done := 0
	for i := sort.Search(len(f.ends), func(i int) bool { return f.ends[i] > off }); i < len(f.ends) && done < len(p); i++ {
		e := extent(f.extents[i])
		left := f.ends[i] - off // of the extent
		n, err := f.src.ReadAt(p[done:][:min(int64(len(p)-done), left)], e.Offset+e.Size-left)
		done += n
		off += int64(n)
		if done < len(p) && off < f.ends[i] { // cut off
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}
