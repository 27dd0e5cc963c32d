package hostdir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ways are both of opening: by the kernel, and folder by folder.
func ways(t *testing.T, f func(t *testing.T)) {
	before := without.Load()
	defer without.Store(before)
	for name, value := range map[string]bool{"openat2": false, "walk": true} {
		without.Store(value)
		t.Run(name, func(t *testing.T) {
			f(t)
			if without.Load() != value {
				t.Skip("NOT TESTED: this kernel has no openat2")
			}
		})
	}
}

func TestOpen(t *testing.T) {
	root := t.TempDir()
	put := func(name, content string) {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("folder/a/b/file", "content")
	put("folder/file", "content")
	put("secret/file", "secret")
	for name, target := range map[string]string{
		"link": "folder", "folder/absolute": filepath.Join(root, "secret/file"), "folder/up": "../secret/file", "folder/inside": "file",
		"folder/out": "../secret", "folder/a/out": "../../secret", "folder/a/back": "..",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	ways(t, func(t *testing.T) {
		for _, path := range []string{"folder", "link"} { // the way to the folder may have links
			dir := New(filepath.Join(root, path))
			for _, name := range []string{"file", "a/b/file"} {
				f, err := dir.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(f); err != nil || string(text) != "content" {
					t.Errorf("%s has %q, %v", name, text, err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
			for name, want := range map[string]error{
				"absolute": unix.ELOOP, "up": unix.ELOOP, "inside": unix.ELOOP, "out": unix.ELOOP, "absent": fs.ErrNotExist,
				"out/file": nil, "a/out/file": nil, "a/back/file": nil, "../secret/file": unix.EXDEV, "a/../../secret/file": unix.EXDEV,
				"a/../file": nil, "/etc/passwd": unix.EXDEV, "..": unix.EXDEV, "file/below": unix.ENOTDIR, "": nil,
			} {
				f, err := dir.Open(name)
				if name == "a/../file" { // stays below, whether that is seen or not
					if err == nil {
						f.Close()
					}
					continue
				}
				var failed *fs.PathError
				if err == nil || !errors.As(err, &failed) || want != nil && !errors.Is(err, want) {
					t.Errorf("Open(%q): %v, want %v", name, err, want)
				}
			}
			f, err := dir.Open("a")
			if err != nil {
				t.Fatal(err)
			}
			if names, err := f.Readdirnames(-1); err != nil || len(names) != 3 {
				t.Errorf("a has %q, %v", names, err)
			}
			f.Close()
			for name, want := range map[string]uint32{"file": unix.S_IFREG, "up": unix.S_IFLNK, "a": unix.S_IFDIR, "a/out": unix.S_IFLNK, ".": unix.S_IFDIR} {
				var st unix.Stat_t
				if err := dir.Lstat(name, &st); err != nil || st.Mode&unix.S_IFMT != want {
					t.Errorf("Lstat(%q): %#o, %v", name, st.Mode, err)
				}
			}
			for _, name := range []string{"out/file", "..", "a/../../secret/file", "../secret/file", "", "/etc/passwd", "absent"} {
				var st unix.Stat_t
				if err := dir.Lstat(name, &st); err == nil {
					t.Errorf("Lstat(%q) found something", name)
				}
			}
			if target, err := dir.Readlink("a/out"); target != "../../secret" || err != nil {
				t.Errorf("Readlink = %q, %v", target, err)
			}
			if target, err := dir.Readlink("out/file"); err == nil || target != "" {
				t.Errorf("Readlink beyond a link = %q, %v", target, err)
			}
		}
	})
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + "/x", file + strings.Repeat("x", 300), filepath.Dir(file) + "/absent"} {
		dir := New(path)
		for range 2 {
			if _, err := dir.Open("x"); err == nil {
				t.Errorf("%s is open", path)
			}
			if _, err := dir.Readlink("x"); err == nil {
				t.Errorf("%s has links", path)
			}
		}
	}
}
