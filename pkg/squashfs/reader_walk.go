package squashfs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// pathMax is PATH_MAX of Linux, which opens no path as long as that. Without
// a bound the paths in a small image could fill any memory.
const pathMax = 4096

// WalkFunc is called by [Reader.Walk] with a path from the root directory,
// which is ".", and the inode there. An error ends the walk, but
// [fs.SkipDir] for a directory only leaves out what is in it.
type WalkFunc func(path string, ino Inode) error

// Walk calls f for the root directory and everything below it, each directory
// before its entries, and these in the order of the bytes of their names. A
// directory that has two names, and so might contain itself, is an error, and
// so is a path of 4096 bytes or more.
func (r *Reader) Walk(f WalkFunc) error {
	root, err := r.Root()
	if err != nil {
		return err
	}
	return r.WalkFrom(root, f)
}

// WalkFrom is Walk for top and everything below it; paths are from there.
func (r *Reader) WalkFrom(top Inode, f WalkFunc) error {
	w := r.newWalker()
	w.visit = func(path string, ino, _ Inode) error { return f(path, ino) }
	return w.enter(".", top, Inode{})
}

func (r *Reader) newWalker() *walker {
	return &walker{
		r:            r,
		seen:         make(map[disk.InodeRef]bool),
		listingBytes: metadataRoom(r.listings.start, r.listings.end),
		fail:         func(_ string, _ uint64, path string, err error) error { return fmt.Errorf("%q: %w", path, err) },
	}
}

// metadataRoom is how many bytes the metadata blocks between two places hold at
// most: a block takes a header and a byte at least.
func metadataRoom(start, end uint64) uint64 {
	return (end - start) / (disk.MetadataHeaderSize + 1) * disk.MetadataSize
}

// walker walks through the tree of an image. Listings that overlap in the
// directory table could make a small image an endless walk; the sum of their
// sizes tells them.
type walker struct {
	r            *Reader
	seen         map[disk.InodeRef]bool // directories
	listingBytes uint64                 // how many more the directory table can hold
	visit        func(path string, ino, parent Inode) error

	// fail is called with what is wrong, where in the image, and in or below which
	// path. If it returns nil, the walk goes on.
	fail func(structure string, offset uint64, path string, err error) error
}

func (w *walker) walk() error {
	root, err := w.r.Root()
	if err != nil {
		return w.fail("inode", w.r.inodes.start+w.r.sb.RootInode.Block(), ".", err)
	}
	return w.enter(".", root, Inode{})
}

// enter visits the inode at path and all below it. The root has no parent.
func (w *walker) enter(path string, ino, parent Inode) error {
	if len(path) >= pathMax {
		err := fmt.Errorf("path of %d bytes, %d are possible", len(path), pathMax-1)
		return w.fail("directory", parent.dir.start.block, path, err)
	}
	if !ino.Mode.IsDir() {
		return w.visit(path, ino, parent)
	}
	if err := w.admit(ino); err != nil {
		return w.fail("inode", w.r.blockOf(ino), path, err)
	}
	if err := w.visit(path, ino, parent); errors.Is(err, fs.SkipDir) {
		return nil
	} else if err != nil {
		return err
	}
	prefix := path + "/"
	if path == "." {
		prefix = ""
	}
	for e, err := range w.r.Entries(ino) {
		if err != nil {
			return w.fail("directory", ino.dir.start.block, path, err)
		}
		child, err := w.r.Inode(e)
		if err != nil {
			if err := w.fail("inode", w.r.inodes.start+e.ref.Block(), prefix+e.Name, err); err != nil {
				return err
			}
			continue
		}
		if err := w.enter(prefix+e.Name, child, ino); err != nil {
			return err
		}
	}
	return nil
}

// admit refuses directories that a sound image cannot have.
func (w *walker) admit(dir Inode) error {
	switch {
	case w.seen[dir.ref]:
		return fmt.Errorf("directory %d is in more than one place", dir.Number)
	case dir.dir.size > w.listingBytes:
		return errors.New("listings overlap in the directory table")
	}
	w.seen[dir.ref] = true
	w.listingBytes -= dir.dir.size
	return nil
}
