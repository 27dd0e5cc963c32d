package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/web"
)

// Partial is a file that is not whole yet, beside the one that it is going to be. It stays when it
// is closed, for the next try.
type Partial struct {
	*os.File
	Begun bool // it was there before
	path  string
}

// extension follows the name of a file that is not whole, as in browsers.
const extension = ".part"

// BusyError says that another process is at work on a file.
type BusyError struct{ Path string }

func (e *BusyError) Error() string { return "another process is downloading to " + e.Path }

// FullError says that there is no room for an image.
type FullError struct {
	Path string // of what is there of it
	Size int64  // of the image, in bytes
	Err  error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("writing %s, of %d bytes: %v", e.Path, e.Size, e.Err)
}
func (e *FullError) Unwrap() error { return e.Err }

// OpenPartial begins the file that is to be at a path, or goes on with it. The error is a
// [*BusyError] if another process is at it.
func OpenPartial(path string) (*Partial, error) {
	p := &Partial{path: path}
	f, err := os.OpenFile(path+extension, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o666)
	if err != nil {
		return nil, err
	}
	p.File = f
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "writing", Path: f.Name(), Err: unix.EINVAL}
	}
	if err == nil {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
			err = &BusyError{path}
		}
	}
	if err == nil {
		err = p.stillNamed(info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p.Begun = info.Size() > 0
	return p, nil
}

// stillNamed checks that no other process has put the file in its place before it was locked.
func (p *Partial) stillNamed(info fs.FileInfo) error {
	now, err := os.Lstat(p.Name())
	if err != nil || !os.SameFile(now, info) {
		return &BusyError{p.path}
	}
	return nil
}

// Reserve gives the file its size, and the room for it: that there is too little is known before
// anything is downloaded.
func (p *Partial) Reserve(size int64) error {
	err := unix.Fallocate(int(p.Fd()), 0, 0, size)
	for errors.Is(err, unix.EINTR) {
		err = unix.Fallocate(int(p.Fd()), 0, 0, size)
	}
	if errors.Is(err, unix.EOPNOTSUPP) || err == nil { // some file systems cannot
		return p.Truncate(size)
	}
	return p.full(size, err)
}

func (p *Partial) full(size int64, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return &FullError{p.Name(), size, err}
	}
	return err
}

// Sum is the SHA-256 of the file as it reads back, in hexadecimal.
func (p *Partial) Sum(ctx context.Context, read func(bytes int)) (string, error) {
	info, err := p.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	r := progress.NewReader(ctx, io.NewSectionReader(p.File, 0, info.Size()), read)
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, copyBuffer)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Commit puts the file in its place, on the disk and not only in memory.
func (p *Partial) Commit() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return err
	}
	if err := p.forget(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close(), p.Close())
}

// Remove gives up what there is of the file.
func (p *Partial) Remove() error { return errors.Join(os.Remove(p.Name()), p.forget(), p.Close()) }

// state is how far a plain download is. Without it nobody knows what of the file is on the disk,
// and of which image.
type state struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // web.File.Validator
	Size      int64  `json:"size"`      // bytes of the whole
	Synced    int64  `json:"synced"`    // bytes that are on the disk
}

func (p *Partial) statePath() string { return p.path + extension + ".json" }

// forget removes the state.
func (p *Partial) forget() error {
	err := os.Remove(p.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// begunAt is how much of a file an interrupted download of it has left.
func (p *Partial) begunAt(src *web.File) int64 {
	var s state
	text, err := os.ReadFile(p.statePath())
	if err != nil || json.Unmarshal(text, &s) != nil {
		return 0
	}
	info, err := p.Stat()
	known := s.URL == src.URL && s.Validator == src.Validator() && s.Validator != "" && s.Size == src.Size
	if err != nil || !known || !src.Ranges || s.Synced < 0 || s.Synced > min(info.Size(), s.Size) {
		return 0
	}
	return s.Synced
}

// keep notes that so many bytes are on the disk, after it has seen to that.
func (p *Partial) keep(src *web.File, done int64) error {
	if err := unix.Fdatasync(int(p.Fd())); err != nil {
		return err
	}
	text, err := json.Marshal(state{src.URL, src.Validator(), src.Size, done})
	if err != nil {
		return err
	}
	fresh := p.statePath() + ".new"
	if err := os.WriteFile(fresh, text, 0o666); err != nil {
		return err
	}
	return os.Rename(fresh, p.statePath())
}

// keepEvery is how much of a plain download a crash costs, in bytes.
const keepEvery = 32 << 20

// Plain downloads a whole file, from where an earlier try came to. The result says how much came
// over the wire, and how much was there.
func Plain(ctx context.Context, p *Partial, src *web.File, told func(Progress)) (Result, error) {
	from := p.begunAt(src)
	if from == 0 {
		if err := p.Truncate(0); err != nil {
			return Result{}, err
		}
	}
	if err := p.Reserve(src.Size); err != nil {
		return Result{}, err
	}
	w := &plainWriter{p: p, src: src, begun: from, told: told}
	err := src.Stream(ctx, from, w.to)
	err = p.full(src.Size, err)
	if kept := p.keep(src, w.at); err == nil {
		err = kept
	}
	return Result{Fetched: w.fetched, Kept: from}, err
}

// plainWriter writes what comes, one behind the other.
type plainWriter struct {
	p       *Partial
	src     *web.File
	told    func(Progress)
	begun   int64
	at      int64
	kept    int64
	fetched int64
}

func (w *plainWriter) to(offset int64) io.Writer {
	w.at, w.kept = offset, offset
	return w
}

func (w *plainWriter) Write(b []byte) (int, error) {
	n, err := w.p.WriteAt(b, w.at)
	w.at += int64(n)
	w.fetched += int64(n)
	if err == nil && w.at-w.kept >= keepEvery {
		err = w.p.keep(w.src, w.at)
		w.kept = w.at
	}
	if w.told != nil {
		w.told(Progress{Fetched: w.fetched, Fetch: w.src.Size - w.begun, Saved: w.begun, Total: w.src.Size})
	}
	return n, err
}
