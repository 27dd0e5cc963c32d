//go:build !linux

package squashfs

import (
	"io"
	"io/fs"
	"os"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
)

func (d *hostDir) Open(file string) (io.ReadCloser, error) { return pack.Host{}.Open(d.at(file)) }

func (d *hostDir) Root() (Attributes, error) {
	info, err := os.Lstat(d.path)
	if err != nil {
		return Attributes{}, err
	}
	return d.attributes(d.path, info)
}

func (d *hostDir) ReadDir(dir string) ([]Attributes, error) {
	path := d.at(dir)
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	list := make([]Attributes, len(entries))
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if list[i], err = d.attributes(path+"/"+e.Name(), info); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d *hostDir) attributes(path string, info fs.FileInfo) (a Attributes, err error) {
	a = Attributes{Name: info.Name(), Mode: info.Mode(), Size: info.Size()}
	if a.Mode.Type() == fs.ModeSymlink {
		if a.Target, err = os.Readlink(path); err != nil {
			return a, err
		}
	}
	if d.all {
		a.ModTime = info.ModTime()
		d.own(&a, info)
	}
	return a, nil
}
