package hybridiso

import (
	"fmt"
	"io"
	"io/fs"
)

// FilesFromFS returns the files, directories and symbolic links of fsys with
// their permissions, for [Image.Files]. Contents are opened when they are written.
// Symbolic links need an [fs.ReadLinkFS]; files of other types are an error.
func FilesFromFS(fsys fs.FS) ([]File, error) {
	var files []File
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := File{Path: path}
		switch info.Mode().Type() {
		case 0:
			f.Mode, f.Size = info.Mode().Perm(), info.Size()
			f.Open = func() (io.ReadCloser, error) { return fsys.Open(path) }
		case fs.ModeDir:
			f.Mode, f.Dir = info.Mode().Perm(), true
		case fs.ModeSymlink:
			if f.Link, err = fs.ReadLink(fsys, path); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is neither file, directory nor symbolic link: %s", path, info.Mode())
		}
		files = append(files, f)
		return nil
	})
	return files, err
}
