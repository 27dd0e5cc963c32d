package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blakesmith/ar"
	"github.com/ulikunitz/xz"
)

// newBuild has a file of each kind.
func newBuild(t *testing.T) build {
	t.Helper()
	b := build{root: t.TempDir(), version: "1.2.3", arch: "arm64", time: time.Unix(1_700_000_000, 0).UTC()}
	for _, name := range []string{
		"usr/bin/livebuild", "usr/share/man/man1/livebuild.1.gz", "usr/share/licenses/livebuild/LICENSE",
		"usr/share/zsh/vendor-completions/_livebuild", "usr/share/zsh/site-functions/_livebuild", "usr/share/doc/livebuild/copyright",
	} {
		file := filepath.Join(b.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// The same files make the same packages, whenever and wherever.
func TestSameBytes(t *testing.T) {
	for _, kind := range []string{"deb", "rpm"} {
		var bytesOf [2][]byte
		for i := range bytesOf {
			b := newBuild(t)
			when := time.Now().Add(time.Duration(i) * -time.Hour)
			if err := os.Chtimes(filepath.Join(b.root, "usr/bin/livebuild"), when, when); err != nil {
				t.Fatal(err)
			}
			name, err := b.write(kind, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if bytesOf[i], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(bytesOf[0], bytesOf[1]) {
			t.Errorf("two packages of the same files differ: %s", kind)
		}
	}
}

// A package for Debian has what is for Debian, with owners and permissions.
func TestDebContents(t *testing.T) {
	b := newBuild(t)
	name, err := b.write("deb", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(name) != "livebuild_1.2.3-1_arm64.deb" {
		t.Errorf("it is called %s", name)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var files []string
	for r := ar.NewReader(f); ; {
		member, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(member.Name, "data.tar.xz") {
			continue
		}
		unxz, err := xz.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		for archive := tar.NewReader(unxz); ; {
			h, err := archive.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeDir {
				continue
			}
			files = append(files, strings.TrimPrefix(h.Name, "."))
			want := int64(0o644)
			if h.Name == "./usr/bin/livebuild" {
				want = 0o755
			}
			if h.Mode&0o777 != want || h.Uname != "root" || !h.ModTime.Equal(b.time) {
				t.Errorf("%s: mode %o of %s, time %v", h.Name, h.Mode, h.Uname, h.ModTime)
			}
		}
	}
	want := []string{
		"/usr/bin/livebuild", "/usr/share/doc/livebuild/copyright", "/usr/share/man/man1/livebuild.1.gz",
		"/usr/share/zsh/vendor-completions/_livebuild",
	}
	slices.Sort(files)
	if !slices.Equal(files, want) {
		t.Errorf("it has %q, want %q", files, want)
	}
}

// What is missing is an error, and nothing is left behind.
func TestRefusals(t *testing.T) {
	out := t.TempDir()
	whole := newBuild(t)
	for name, change := range map[string]func(*build){
		"no version": func(b *build) { b.version = "" },
		"no files":   func(b *build) { b.root = out },
		"no folder":  func(b *build) { b.root = filepath.Join(out, "none") },
	} {
		b := whole
		change(&b)
		if _, err := b.write("deb", out); err == nil {
			t.Errorf("%s, and nobody minds", name)
		}
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
