package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/progress"
)

// medium is an image that virtual machines are to start from.
type medium struct {
	*image.Inspection
	path string // by which QEMU reads it
	name string // what it is called
	open []func() error
}

// close closes the files that it is read from.
func (m *medium) close() error {
	var err error
	for _, close := range slices.Backward(m.open) {
		err = errors.Join(err, close())
	}
	return err
}

// openMedium inspects the image in a file, compressed or not, or on a disk.
func (a *app) openMedium(ctx context.Context, path string) (*medium, error) {
	m := &medium{path: path, name: mediumName(path)}
	if err := a.inspect(ctx, m); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// newMedium inspects an image that is not in its place yet.
func (a *app) newMedium(ctx context.Context, out *image.Output, name string) (*medium, error) {
	m := &medium{path: out.Name(), name: mediumName(name)}
	if err := a.inspect(ctx, m); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// inspect fills in what the image claims. One that is compressed is expanded first, into a
// file without a name.
func (a *app) inspect(ctx context.Context, m *medium) error {
	info, err := os.Stat(m.path)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeDevice { // not of characters
		disk, err := os.Open(m.path)
		if err != nil {
			return err
		}
		m.open = append(m.open, disk.Close)
		return m.inspect(m.path, disk)
	}
	file, err := imagefile.Open(m.path)
	var unfit *imagefile.NotRegularError
	var empty *imagefile.EmptyError
	switch {
	case errors.As(err, &unfit):
		return fmt.Errorf("%s: %w", m.path, &image.ForeignError{Reason: "no regular file"})
	case errors.As(err, &empty):
		return fmt.Errorf("%s: %w", m.path, &image.ForeignError{Reason: "it is empty"})
	case err != nil:
		return err
	}
	m.open = append(m.open, file.Close)
	if plain := file.Plain(); plain != nil {
		return m.inspect(m.path, plain)
	}
	out, err := image.CreateScratch(cacheFolder())
	if err != nil {
		return err
	}
	m.open = append(m.open, out.Abort)
	_, err = progress.Do(a.console, "expanding", m.name, func(*progress.Task) (string, error) {
		return "expanded " + m.name, expand(ctx, out, file)
	})
	if err != nil {
		return err
	}
	compressed := m.path
	m.path = out.Name()
	return m.inspect(compressed, out)
}

func (m *medium) inspect(path string, r io.ReaderAt) (err error) {
	if m.Inspection, err = image.Inspect(r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// expand writes the image of a compressed file.
func expand(ctx context.Context, out *image.Output, file *imagefile.File) (err error) {
	r, err := file.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	const step = 16 << 20 // bytes between looks at ctx
	for w := io.NewOffsetWriter(out, 0); ctx.Err() == nil; {
		if _, err := io.CopyN(w, r, step); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// mediumName is what an image is called in messages, and the files about it.
func mediumName(path string) string {
	name := filepath.Base(path)
	for _, extension := range []string{".zst", ".xz", ".gz", ".iso"} {
		name = strings.TrimSuffix(name, extension)
	}
	return name
}

// namesImage tells an image from an installable: it is a file, or named as one. A Nix file is an
// installable.
func namesImage(what string) (bool, error) {
	info, err := os.Stat(what)
	switch {
	case err == nil:
		return !info.IsDir() && filepath.Ext(what) != ".nix", nil
	case errors.Is(err, fs.ErrNotExist) && !strings.Contains(what, "#") && mediumName(what) != filepath.Base(what):
		return false, err
	}
	return false, nil
}
