package medium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/progress"
)

// File is an image in a file or on a disk.
type File struct {
	*Medium
	Name string // what it is called in messages, and the files about it
	Path string // by which other programs read it; of a compressed one that of what came out

	// Netboot is the folder of a system that starts over the network; nil of an image.
	Netboot *netboot.Folder

	// Scratch begins a file for what is made of the image while it is used; nil: nothing can be.
	Scratch func() (Scratch, error)

	open []func() error
}

// Scratch is a file that is gone when it is aborted.
type Scratch interface {
	io.ReaderAt
	io.WriterAt
	Name() string // by which other programs read it
	Abort() error
}

// OpenOptions say how an image is opened.
type OpenOptions struct {
	Name     string                  // by which the image is to be known; empty: the path is
	Scratch  func() (Scratch, error) // to expand a compressed one into; nil: it is refused
	Progress progress.Sink           // nil: nobody is told
	OneFile  bool                    // other programs will read it from its Path: one in parts is joined, into scratch
	Any      bool                    // one that starts no machine will do, as for ReadAny
}

// Open opens the image in a file, compressed or not, or on a disk. The error is a
// *ForeignError if it is no image that starts a machine, or, with Any, no volume.
func Open(ctx context.Context, path string, opts OpenOptions) (*File, error) {
	if opts.Progress == nil {
		opts.Progress = progress.Discard
	}
	if opts.Name == "" {
		opts.Name = path
	}
	f := &File{Name: Name(opts.Name), Path: path, Scratch: opts.Scratch}
	if err := f.read(ctx, opts); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// OpenBundle opens a folder that livebuild made for network boots, by its path or that of its manifest, to look into
// it. The error is a [*netboot.FolderError] if it is none, or one of [netboot.ReadManifest].
func OpenBundle(path string) (*File, error) {
	f := &File{Name: Name(filepath.Clean(path)), Path: path}
	folder := path
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.IsDir() {
		folder = filepath.Dir(path)
		f.Name = Name(folder)
	}
	if err := f.readFolder(folder); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// OpenFolder opens a folder from which machines start over the network, or a script for iPXE in one. Of
// others than livebuild's it is not known for what machines they are: x86_64 is assumed. The error is a
// [*netboot.FolderError] if no machine starts from there.
func OpenFolder(path string) (*File, error) {
	folder, err := netboot.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{Name: Name(strings.TrimSuffix(filepath.Clean(path), filepath.Ext(path))), Path: path, Netboot: folder}
	f.Medium = &Medium{Form: Initrd, Arch: "x86_64", Modes: NetworkModes(true), trees: []*Tree{{Name: "volume"}}}
	if folder.Manifest != nil {
		f.Arch, _, _ = strings.Cut(folder.Manifest.Platform, "-")
		f.Modes = NetworkModes(f.Arch == "x86_64")
	}
	return f, nil
}

// Close closes the files that the image is read from.
func (f *File) Close() error {
	var err error
	for _, close := range slices.Backward(f.open) {
		err = errors.Join(err, close())
	}
	return err
}

// read fills in what the image claims.
func (f *File) read(ctx context.Context, opts OpenOptions) error {
	info, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeDevice { // not of characters
		disk, err := os.Open(f.Path)
		if err != nil {
			return err
		}
		f.open = append(f.open, disk.Close)
		size, err := disk.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		return f.become(f.Path, disk, size, opts)
	}
	file, err := imagefile.Open(f.Path)
	var unfit *imagefile.NotRegularError
	var empty *imagefile.EmptyError
	switch {
	case errors.As(err, &unfit):
		return fmt.Errorf("%s: %w", f.Path, &ForeignError{Reason: "no regular file"})
	case errors.As(err, &empty):
		return fmt.Errorf("%s: %w", f.Path, &ForeignError{Reason: "it is empty"})
	case err != nil:
		return err
	}
	f.open = append(f.open, file.Close)
	joined := opts.OneFile && file.Parts() > 1
	if plain := file.Plain(); plain != nil && !joined {
		return f.become(f.Path, plain, file.FileSize, opts)
	}
	if opts.Scratch == nil {
		return fmt.Errorf("%s: %w", f.Path, &ForeignError{Reason: fmt.Sprintf("it is compressed by %s", file.Format)})
	}
	return f.expand(ctx, file, opts)
}

// Expanded is the fact that a compressed image was read out, or one in parts.
type Expanded struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"` // of the image
}

func (e Expanded) String() string { return "expanded " + e.Name }

// expand reads an image that is compressed, or in parts, out into a scratch file, which the image
// is then.
func (f *File) expand(ctx context.Context, file *imagefile.File, opts OpenOptions) error {
	scratch, err := opts.Scratch()
	if err != nil {
		return err
	}
	f.open = append(f.open, scratch.Abort)
	expanded, err := progress.Do(opts.Progress, "expanding", f.Name, func(*progress.Task) (Expanded, error) {
		r, err := file.Reader()
		if err != nil {
			return Expanded{}, err
		}
		n, err := io.Copy(io.NewOffsetWriter(scratch, 0), progress.NewReader(ctx, r, nil))
		return Expanded{f.Name, n}, errors.Join(err, r.Close())
	})
	if err != nil {
		return err
	}
	compressed := f.Path
	f.Path = scratch.Name()
	return f.become(compressed, scratch, expanded.Bytes, opts)
}

// become reads the image, called path in errors.
func (f *File) become(path string, r io.ReaderAt, size int64, opts OpenOptions) (err error) {
	read := Read
	if opts.Any {
		read = ReadAny
	}
	if f.Medium, err = read(r, size); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// extensions are those of image files.
var extensions = []string{".zst", ".xz", ".gz", ".tgz", ".tar", ".iso"}

// Name is what an image is called: the last element of its path, without extensions.
func Name(path string) string {
	name := imagefile.WholeName(filepath.Base(path))
	for _, extension := range extensions {
		name = strings.TrimSuffix(name, extension)
	}
	return name
}

// NamesImage tells an image from an installable: it is a file, or named as one, which then
// has to be there. A Nix file is an installable.
func NamesImage(what string) (bool, error) {
	info, err := os.Stat(what)
	switch {
	case err == nil && info.IsDir():
		_, err := os.Stat(filepath.Join(what, "flake.nix"))
		return err != nil && netboot.Names(what), nil
	case err == nil:
		return !info.IsDir() && filepath.Ext(what) != ".nix", nil
	case errors.Is(err, fs.ErrNotExist) && !strings.Contains(what, "#") && Name(what) != filepath.Base(what):
		return false, err
	}
	return false, nil
}

// maxHead bounds what is read of a compressed image to see whose it is: more than goes before
// its volume descriptors.
const maxHead = 1 << 20

// FileMadeHere reports whether the image in a file, compressed or not, was made by livebuild; one in
// parts has what tells in the first. What is no image was not. The error is one of opening the file.
func FileMadeHere(path string) (bool, error) {
	f, err := imagefile.OpenAlone(path)
	if _, empty := err.(*imagefile.EmptyError); empty {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if plain := f.Plain(); plain != nil {
		return MadeHere(plain), nil
	}
	r, err := f.Reader()
	if err != nil {
		return false, nil
	}
	defer r.Close()
	head, _ := io.ReadAll(io.LimitReader(r, maxHead)) // of what is damaged, as much as there is
	return MadeHere(bytes.NewReader(head)), nil
}
