// Package readback has images read by programs that livebuild has no part in, and finds what is
// different from their source.
package readback

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

	"golang.org/x/sync/errgroup"
)

// Tree tells for each path of a tree what is there: type, permissions, and contents.
type Tree map[string]string

// Add takes in what is below root, under a name. Root itself may be anything but a link to it.
func (m Tree) Add(root, name string) error {
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
			contents, err = Sum(path)
		}
		m[filepath.Join(name, rel)] = fmt.Sprintf("%v %s", info.Mode(), contents)
		return err
	})
}

// Sum is the size and the SHA-256 of a file, in words.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	return fmt.Sprintf("%d bytes, SHA-256 %x", size, h.Sum(nil)), err
}

// Compare returns an error that names the first difference, nil if there is none.
func (m Tree) Compare(got Tree) error {
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

// readers are independent of each other and of livebuild. The first needs root.
var readers = []reader{
	{"kernel", func(ctx context.Context, image, folder string) (func() error, error) {
		err := Run(ctx, "mount", "-t", "squashfs", "-o", "loop,ro", image, folder)
		return func() error { return Run(context.WithoutCancel(ctx), "umount", folder) }, err
	}},
	{"unsquashfs", func(ctx context.Context, image, folder string) (func() error, error) {
		return nothing, Run(ctx, "unsquashfs", "-no-progress", "-quiet", "-force", "-dest", folder, image)
	}},
	{"rdsquashfs", func(ctx context.Context, image, folder string) (func() error, error) {
		return nothing, Run(ctx, "rdsquashfs", "--quiet", "--chmod", "--unpack-path", "/", "--unpack-root", folder, image)
	}},
}

func nothing() error { return nil }

// Readers is how many there are.
func Readers() int { return len(readers) }

// Verify lets every reader read a squashfs, all at once, with room for what it holds in the folder
// scratch for each, and compares what each finds with the source. It returns their names.
func Verify(ctx context.Context, squashfs, scratch string, want Tree) ([]string, error) {
	var all errgroup.Group
	var names []string
	for _, r := range readers {
		names = append(names, r.name)
		all.Go(func() error {
			if err := r.compare(ctx, squashfs, scratch, want); err != nil {
				return fmt.Errorf("%s, read by %s: %w", squashfs, r.name, err)
			}
			return nil
		})
	}
	return names, all.Wait()
}

func (r reader) compare(ctx context.Context, image, scratch string, want Tree) (err error) {
	folder, err := os.MkdirTemp(scratch, "livebuild-read-"+r.name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	undo, err := r.open(ctx, image, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, undo()) }()
	got := Tree{}
	list, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range list {
		if err := got.Add(filepath.Join(folder, entry.Name()), entry.Name()); err != nil {
			return err
		}
	}
	return want.Compare(got)
}

// Run runs a program of others, whose output is in the error if it fails.
func Run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
