//go:build !linux

package hostdir

import (
	"io/fs"
	"os"
)

// host is a folder, which links of other systems can lead around in, but not out of.
type host = *os.Root

func open(path string) (host, error) { return os.OpenRoot(path) }

// Open opens a file or a folder.
func (d *Dir) Open(name string) (*os.File, error) {
	dir, err := d.dir()
	if err != nil {
		return nil, err
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, d.named("open", name, err)
	}
	return f, nil
}

// Lstat says what a name stands for, which may be a link.
func (d *Dir) Lstat(name string) (fs.FileInfo, error) {
	dir, err := d.dir()
	if err != nil {
		return nil, err
	}
	info, err := dir.Lstat(name)
	return info, d.named("lstat", name, err)
}

// Readlink returns the target of a link.
func (d *Dir) Readlink(name string) (string, error) {
	dir, err := d.dir()
	if err != nil {
		return "", err
	}
	target, err := dir.Readlink(name)
	return target, d.named("readlink", name, err)
}

// named gives an error of a root the whole path.
func (d *Dir) named(op, name string, err error) error {
	if failed, ok := err.(*fs.PathError); ok {
		return d.fail(op, name, failed.Err)
	}
	return err
}
