package hostdir

import (
	"os"
	"path"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// host is a folder of Linux.
type host = *os.File

func open(path string) (host, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// without tells that the kernel lacks openat2, which came in Linux 5.6, or that a
// filter of system calls keeps it away.
var without atomic.Bool

// OpenFD opens a file or a folder, and returns its file descriptor.
func (d *Dir) OpenFD(name string) (int, error) {
	dir, err := d.dir()
	if err != nil {
		return -1, err
	}
	fd, err := openBelow(int(dir.Fd()), name)
	if err != nil {
		return -1, d.fail("open", name, err)
	}
	return fd, nil
}

func openBelow(dir int, name string) (int, error) {
	if !without.Load() {
		fd, err := openat2(dir, name)
		if err != unix.ENOSYS && err != unix.EPERM {
			return fd, err
		}
		without.Store(true)
	}
	return walk(dir, name, unix.O_RDONLY)
}

func openat2(dir int, name string) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	for {
		if fd, err = unix.Openat2(dir, name, &how); err != unix.EINTR {
			return fd, err
		}
	}
}

// walk does what openat2 does, folder by folder.
func walk(dir int, name string, flags int) (fd int, err error) {
	at := dir
	defer func() {
		if at != dir {
			unix.Close(at)
		}
	}()
	for {
		element, rest, more := strings.Cut(name, "/")
		if element == ".." || element == "" {
			return -1, unix.EXDEV // as openat2 says
		}
		flags := flags
		if more {
			flags = unix.O_PATH | unix.O_DIRECTORY
		}
		for {
			if fd, err = unix.Openat(at, element, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != unix.EINTR {
				break
			}
		}
		if err != nil || !more {
			return fd, err
		}
		if at != dir {
			unix.Close(at)
		}
		at, name = fd, rest
	}
}

// Open opens a file or a folder.
func (d *Dir) Open(name string) (*os.File, error) {
	fd, err := d.OpenFD(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.Path(name)), nil
}

// Lstat says what a name stands for, which may be a link.
func (d *Dir) Lstat(name string, st *unix.Stat_t) error {
	return d.parent("lstat", name, func(dir int, base string) error {
		return unix.Fstatat(dir, base, st, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Readlink returns the target of a link.
func (d *Dir) Readlink(name string) (target string, err error) {
	err = d.parent("readlink", name, func(dir int, base string) error {
		p := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dir, base, p)
		target = string(p[:max(n, 0)])
		return err
	})
	return target, err
}

// parent calls f with the folder that a name is in, and its last part.
func (d *Dir) parent(op, name string, f func(dir int, base string) error) error {
	dir, err := d.dir()
	if err != nil {
		return err
	}
	folder, base := path.Split(name)
	at := int(dir.Fd())
	if base == ".." || base == "" {
		return d.fail(op, name, unix.EXDEV)
	}
	if folder != "" {
		fd, err := openBelow(at, path.Clean(folder))
		if err != nil {
			return d.fail(op, name, err)
		}
		defer unix.Close(fd)
		at = fd
	}
	if err := f(at, base); err != nil {
		return d.fail(op, name, err)
	}
	return nil
}
