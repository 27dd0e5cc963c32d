package fat

import (
	"fmt"
	"io"
	"io/fs"
)

// FilesFromFS returns the files and directories of fsys, for [Image.Files].
// Contents are opened when they are written. FAT has no symbolic links: those to
// files become what they lead to, others, and files of other types, are an error.
func FilesFromFS(fsys fs.FS) ([]File, error) {
	var files []File
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if d.IsDir() {
			files = append(files, File{Path: path, Dir: true})
			return nil
		}
		info, err := fs.Stat(fsys, path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither file nor directory: %s", path, info.Mode())
		}
		open := func() (io.ReadCloser, error) { return fsys.Open(path) }
		files = append(files, File{Path: path, Open: open, Size: info.Size()})
		return nil
	})
	return files, err
}
