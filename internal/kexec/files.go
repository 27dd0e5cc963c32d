package kexec

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// File is a member of an archive that is there, not compressed as a whole.
type File struct {
	Name    string // "kexec/run"
	Mode    fs.FileMode
	ModTime time.Time
	Offset  int64 // of the content in the archive, in bytes
	Size    int64
}

// HeaderError says that an archive is damaged from a header on.
type HeaderError struct {
	Offset int64 // bytes
	Err    error
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("the archive for kexec is damaged: its header at byte %d: %v", e.Offset, e.Err)
}
func (e *HeaderError) Unwrap() error { return e.Err }

var (
	errMembers = fmt.Errorf("it has more than %d members", maxMembers)
	errForeign = errors.New("it is of another kind than livebuild writes")
	errTwice   = errors.New("its name is there already")
	errBehind  = errors.New("its content ends behind the archive")
)

// Files reads the headers of an archive of size bytes, of which nothing is known to be true, and of its contents
// nothing. The error is [ErrNone] if it does not begin as one of livebuild's, and a *HeaderError if it is damaged.
func Files(r io.ReaderAt, size int64) ([]File, error) {
	at := io.NewSectionReader(r, 0, size)
	t := tar.NewReader(at)
	h, err := t.Next()
	if err != nil || h.Name != Folder+"/" || h.Typeflag != tar.TypeDir || h.Format != tar.FormatUSTAR {
		return nil, ErrNone
	}
	// Others have such a folder, too, and neither this script as its first file nor a manifest.
	var files []File
	names := map[string]bool{}
	var end int64 = block
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			switch name, ours := strings.CutPrefix(h.Name, Folder+"/"); {
			case len(files) == maxMembers:
				err = errMembers
			case !ours || name == "" || path.Base(name) != name || name[0] == '.' || h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR:
				err = errForeign
			case names[name]:
				err = errTwice
			}
		}
		if err != nil {
			if !names[Run] {
				return nil, ErrNone
			}
			return nil, &HeaderError{end, err}
		}
		// The headers of this format are read in whole blocks, and no further (archive/tar).
		offset, err := at.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Size > size-offset {
			return nil, &HeaderError{end, errBehind}
		}
		name := path.Base(h.Name)
		names[name] = true
		files = append(files, File{Name: h.Name, Mode: fs.FileMode(h.Mode).Perm(), ModTime: h.ModTime, Offset: offset, Size: h.Size})
		end = offset + (h.Size+block-1)/block*block
	}
	switch {
	case !names[Run] || !names[Manifest]:
		return nil, ErrNone
	case !names[Initrd]:
		return nil, &HeaderError{end, io.ErrUnexpectedEOF}
	}
	return files, nil
}
