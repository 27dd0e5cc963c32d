package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// manifest tells for each path of a tree what is there: type, permissions, and
// contents.
type manifest map[string]string

// add takes a tree in under a name. Its root may be anything but a link to it.
func (m manifest) add(root, name string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		contents := ""
		switch info.Mode().Type() {
		case fs.ModeSymlink:
			contents, err = os.Readlink(path)
		case 0:
			contents, err = fileSum(path)
		}
		m[filepath.Join(name, rel)] = fmt.Sprintf("%v %s", info.Mode(), contents)
		return err
	})
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	return fmt.Sprintf("%d bytes, SHA-256 %x", size, h.Sum(nil)), err
}

// manifestOf is the manifest of a variant as an image holds it.
func manifestOf(v variant) (manifest, error) {
	m := manifest{}
	roots, err := v.files()
	if err != nil {
		return nil, err
	}
	for _, file := range roots {
		if err := m.add(file, filepath.Base(file)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// compare returns an error that names the first difference.
func (m manifest) compare(got manifest) error {
	for _, path := range slices.Sorted(maps.Keys(m)) {
		if have, ok := got[path]; !ok {
			return fmt.Errorf("%s is missing", path)
		} else if have != m[path] {
			return fmt.Errorf("%s is %s, not %s", path, have, m[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := m[path]; !ok {
			return fmt.Errorf("%s is not in the source", path)
		}
	}
	return nil
}

// reader makes the contents of an image readable in an empty folder, and
// returns what undoes it.
type reader struct {
	name string
	open func(ctx context.Context, image, folder string) (undo func() error, err error)
}

// readers are independent of each other and of livebuild.
var readers = []reader{
	{"kernel", func(ctx context.Context, image, folder string) (func() error, error) {
		err := run(ctx, "mount", "-t", "squashfs", "-o", "loop,ro", image, folder)
		return func() error { return run(context.WithoutCancel(ctx), "umount", folder) }, err
	}},
	{"unsquashfs", func(ctx context.Context, image, folder string) (func() error, error) {
		return nothing, run(ctx, "unsquashfs", "-no-progress", "-quiet", "-force", "-dest", folder, image)
	}},
	{"rdsquashfs", func(ctx context.Context, image, folder string) (func() error, error) {
		return nothing, run(ctx, "rdsquashfs", "--quiet", "--chmod", "--unpack-path", "/", "--unpack-root", folder, image)
	}},
}

func nothing() error { return nil }

// run runs a program, whose output is in the error if it fails.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// verify lets every reader read the store of an image and compares what it
// finds with the source. It returns their names.
func verify(ctx context.Context, image, scratch string, want manifest) ([]string, error) {
	squashfs := image + ".squashfs"
	if err := extractStore(image, squashfs); err != nil {
		return nil, err
	}
	defer os.Remove(squashfs)
	var names []string
	for _, r := range readers {
		if err := r.verify(ctx, squashfs, scratch, want); err != nil {
			return nil, fmt.Errorf("%s, read by %s: %w", image, r.name, err)
		}
		names = append(names, r.name)
	}
	return names, nil
}

// extractStore copies the squashfs out of an image, for readers that want it as
// a file.
func extractStore(image, squashfs string) (err error) {
	f, err := os.Open(image)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := hybridiso.ReadTree(f)
	if err != nil {
		return err
	}
	out, err := os.Create(squashfs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for _, entry := range entries {
		if entry.Path != medium.StoreImage {
			continue
		}
		for _, extent := range entry.Extents {
			if _, err := io.Copy(out, io.NewSectionReader(f, extent.Offset, extent.Size)); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s has no %s", image, medium.StoreImage)
}

func (r reader) verify(ctx context.Context, image, scratch string, want manifest) (err error) {
	folder, err := os.MkdirTemp(scratch, "livebuild-bench-"+r.name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	undo, err := r.open(ctx, image, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, undo()) }()
	got := manifest{}
	list, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range list {
		if err := got.add(filepath.Join(folder, entry.Name()), entry.Name()); err != nil {
			return err
		}
	}
	return want.compare(got)
}
