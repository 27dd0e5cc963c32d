// Package verify proves a finished image, as far as the image carries its proof: every store path
// against the registration beside it, every table and file system against its format, every file
// that a menu names. It goes on after what is wrong, to find all of it.
//
// What nothing on the medium vouches for it cannot check, and says so.
package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/stamp"
	"github.com/livebuild/livebuild/internal/store"
)

// Finding is one thing that is wrong with an image.
type Finding struct {
	// Structure is what it is in: a table or a file system of the medium, "boot menu", "signature", "file",
	// "registration", "store path", or "squashfs" with a structure of the store image.
	Structure string
	Offset    int64  // on the medium, in bytes, of the structure or block; -1 if there is no such place
	StorePath string // that it concerns, or empty
	File      string // that it concerns: in the store path, or else in the file system; or empty
	Err       error  // what is wrong
}

// String is the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Structure)
	if f.Offset >= 0 {
		fmt.Fprintf(&b, " at byte %d", f.Offset)
	}
	switch {
	case f.StorePath != "" && f.File != "":
		fmt.Fprintf(&b, ", %q", f.StorePath+"/"+f.File)
	case f.StorePath != "" || f.File != "":
		fmt.Fprintf(&b, ", %q", f.StorePath+f.File)
	}
	// A reader's error can have several lines, and any byte of a stranger's file names.
	return b.String() + ": " + strings.Map(printable, f.Err.Error())
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// Options say how an image is checked.
type Options struct {
	Workers int // at work; 0: one for each processor

	// Against is what is known elsewhere of the store paths, which the registration on the medium
	// is then held against; nil to believe that.
	Against *Elsewhere
	// Manifest is what is known elsewhere of the image; nil to believe that on the medium.
	Manifest *manifest.Manifest

	// Found, if set, is called with each finding as soon as it is known, one at a time. Its error
	// ends the check.
	Found func(Finding) error
	// Progress, if set, is called from several goroutines, one at a time, with bytes of Nix
	// archives: those that were computed, and all.
	Progress func(done, total int64)
}

// Elsewhere is what is known of a medium's store paths without asking the medium.
type Elsewhere struct {
	Closure *store.Closure // nil: their contents are not known
	Roots   []string       // of the closure, which the medium must have, and no others; nil: not known
}

// Report is what was checked.
type Report struct {
	Findings   int
	StorePaths int   // of which the hash was computed
	NarBytes   int64 // in them, as Nix archives
	Files      int   // of the volume and the EFI system partitions that are proved by others

	// Kept is what a stick has behind the image, which is not checked, or nil.
	Kept *persistence.Partition
	// Content is what that has in it.
	Content persistence.Content
	// Stamp is what was put onto the image when it was finished, or nil.
	Stamp *stamp.Stamp

	// Unproved are files of the volume that nothing on the medium vouches for, and UnprovedBytes
	// their size. They could be read.
	Unproved      []string
	UnprovedBytes int64

	// Gaps say what else could not be checked, and why.
	Gaps []string
}

// Verify checks an image. What is wrong with it are findings; the error is one of opts.Found or of
// ctx.
func Verify(ctx context.Context, m *medium.Medium, opts Options) (Report, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	v := &verifier{ctx: ctx, medium: m, options: opts, size: ImageSize(m)}
	if stick := m.Stick; stick != nil {
		if err := v.behind(stick); err != nil {
			return v.report, err
		}
	}
	for _, step := range v.steps() {
		if err := step(); err != nil {
			return v.report, err
		}
	}
	return v.report, ctx.Err()
}

// steps are what is checked, in order.
func (v *verifier) steps() []func() error {
	switch v.medium.Form {
	case medium.Squashfs, medium.Initrd:
		return []func() error{v.openStore, v.storePaths, v.squashfs}
	case medium.Folder, medium.Archive:
		return []func() error{v.openStore, v.manifest, v.bundle, v.storePaths}
	case medium.Disk:
		return []func() error{v.tables, v.partitions, v.menus, v.secureBoot}
	}
	return []func() error{
		v.tables, v.bootCatalog, v.volumes, v.partitions, v.openStore, v.manifest, v.menus, v.secureBoot, v.files, v.padding, v.storePaths,
	}
}

// verifier is one run of Verify.
type verifier struct {
	ctx     context.Context
	medium  *medium.Medium
	options Options
	size    int64 // of the image

	mu     sync.Mutex // of what follows
	report Report
	done   int64 // bytes of archives

	entries []entry     // of the volume
	used    []extent    // bytes of the image that something owns
	images  *storeImage // nil if there is none

	// sealed are files of the volume that signatures for Secure Boot vouch for, by their paths.
	sealed map[string]bool
}

// find hands a finding on.
func (v *verifier) find(f Finding) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ctx.Err(); err != nil {
		return err
	}
	v.report.Findings++
	if f.Offset >= v.medium.Size && v.medium.Stick == nil { // which the image only claims
		f.Offset = -1
	}
	if v.options.Found == nil {
		return nil
	}
	return v.options.Found(f)
}

// wrong is find for what concerns no store path.
func (v *verifier) wrong(structure string, offset int64, file string, format string, args ...any) error {
	return v.find(Finding{Structure: structure, Offset: offset, File: file, Err: fmt.Errorf(format, args...)})
}

// gap notes what could not be checked.
func (v *verifier) gap(format string, args ...any) {
	v.report.Gaps = append(v.report.Gaps, fmt.Sprintf(format, args...))
}

// ended tells whether the check has to end with an error, instead of going on after it: because
// nobody waits any more.
func (v *verifier) ended(err error) bool {
	return v.ctx.Err() != nil && errors.Is(err, v.ctx.Err())
}

// DamagedError says that an image cannot be opened because something in it is damaged.
type DamagedError struct{ Err error }

func (e *DamagedError) Error() string { return e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Damaged makes a *DamagedError of an error of [medium.Read] that is about what it read, unless the
// file is no image that starts a machine, or could not be read.
func Damaged(err error) error {
	var path *fs.PathError
	if _, foreign := errors.AsType[*medium.ForeignError](err); foreign || errors.As(err, &path) {
		return err
	}
	for _, about := range []error{context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, about) {
			return err
		}
	}
	return &DamagedError{err}
}

// Sum computes the SHA-256 of the image as it was built: without what a larger disk has behind it, and
// without what was stamped onto it. Progress, if set, is told how many bytes of how many are done.
func Sum(ctx context.Context, m *medium.Medium, tell func(done, total int64)) (sum [sha256.Size]byte, err error) {
	size, done := ImageSize(m), int64(0)
	r := progress.NewReader(ctx, io.NewSectionReader(stamp.AsBuilt(m), 0, size), func(n int) {
		if done += int64(n); tell != nil {
			tell(done, size)
		}
	})
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, chunkSize)); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
