package nix

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Roots is a folder for the links that protect store paths from the garbage
// collector while this process runs.
type Roots struct {
	folder *os.File // locked
}

// NewRoots makes a folder roots/<pid>-<number> in livebuild's cache folder
// of the user, and removes those that processes left behind when they died.
func NewRoots(cache string) (*Roots, error) {
	parent := filepath.Join(cache, "roots")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for garbage collector roots: %w", err)
	}
	if err := sweep(parent); err != nil {
		return nil, err
	}
	for {
		name, err := os.MkdirTemp(parent, strconv.Itoa(os.Getpid())+"-")
		if err != nil {
			return nil, fmt.Errorf("making a folder for garbage collector roots: %w", err)
		}
		folder, err := lock(name)
		if err == nil {
			return &Roots{folder: folder}, nil
		}
		// Another process can have swept the folder before it was locked.
		if !errors.Is(err, errNotOurs) {
			return nil, err
		}
	}
}

// Link is the name of a link in the folder, for Realise.
func (r *Roots) Link(name string) string { return filepath.Join(r.folder.Name(), name) }

// Close removes the folder and its links.
func (r *Roots) Close() error {
	return errors.Join(os.RemoveAll(r.folder.Name()), r.folder.Close())
}

// sweep removes the folders that nobody holds a lock on. The lock says it, not
// the process number: that may have been given again, or mean another process
// in a container that shares the cache.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return fmt.Errorf("looking for old garbage collector roots: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(parent, e.Name())
		folder, err := lock(name)
		// What root left in this user's folder is for root to remove.
		if errors.Is(err, errNotOurs) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(name), folder.Close()); err != nil {
			return fmt.Errorf("removing old garbage collector roots: %w", err)
		}
	}
	return nil
}

// errNotOurs reports a folder that is gone, or locked by another process.
var errNotOurs = errors.New("folder in use by another process")

// lock opens and locks a folder. The kernel takes the lock away when the
// process dies.
func lock(name string) (*os.File, error) {
	folder, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotOurs
	}
	if err != nil {
		return nil, fmt.Errorf("locking garbage collector roots: %w", err)
	}
	err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		folder.Close()
		return nil, errNotOurs
	}
	if err != nil {
		folder.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	if !exists(name) { // removed between opening and locking
		folder.Close()
		return nil, errNotOurs
	}
	return folder, nil
}
