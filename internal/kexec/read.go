package kexec

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/livebuild/livebuild/internal/manifest"
)

// Bounds of what is read of an archive that may be anyone's: members before the manifest, and bytes of that, which
// is the kernel's size and a few programs'.
const (
	maxMembers = 64
	maxBefore  = 1 << 30
	maxWindow  = 128 << 20 // of zstd
)

// ErrNone says that something is no archive for kexec that livebuild made.
var ErrNone = errors.New("this is no archive for kexec that livebuild made")

// Unpack returns the tar in what may be compressed by gzip or zstd.
func Unpack(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	start, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b, 8}): // RFC 1952 §2.3.1
		return gzip.NewReader(b)
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878 §3.1.1
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// ReadManifest reads the manifest of an archive, of which nothing is known to be true, and no more of it than what
// lies before that. The error says why there is none, or is one of [manifest.Read].
func ReadManifest(r io.Reader) (m *manifest.Manifest, err error) {
	unpacked, err := Unpack(r)
	if err != nil {
		return nil, ErrNone
	}
	defer func() { err = errors.Join(err, unpacked.Close()) }()
	t := tar.NewReader(io.LimitReader(unpacked, maxBefore))
	for range maxMembers {
		h, err := t.Next()
		if err != nil {
			return nil, ErrNone
		}
		switch {
		case h.Name != Folder+"/" && path.Dir(h.Name) != Folder:
			return nil, ErrNone
		case h.Name == path.Join(Folder, Manifest) && h.Typeflag == tar.TypeReg:
			return manifest.Read(t)
		}
	}
	return nil, ErrNone
}

// Ours reports whether a file is an archive for kexec that livebuild made. The error is one of opening it.
func Ours(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, errors.Join(err, fs.ErrInvalid)
	}
	m, err := ReadManifest(f)
	return err == nil && m.Boot != nil, nil
}
