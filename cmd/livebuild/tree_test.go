package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// listing describes a folder: for each file below it, by relative name, what
// an image has to keep of it.
type listing map[string]string

// list reads a folder. Owner and times are those of a Nix store, so they must
// be in the image too.
func list(t testing.TB, folder string) listing {
	t.Helper()
	l := listing{}
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == folder {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		l[name], err = describe(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func describe(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("owner %d:%d, time %d", owner.Uid, owner.Gid, info.ModTime().Unix())
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		return fmt.Sprintf("link to %q, %s", target, text), err
	case info.IsDir():
		return fmt.Sprintf("folder %v, %s", info.Mode(), text), nil
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: mode %v does not belong into a store", file, info.Mode())
	}
	sum, err := sumOf(file)
	return fmt.Sprintf("file %v, %d bytes, SHA-256 %s, %s", info.Mode(), info.Size(), sum, text), err
}

func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// listPaths reads store paths by their base names, as the root of the squashfs
// has them: as they are after Nix copied them, which gives every folder mode 0555,
// whatever it had where it was built.
func listPaths(t testing.TB, paths []string) listing {
	t.Helper()
	l := listing{}
	for _, path := range paths {
		base := filepath.Base(path)
		var err error
		if l[base], err = describe(path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			for name, text := range list(t, path) {
				l[filepath.Join(base, name)] = text
			}
		}
	}
	for name, text := range l {
		l[name] = folderMode.ReplaceAllString(text, "folder dr-xr-xr-x")
	}
	return l
}

var folderMode = regexp.MustCompile(`^folder d[-rwx]{9}`)

// compare reports the differences between two listings.
func (want listing) compare(t testing.TB, got listing) {
	t.Helper()
	names := maps.Clone(want)
	maps.Copy(names, got)
	differences := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] == want[name] {
			continue
		}
		if differences++; differences > 20 {
			t.Fatal("and more differences")
		}
		t.Errorf("%q is %q, want %q", name, got[name], want[name])
	}
}

// mount mounts an image, or a file system in it, for the time of a test.
func mount(t testing.TB, args ...string) (folder string) {
	t.Helper()
	need.Root(t)
	folder = t.TempDir()
	judge(t, "mount", "mount", append(args, folder)...)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v\n%s", folder, err, out)
		}
	})
	return folder
}
