package store

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// tell tells a tree on disk to an archive.
func tell(t *testing.T, n *NarHash, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case info.IsDir():
		list, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		n.Directory()
		for _, e := range list {
			n.Entry(e.Name())
			tell(t, n, filepath.Join(path, e.Name()))
			n.EndEntry()
		}
		n.EndDirectory()
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := n.File(info.Mode()&0o100 != 0, info.Size(), f); err != nil {
			t.Fatal(err)
		}
	default:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		n.Symlink(target)
	}
}

func TestNarHash(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for name, text := range map[string]string{
		"empty": "", "seven": "1234567", "eight": "12345678", "nine": "123456789", "a/b/c": "deep", "odd \xff\n": "name", "A": "upper",
	} {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(tree, "nine"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": "a/b", "dangling": "/nowhere", "latin": "\xe9"} {
		if err := os.Symlink(target, filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(tree, "nothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{tree, filepath.Join(tree, "nine"), filepath.Join(tree, "link"), filepath.Join(tree, "nothing")} {
		n := NewNarHash()
		tell(t, n, path)
		got, err := n.Sum()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", `"$1" --dump "$0" | sha256sum`, path, judge.Path(t, "nix-bin", "nix-store"))
		cmd.Env = append(os.Environ(), "NIX_REMOTE=dummy://")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("nix-store (Debian package nix-bin): %v", err)
		}
		nar := exec.Command("sh", "-c", `"$1" --dump "$0" | wc -c`, path, judge.Path(t, "nix-bin", "nix-store"))
		nar.Env = cmd.Env
		if size, err := nar.Output(); err != nil || strings.TrimSpace(string(size)) != strconv.FormatInt(n.Size(), 10) {
			t.Errorf("the archive of %s has %d bytes, Nix says %s (%v)", path, n.Size(), size, err)
		}
		if want := strings.Fields(string(out))[0]; hex.EncodeToString(got[:]) != want {
			t.Errorf("hash of %s is %x, Nix says %s", path, got, want)
		}
	}
}

func TestNarHashErrors(t *testing.T) {
	n := NewNarHash()
	if err := n.File(false, 5, strings.NewReader("four")); err == nil {
		t.Error("no error for a file that is too short")
	}
	n = NewNarHash()
	n.Directory()
	if _, err := n.Sum(); err == nil {
		t.Error("no error for a directory without end")
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add([]byte("/nix/store/a\nsha256:" + strings.Repeat("0", 52) + "\n120\n\n1\n/nix/store/a\n"))
	f.Add([]byte("/nix/store/a\nsha256:" + strings.Repeat("z", 52) + "\n120\n\n0\n"))
	f.Add([]byte("/nix/store/a\n" + strings.Repeat("0f", 32) + "\n1\n/nix/store/b.drv\n0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		closure, err := ReadRegistration(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := closure.WriteRegistration(&again); err != nil {
			t.Fatal(err)
		}
		reread, err := ReadRegistration(&again)
		if err != nil || !reflect.DeepEqual(reread, closure) {
			t.Errorf("%+v reads back as %+v, %v", closure, reread, err)
		}
	})
}

func TestPackageName(t *testing.T) {
	const hash = "/nix/store/00000000000000000000000000000000-"
	for path, want := range map[string]string{
		hash + "glibc-2.39-52":           "glibc",
		hash + "python3.11-requests-2.3": "python3.11-requests",
		hash + "firefox-unwrapped-128.0": "firefox-unwrapped",
		hash + "unit-sshd.service":       "unit-sshd.service",
		hash + "x-2.0-dev":               "x",
		hash + "ends-":                   "ends-",
		hash + "Odd-Name":                "Odd-Name",
		"/nix/store/nohash":              "nohash",
	} {
		if got := PackageName(path); got != want {
			t.Errorf("PackageName(%q) = %q, want %q", path, got, want)
		}
	}
}
