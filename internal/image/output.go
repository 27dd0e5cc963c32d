package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// OccupiedError says that there is a file in the output's place that
// livebuild did not make.
type OccupiedError struct{ Path string }

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("%s exists and is not an image made by livebuild", e.Path)
}

// PlaceError says that what is in the output's place cannot become a file.
type PlaceError struct {
	Path   string
	Reason string
}

func (e *PlaceError) Error() string { return e.Path + " " + e.Reason }

// Output is a file that appears in its place complete, or not at all. It is an
// io.WriterAt.
//
// Until then it has no name, so that nothing is left of it even if the process
// is killed; on file systems without nameless files (O_TMPFILE, open(2)) it
// has a temporary one in the same folder.
type Output struct {
	*os.File
	path      string
	temporary string // its name; empty if it has none
}

// CreateOutput begins a file that is to appear at path, or where a link of that
// name leads. A file that is there already must be an image made by livebuild
// unless force is set; if it is not, the error is an *OccupiedError. It stays
// as it is until Commit. The error is a *PlaceError if there is something else
// than a file.
func CreateOutput(path string, force bool) (*Output, error) {
	path, err := followLink(path)
	if err != nil {
		return nil, err
	}
	if err := checkReplaceable(path, force); err != nil {
		return nil, err
	}
	folder := filepath.Dir(path)
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
	if err == nil {
		return &Output{File: os.NewFile(uintptr(fd), path), path: path}, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, &fs.PathError{Op: "creating a file in", Path: folder, Err: err}
	}
	name := temporaryName(path)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	return &Output{File: f, path: path, temporary: name}, nil
}

// temporaryName is a hidden name in the folder of path that no other process
// uses.
func temporaryName(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.tmp", filepath.Base(path), os.Getpid()))
}

// followLink returns where a link leads: renaming over it would replace the
// link and leave the file.
func followLink(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil
	}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &PlaceError{path, "is a link that leads nowhere"}
	}
	return target, err
}

// checkReplaceable says whether what is at path, if anything, may be replaced.
func checkReplaceable(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		// Renaming over a device would leave a file in its place.
		return &PlaceError{path, "is not a regular file"}
	case force:
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if v, err := hybridiso.ReadVolume(f); err != nil || !madeHere(v) {
		return &OccupiedError{path}
	}
	return nil
}

// Commit syncs the file and puts it in its place, and returns the SHA-256 of
// what it reads back from it. The header of an image is written last, so the
// sum cannot be made while writing; reading overlaps with syncing.
func (o *Output) Commit(ctx context.Context) (sum string, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(o.Sync)
	group.Go(func() error {
		h := sha256.New()
		if _, err := io.Copy(h, &contextReader{ctx, io.NewSectionReader(o.File, 0, math.MaxInt64)}); err != nil {
			return err
		}
		sum = hex.EncodeToString(h.Sum(nil))
		return nil
	})
	if err := group.Wait(); err != nil {
		return "", err
	}
	if o.temporary == "" {
		name := temporaryName(o.path)
		proc := fmt.Sprintf("/proc/self/fd/%d", o.Fd())
		if err := unix.Linkat(unix.AT_FDCWD, proc, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return "", &os.LinkError{Op: "naming", Old: proc, New: name, Err: err}
		}
		o.temporary = name
	}
	if err := o.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(o.temporary, o.path); err != nil {
		return "", err
	}
	o.temporary = ""
	return sum, syncFolder(filepath.Dir(o.path))
}

// Abort removes what has been written. After Commit it does nothing.
func (o *Output) Abort() error {
	err := o.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if o.temporary != "" {
		err = errors.Join(err, os.Remove(o.temporary))
	}
	return err
}

// syncFolder makes a rename in the folder last (rename(2), fsync(2)).
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
