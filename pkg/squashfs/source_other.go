//go:build !linux

package squashfs

import "io/fs"

func (d *hostDir) Root() (Attributes, error) { return d.attributes(d.name) }

func (d *hostDir) ReadDir(dir string) ([]Attributes, error) {
	f, err := d.dir.Open(d.at(dir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := make([]Attributes, len(names))
	for i, name := range names {
		if list[i], err = d.attributes(d.at(join(dir, name))); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// attributes are those of what has a name below dir.
func (d *hostDir) attributes(name string) (Attributes, error) {
	info, err := d.dir.Lstat(name)
	if err != nil {
		return Attributes{}, err
	}
	a := Attributes{Name: info.Name(), Mode: info.Mode(), Size: info.Size()}
	if a.Mode.Type() == fs.ModeSymlink {
		if a.Target, err = d.dir.Readlink(name); err != nil {
			return a, err
		}
	}
	if d.all {
		a.ModTime = info.ModTime()
		d.own(&a, info)
	}
	return a, nil
}
