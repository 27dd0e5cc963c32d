package squashfs

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/hostdir"
)

// Source is a tree of files that can be packed, see [NewTree]. Paths are those of
// [io/fs], but that names may hold any bytes: "." is the root directory, "a/b" a
// file in a directory there.
//
// [FromFS] and [FromDir] return sources; a program that has its files elsewhere, or
// wants other owners, has one of its own, often around one of these.
type Source interface {
	// Root describes the root directory. Its name is not looked at.
	Root() (Attributes, error)

	// ReadDir describes the files in a directory, in any order.
	ReadDir(dir string) ([]Attributes, error)

	// Open opens a regular file, of which one that is not empty is read at least
	// once. If the result is an [io.ReaderAt], a large file is opened for each of
	// its blocks, by several goroutines; otherwise it is read from its beginning
	// to its end.
	Open(file string) (io.ReadCloser, error)
}

// Attributes describe a file.
type Attributes struct {
	Name    string
	Mode    fs.FileMode // type and permissions
	UID     uint32
	GID     uint32
	ModTime time.Time // in whole seconds from 1970 to 2106; the zero time is [DefaultTime]
	Size    int64     // of a regular file, in bytes
	Target  string    // of a symbolic link
	Device  uint32    // of a device, see DeviceNumber
	Xattrs  []Xattr   // in the namespaces user, trusted and security

	// Link is the same, and not 0, for names that are one file: hard links. The
	// first of them says all else of the file.
	Link uint64

	// Sparse says that it is worth to look for holes in a file. Without it, zeros
	// are found when they are read.
	Sparse bool
}

// DefaultTime is 1980-01-01, the oldest time that every file system and archive
// can hold.
var DefaultTime = time.Unix(315532800, 0)

// DeviceNumber is a device as inodes have it (new_encode_dev of Linux's
// include/linux/kdev_t.h). [Inode.DeviceNumbers] is the reverse.
func DeviceNumber(major, minor uint32) uint32 {
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// FromFS returns a Source that has what fsys has: names, modes, times and contents,
// and symbolic links if it is an [fs.ReadLinkFS]. All files belong to root. Of an
// image ([Reader.FS]) it has everything.
func FromFS(fsys fs.FS) Source { return fsSource{fsys} }

type fsSource struct{ fsys fs.FS }

func (s fsSource) Root() (Attributes, error) {
	info, err := fs.Stat(s.fsys, ".")
	if err != nil {
		return Attributes{}, err
	}
	return s.attributes(".", info)
}

func (s fsSource) ReadDir(dir string) ([]Attributes, error) {
	entries, err := fs.ReadDir(s.fsys, dir)
	if err != nil {
		return nil, err
	}
	list := make([]Attributes, len(entries))
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if list[i], err = s.attributes(join(dir, e.Name()), info); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s fsSource) attributes(path string, info fs.FileInfo) (a Attributes, err error) {
	a = Attributes{Name: info.Name(), Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size()}
	if a.Mode.Type() == fs.ModeSymlink {
		if a.Target, err = fs.ReadLink(s.fsys, path); err != nil {
			return a, err
		}
	}
	image, ok := s.fsys.(*imageFS)
	if !ok {
		return a, nil
	}
	ino, ok := info.Sys().(Inode)
	if !ok {
		return a, fmt.Errorf("%s: no inode of an image", path)
	}
	a.UID, a.GID, a.Device = ino.UID, ino.GID, ino.Device
	if ino.Links > 1 && !a.Mode.IsDir() {
		a.Link = uint64(ino.Number)
	}
	for x, err := range image.r.Xattrs(ino) {
		if err != nil {
			return a, err
		}
		a.Xattrs = append(a.Xattrs, x)
	}
	return a, nil
}

func (s fsSource) Open(file string) (io.ReadCloser, error) { return s.fsys.Open(file) }

// FromDir returns a Source that has what is in a directory of the operating system.
// Owners, devices and hard links are taken on Unix, extended attributes on Linux: all
// but those that SquashFS cannot hold, which are not in the namespaces user, trusted
// and security.
func FromDir(dir string) Source {
	folder, name := hostdir.Split(dir)
	return &hostDir{dir: hostdir.New(folder), name: name, all: true}
}

// hostDir is a file or directory of the operating system, below another one.
type hostDir struct {
	dir   *hostdir.Dir
	name  string
	all   bool // attributes and links are wanted, too
	links linkNumbers
}

// at is the name below dir of the file of a path.
func (d *hostDir) at(path string) string {
	if path == "." {
		return d.name
	}
	return d.name + "/" + path
}

func (d *hostDir) Open(file string) (io.ReadCloser, error) { return d.dir.Open(d.at(file)) }

// linkNumbers numbers files that have several names.
type linkNumbers struct {
	mu      sync.Mutex
	numbers map[[2]uint64]uint64 // by device and inode number
}

func (l *linkNumbers) of(device, inode uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]uint64{device, inode}
	if l.numbers == nil {
		l.numbers = make(map[[2]uint64]uint64)
	}
	if l.numbers[key] == 0 {
		l.numbers[key] = uint64(len(l.numbers) + 1)
	}
	return l.numbers[key]
}
