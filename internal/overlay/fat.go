package overlay

import (
	"io"
	"strings"

	"github.com/livebuild/livebuild/pkg/fat"
)

// sizeAt is where an entry of a directory has the size of its file (FAT 1.03, "FAT
// Directory Structure", DIR_FileSize).
const sizeAt = 28

// FAT returns the files of the FAT file system that begins at an offset of a medium of
// size bytes. The error is [fat.ErrNotFAT] if there is none, or one of reading.
func FAT(r io.ReaderAt, base, size int64) ([]File, error) {
	volume, err := fat.Open(io.NewSectionReader(r, base, size-base), size-base)
	if err != nil {
		return nil, err
	}
	root, err := volume.Lookup(".")
	if err != nil {
		return nil, err
	}
	w := fatWalk{volume: volume, base: base}
	err = w.directory("", root)
	return w.files, err
}

// fatWalk is the state of one walk.
type fatWalk struct {
	volume *fat.Reader
	base   int64
	files  []File
}

// directory adds the files of a directory and of those below it. Of a file that is damaged there is
// nothing to be changed.
func (w *fatWalk) directory(path string, dir fat.Entry) error {
	entries, err := w.volume.Entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := strings.TrimPrefix(path+"/"+e.Name, "/")
		if e.IsDir() {
			if err := w.directory(name, e); err != nil {
				return err
			}
			continue
		}
		extents, err := w.volume.Extents(e)
		if err != nil {
			continue
		}
		f := File{Path: name, Size: e.Size, sizes: []sizeField{{w.base + e.Offset + sizeAt, false}}}
		for _, extent := range extents {
			f.extents = append(f.extents, Extent{w.base + extent.Offset, extent.Size})
		}
		if n := len(f.extents); n > 0 {
			cluster := int64(w.volume.Info().ClusterSize)
			f.extents[n-1].Size = (f.extents[n-1].Size + cluster - 1) / cluster * cluster
		}
		w.files = append(w.files, f)
	}
	return nil
}
