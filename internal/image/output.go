package image

import (
	"cmp"
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
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/progress"
)

// OccupiedError says that there is a file in the output's place that
// livebuild did not make.
type OccupiedError struct {
	Path string
	Not  string // what it should be, if not an image made by livebuild
}

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("%s exists and is not %s", e.Path, cmp.Or(e.Not, "an image made by livebuild"))
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
// is killed; where there are no nameless files (O_TMPFILE, open(2)) it has a
// temporary one in the same folder.
type Output struct {
	file      *os.File
	path      string
	temporary string // its name; empty if it has none
	cut       *cut   // nil: it appears in one piece
}

// OutputPath is the file that output means: a file, or a folder, in which it gets the name.
func OutputPath(output, name string) string {
	if output == "" || strings.HasSuffix(output, "/") || isFolder(output) {
		return filepath.Join(output, name)
	}
	return output
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// CheckFolder finds out before any work whether files can be made in a folder.
func CheckFolder(folder string) error {
	info, err := os.Stat(folder)
	switch {
	case err != nil:
	case !info.IsDir():
		err = unix.ENOTDIR
	default:
		err = unix.Access(folder, unix.W_OK|unix.X_OK)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return &fs.PathError{Op: "writing to", Path: folder, Err: errno}
	}
	return err
}

// CreateOutput begins a file that is to appear at path, or where a link of that
// name leads. A file that is there already must be an image made by livebuild
// unless force is set; if it is not, the error is an *OccupiedError. It stays
// as it is until Commit. The error is a *PlaceError if there is something else
// than a file.
func CreateOutput(path string, force bool) (*Output, error) {
	return ownImage.CreateOutput(path, force)
}

// createFile begins a file that is to appear at path, whatever is there.
func createFile(path string) (o *Output, err error) {
	o = &Output{path: path}
	if o.file = openNameless(filepath.Dir(path)); o.file != nil {
		return o, nil
	}
	o.temporary, err = claimName(filepath.Dir(path), func(name string) error {
		o.file, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// CreateScratch begins a file that never appears anywhere, in a folder that is made
// if it is missing. Only Abort ends it.
func CreateScratch(folder string) (*Output, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	return CreateOutput(filepath.Join(folder, "scratch"), true)
}

// openNameless opens a file that can be given a name later, or nil where that
// is not possible.
func openNameless(folder string) *os.File {
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), folder)
	if _, err := os.Stat(procName(f)); err != nil {
		f.Close()
		return nil
	}
	return f
}

// procName is a name of an open file, by which it can be given another one.
func procName(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// claimName calls create with hidden names in the folder until one is not
// taken. Process numbers alone are not unique: containers have their own.
func claimName(folder string, create func(name string) error) (string, error) {
	for i := 0; ; i++ {
		name := filepath.Join(folder, fmt.Sprintf(".livebuild-%d-%d.tmp", os.Getpid(), i))
		err := create(name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		var cause unix.Errno
		if errors.As(err, &cause) { // the name says nothing to the user
			err = &fs.PathError{Op: "creating a file in", Path: folder, Err: cause}
		}
		return name, err
	}
}

// WriteAt writes into the file.
func (o *Output) WriteAt(p []byte, offset int64) (int, error) { return o.file.WriteAt(p, offset) }

// Truncate cuts the file, or makes it longer by zeros.
func (o *Output) Truncate(size int64) error { return o.file.Truncate(size) }

// Size is how many bytes the file has.
func (o *Output) Size() (int64, error) {
	info, err := o.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Outer returns the file itself, into which the kernel can copy.
func (o *Output) Outer() (w io.WriterAt, offset int64) { return o.file, 0 }

// ReadAt reads back from the file.
func (o *Output) ReadAt(p []byte, offset int64) (int, error) { return o.file.ReadAt(p, offset) }

// Name is a path by which other programs of this user can read the file until Commit.
func (o *Output) Name() string {
	if o.temporary != "" {
		return o.temporary
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), o.file.Fd())
}

// Place returns where a file that is to appear at path goes: where a link of that name leads.
// Its errors are those of [CreateOutput].
func Place(path string, force bool) (string, error) { return ownImage.place(path, force) }

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

// Private has the file readable by its owner alone.
func (o *Output) Private() error { return o.file.Chmod(0o600) }

// Flush makes what is written last.
func (o *Output) Flush() error { return o.file.Sync() }

// Sync makes what is written last, and returns the SHA-256 of what it reads
// back from the file. The header of an image is written last, so the sum cannot
// be made while writing; reading overlaps with syncing.
func (o *Output) Sync(ctx context.Context) (sum string, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(o.file.Sync)
	group.Go(func() error {
		h := sha256.New()
		var to io.Writer = h
		var parts summer
		if o.cut != nil {
			parts.each = o.cut.each
			to = io.MultiWriter(h, &parts)
		}
		size, err := io.Copy(to, progress.NewReader(ctx, io.NewSectionReader(o.file, 0, math.MaxInt64), nil))
		if err != nil {
			return err
		}
		sum = hex.EncodeToString(h.Sum(nil))
		if o.cut == nil {
			return nil
		}
		parts.next()
		return o.cut.plan(o.path, size, sum, parts.sums)
	})
	return sum, group.Wait()
}

// Commit puts the file, which has to be synced and cut, in its place, and others beside it. What
// was beside the image that it replaces goes first, and the others come last: whenever this
// ends, nothing stands beside an image that is about another one.
func (o *Output) Commit(beside ...Beside) (err error) {
	written, err := o.writeBeside(beside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(written)) }()
	if err := o.claim(); err != nil {
		return err
	}
	if err := o.removeStale(); err != nil {
		return err
	}
	if o.cut != nil {
		err = o.commitCut()
	} else if err = o.place(); err == nil {
		err = syncFolder(filepath.Dir(o.path))
	}
	if err != nil || len(written) == 0 {
		return err
	}
	for _, p := range written {
		if err := os.Rename(p.temporary, p.path); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(o.path))
}

// claim gives the file a hidden name, unless it has one.
func (o *Output) claim() (err error) {
	if o.temporary != "" {
		return nil
	}
	o.temporary, err = claimName(filepath.Dir(o.path), func(name string) error {
		return unix.Linkat(unix.AT_FDCWD, procName(o.file), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	})
	if err != nil {
		o.temporary = ""
	}
	return err
}

// place closes the file and renames it.
func (o *Output) place() error {
	if err := o.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(o.temporary, o.path); err != nil {
		return err
	}
	o.temporary = ""
	return nil
}

// Abort removes what has been written. After Commit it does nothing.
func (o *Output) Abort() error {
	err := o.file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if o.temporary != "" {
		err = errors.Join(err, os.Remove(o.temporary))
	}
	if o.cut != nil {
		err = errors.Join(err, o.cut.abort())
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
