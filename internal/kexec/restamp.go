package kexec

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"time"
)

// Restamp writes an archive anew, of files in r as [Files] has them, with what is stamped, an initrd, in the place of what
// was; nil for nothing. Its bytes are those of one that was made so. It returns where it ends.
func Restamp(w Writer, r io.ReaderAt, files []File, stamp []byte, date time.Time) (end int64, err error) {
	a, err := NewArchive(w, date)
	if err != nil {
		return 0, err
	}
	files = slices.DeleteFunc(slices.Clone(files), func(f File) bool { return path.Base(f.Name) == Stamp })
	read := func(f File) ([]byte, error) {
		if f.Size > maxBefore {
			return nil, fmt.Errorf("%s has %d bytes, more than any", f.Name, f.Size)
		}
		return io.ReadAll(io.NewSectionReader(r, f.Offset, f.Size))
	}
	var script []byte
	var initrd File
	for _, f := range files {
		name := path.Base(f.Name)
		switch name {
		case Initrd:
			initrd = f
			continue
		case Sums:
			err = a.AddSums()
		case Manifest:
			var text []byte
			if text, err = read(f); err == nil {
				err = a.AddManifest(bytes.TrimRight(text, " "))
			}
		default:
			err = a.Add(Member{Name: name, Mode: int64(f.Mode), Size: f.Size, Copy: func(w io.WriterAt) error {
				return copyTo(w, io.NewSectionReader(r, f.Offset, f.Size))
			}})
			if err == nil && name == Run {
				script, err = read(f)
			}
			if err == nil && name == Restore && stamp != nil { // which is behind it in all
				err = a.Add(Member{Name: Stamp, Mode: 0o600, Data: stamp})
			}
		}
		if err != nil {
			return 0, err
		}
	}
	if err := copyTo(a.Initrd(), io.NewSectionReader(r, initrd.Offset, initrd.Size)); err != nil {
		return 0, err
	}
	return a.Finish(script, initrd.Size)
}

func copyTo(w io.WriterAt, r io.Reader) error {
	_, err := io.CopyBuffer(io.NewOffsetWriter(w, 0), struct{ io.Reader }{r}, make([]byte, 1<<20))
	return err
}
