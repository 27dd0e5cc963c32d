// Package imagefile reads an image from a file as people have them: plain, or
// compressed by gzip, zstd or xz, in one piece or cut into parts, with its SHA-256 or SHA-512 given or in a file
// beside it; and it says whether the image is a whole one.
//
// What a file is follows from its content, not from its name.
package imagefile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/pkg/cpio"
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

const (
	readBuffer   = 1 << 20
	longestMagic = 6
	gzipMagic    = "\x1f\x8b\x08"
)

// formatOf recognises a format by what a file begins with: RFC 1952 §2.3.1, RFC
// 8878 §3.1.1, and The .xz File Format §2.1.1.1.
func formatOf(start []byte) Format {
	for _, m := range []struct {
		format Format
		magic  string
	}{
		{Gzip, gzipMagic},
		{Zstd, "\x28\xb5\x2f\xfd"},
		{XZ, "\xfd7zXZ\x00"},
	} {
		if strings.HasPrefix(string(start), m.magic) {
			return m.format
		}
	}
	return Plain
}

// A skippable frame has one of sixteen magic numbers, and after it its length
// (RFC 8878 §3.1.2). Its user says what is in it: pzstd begins with one. LZ4
// has the same.
const (
	skippableMagic  = 0x184D2A50
	skippableMask   = 0xFFFFFFF0
	skippableHeader = 8
	maxSkippable    = 1 << 16 // frames that are looked behind
)

// skippable returns the length of a skippable frame with its header, or 0.
func skippable(start []byte) int64 {
	if len(start) < skippableHeader || binary.LittleEndian.Uint32(start)&skippableMask != skippableMagic {
		return 0
	}
	return skippableHeader + int64(binary.LittleEndian.Uint32(start[4:]))
}

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

// EmptyError says that there is no image in a file.
type EmptyError struct{ Path string }

func (e *EmptyError) Error() string { return e.Path + " is empty" }

// File is an open image file.
type File struct {
	Path     string
	Format   Format
	FileSize int64 // as it is stored
	file     stored
}

// Open opens a file and finds out how it is compressed. The first part of an image that was cut
// stands for all of them; what is wrong with one is a [PartError].
func Open(path string) (*File, error) {
	all, err := openParts(path)
	switch {
	case err != nil:
		return nil, err
	case all == nil:
		return OpenAlone(path)
	}
	file := &File{Path: path, FileSize: all.total, file: all}
	if file.Format, err = file.format(); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return file, nil
}

// OpenAlone opens a file as [Open] does, whatever it may be a part of.
func OpenAlone(path string) (*File, error) {
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
	file := &File{Path: path, FileSize: info.Size(), file: f}
	file.Format, err = file.format()
	return file, err
}

// format finds out how the file is compressed. Of an initrd with a store it is the beginning
// alone that is.
func (f *File) format() (Format, error) {
	format, err := f.firstFormat()
	if format == Plain || err != nil {
		return format, err
	}
	switch _, err := initrd.FindStore(f.file, f.FileSize); {
	case err == nil:
		return Plain, nil
	case !errors.Is(err, cpio.ErrNotCarried):
		return Plain, err
	}
	return format, nil
}

// firstFormat finds out by what the file begins with. One that has nothing but
// skippable frames is that of zstd, and empty.
func (f *File) firstFormat() (Format, error) {
	start := make([]byte, max(longestMagic, skippableHeader))
	for offset, frames := int64(0), 0; frames < maxSkippable; frames++ {
		n, err := f.file.ReadAt(start, offset)
		if err != nil && err != io.EOF {
			return Plain, err
		}
		length := skippable(start[:n])
		switch {
		case offset > 0 && n == 0:
			return Zstd, nil
		case length == 0 && offset > 0 && formatOf(start[:n]) != Zstd:
			return Plain, nil
		case length == 0:
			return formatOf(start[:n]), nil
		}
		offset += length
	}
	return Plain, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Parts is how many files the image is in.
func (f *File) Parts() int {
	if p, ok := f.file.(*parts); ok {
		return len(p.files)
	}
	return 1
}

// Stored returns what is stored, compressed or not; of an image in parts all of them.
func (f *File) Stored() io.ReaderAt { return f.file }

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
