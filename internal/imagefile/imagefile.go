// Package imagefile reads an image from a file as people have them: plain, or
// compressed by gzip, zstd or xz, with its SHA-256 given or in a file beside it.
//
// What a file is follows from its content, not from its name.
package imagefile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"
)

// Format is how a file is compressed.
type Format string

// The formats by the names of their programs.
const (
	Plain Format = ""
	Gzip  Format = "gzip"
	Zstd  Format = "zstd"
	XZ    Format = "xz"
)

// magics are what files begin with: RFC 1952 §2.3.1, RFC 8878 §3.1.1 and
// §3.1.2 (the first of the skippable frames, which pzstd writes), and The .xz
// File Format §2.1.1.1.
var magics = []struct {
	format Format
	magic  string
}{
	{Gzip, "\x1f\x8b\x08"},
	{Zstd, "\x28\xb5\x2f\xfd"},
	{Zstd, "\x50\x2a\x4d\x18"},
	{XZ, "\xfd7zXZ\x00"},
}

const (
	longestMagic = 6
	readBuffer   = 1 << 20

	// xzWindow bounds the memory of a decoder: what xz -9 takes.
	xzWindow = 64 << 20
	// zstdWindow is what zstd --ultra --long=31 takes at most, in memory
	// that is only used if a file needs it.
	zstdWindow = 2 << 30
)

// OpenError says that there is no image file to be read.
type OpenError struct {
	Path string
	Err  error
}

func (e *OpenError) Error() string { return fmt.Sprintf("reading image %s: %v", e.Path, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// NotRegularError says that a path leads to something without an end that is
// known beforehand.
type NotRegularError struct{ Path string }

func (e *NotRegularError) Error() string { return e.Path + " is not a regular file" }

// DamagedError says that a compressed file cannot be read to its end.
type DamagedError struct {
	Path   string
	Format Format
	Err    error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged %s data: %v", e.Path, e.Format, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// EmptyError says that there is no image in a file.
type EmptyError struct{ Path string }

func (e *EmptyError) Error() string { return e.Path + " is empty" }

// File is an open image file.
type File struct {
	Path     string
	Format   Format
	FileSize int64 // as it is stored
	file     *os.File
}

// Open opens a file and finds out how it is compressed.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return nil, &OpenError{path, cause.Err}
	}
	if err != nil {
		return nil, err
	}
	file, err := newFile(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

func newFile(path string, f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &NotRegularError{path}
	}
	if info.Size() == 0 {
		return nil, &EmptyError{path}
	}
	start := make([]byte, longestMagic)
	n, err := f.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	file := &File{Path: path, FileSize: info.Size(), file: f}
	for _, m := range magics {
		if bytes.HasPrefix(start[:n], []byte(m.magic)) {
			file.Format = m.format
		}
	}
	return file, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Plain returns the image for reading anywhere in it, or nil if the file is
// compressed.
func (f *File) Plain() io.ReaderAt {
	if f.Format != Plain {
		return nil
	}
	return f.file
}

// Reader returns a reader of the image from its beginning. Its errors on
// compressed data are [DamagedError] values. Only one may be in use at a time.
func (f *File) Reader() (io.ReadCloser, error) {
	stored := io.NewSectionReader(f.file, 0, f.FileSize)
	if f.Format == Plain {
		return io.NopCloser(stored), nil
	}
	return f.decode(bufio.NewReaderSize(stored, readBuffer))
}

// decode reads what is stored as the image that it is.
func (f *File) decode(stored io.Reader) (io.ReadCloser, error) {
	var r io.ReadCloser
	switch f.Format {
	case Gzip:
		d, err := kgzip.NewReader(stored)
		if err != nil {
			return nil, f.damaged(err)
		}
		r = d
	case Zstd:
		d, err := zstd.NewReader(stored, zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, f.damaged(err)
		}
		r = d.IOReadCloser()
	case XZ:
		d, err := xz.NewReader(stored, xzWindow)
		if err != nil {
			return nil, f.damaged(err)
		}
		r = io.NopCloser(d)
	default:
		return io.NopCloser(stored), nil
	}
	return &decoder{f, r}, nil
}

func (f *File) damaged(err error) error { return &DamagedError{f.Path, f.Format, err} }

// decoder gives the errors of a decompressor a type.
type decoder struct {
	f *File
	r io.ReadCloser
}

func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, d.f.damaged(err)
}

func (d *decoder) Close() error { return d.r.Close() }

// contextReader stops reading when its context ends, and counts.
type contextReader struct {
	ctx  context.Context
	r    io.Reader
	tell func(n int)
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.tell(n)
	return n, err
}
