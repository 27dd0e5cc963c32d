package squashfs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

func (d *hostDir) Root() (Attributes, error) {
	var st unix.Stat_t
	if err := d.dir.Lstat(d.name, &st); err != nil {
		return Attributes{}, err
	}
	var target string
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		var err error
		if target, err = d.dir.Readlink(d.name); err != nil {
			return Attributes{}, err
		}
	}
	return d.attributes("", d.dir.Path(d.name), target, &st)
}

// ReadDir asks by names in the directory: paths of a store are long to follow.
func (d *hostDir) ReadDir(dir string) ([]Attributes, error) {
	f, err := d.dir.Open(d.at(dir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	path := f.Name()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	list := make([]Attributes, len(entries))
	buffer := make([]byte, disk.SymlinkMax+1)
	for i, e := range entries {
		name, target := e.Name(), ""
		if e.Type() == fs.ModeSymlink {
			n, err := unix.Readlinkat(int(f.Fd()), name, buffer)
			if err != nil {
				return nil, &fs.PathError{Op: "readlink", Path: path + "/" + name, Err: err}
			}
			target = string(buffer[:n])
			if !d.all { // links have no more to say
				list[i] = Attributes{Name: name, Mode: fs.ModeSymlink, Target: target}
				continue
			}
		}
		var st unix.Stat_t
		if err := unix.Fstatat(int(f.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, &fs.PathError{Op: "lstat", Path: path + "/" + name, Err: err}
		}
		if list[i], err = d.attributes(name, path+"/"+name, target, &st); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// hostTypes are the types of stat(2).
var hostTypes = map[uint32]fs.FileMode{
	unix.S_IFREG:  0,
	unix.S_IFDIR:  fs.ModeDir,
	unix.S_IFLNK:  fs.ModeSymlink,
	unix.S_IFBLK:  fs.ModeDevice,
	unix.S_IFCHR:  fs.ModeDevice | fs.ModeCharDevice,
	unix.S_IFIFO:  fs.ModeNamedPipe,
	unix.S_IFSOCK: fs.ModeSocket,
}

func (d *hostDir) attributes(name, path, target string, st *unix.Stat_t) (Attributes, error) {
	const statBlock = 512 // the unit of st_blocks whatever the file system's own, stat(2)
	a := Attributes{
		Name:   name,
		Mode:   fileMode(uint16(st.Mode &^ unix.S_IFMT)),
		Size:   st.Size,
		Sparse: st.Blocks*statBlock < st.Size,
		Target: target,
	}
	typ, ok := hostTypes[st.Mode&unix.S_IFMT]
	if !ok {
		typ = fs.ModeIrregular
	}
	a.Mode |= typ
	if !d.all {
		return a, nil
	}
	a.UID, a.GID = st.Uid, st.Gid
	a.ModTime = time.Unix(st.Mtim.Unix())
	a.Device = DeviceNumber(unix.Major(st.Rdev), unix.Minor(st.Rdev))
	if st.Nlink > 1 && !a.Mode.IsDir() {
		a.Link = d.links.of(uint64(st.Dev), st.Ino)
	}
	var err error
	a.Xattrs, err = hostXattrs(path)
	return a, err
}

// hostXattrs reads the extended attributes that SquashFS can hold.
func hostXattrs(path string) (list []Xattr, err error) {
	names, err := readXattr(path, "listxattr", func(p []byte) (int, error) { return unix.Llistxattr(path, p) })
	if err != nil || len(names) == 0 {
		return nil, err
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if !slices.ContainsFunc(disk.XattrPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		value, err := readXattr(path, "getxattr", func(p []byte) (int, error) { return unix.Lgetxattr(path, name, p) })
		if err != nil {
			return nil, err
		}
		list = append(list, Xattr{Name: name, Value: value})
	}
	return list, nil
}

// readXattr asks for a size, and then for what has it, which may change meanwhile.
func readXattr(path, op string, read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if err == nil && n > 0 {
			p := make([]byte, n)
			if n, err = read(p); err == nil {
				return p[:n], nil
			}
		}
		switch {
		case errors.Is(err, unix.ERANGE): // it has grown
		case errors.Is(err, unix.ENOTSUP), err == nil:
			return nil, nil
		default:
			return nil, &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
}
