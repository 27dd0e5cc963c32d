package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// sameImage compares an image with that of a build from nothing.
func sameImage(t *testing.T, got, want result) {
	t.Helper()
	if got.SHA256 != want.SHA256 {
		t.Errorf("SHA-256 %s, without an earlier image %s", got.SHA256, want.SHA256)
	}
	if strings.Fields(judge(t, "coreutils", "sha256sum", got.File))[0] != got.SHA256 {
		t.Error("the file is not what the result says")
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	want := miniISO(t)
	cache := t.TempDir()
	with := call{env: []string{"XDG_CACHE_HOME=" + cache}}
	folder := t.TempDir()
	file := filepath.Join(folder, "image.iso")
	build := func(t *testing.T, args ...string) outcome {
		t.Helper()
		o := with.livebuild(t, append([]string{"iso", miniFlake(t) + "#mini", "-o", file}, args...)...)
		if o.status != 0 {
			t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
		}
		judge(t, "diffutils", "cmp", file, want.File)
		return o
	}
	expect := func(t *testing.T, o outcome, line string) {
		t.Helper()
		if (line == "") == strings.Contains(o.stderr, "reused") || !strings.Contains(o.stderr, line) {
			t.Errorf("standard error does not say %q:\n%s", line, o.stderr)
		}
	}
	expect(t, build(t), "")
	t.Run("the file to be replaced", func(t *testing.T) { expect(t, build(t), "of the store image from "+file) })
	t.Run("none", func(t *testing.T) { expect(t, build(t, "--reuse", "none"), "") })
	t.Run("an image built before", func(t *testing.T) {
		elsewhere := filepath.Join(folder, "elsewhere.iso")
		if err := os.Rename(file, elsewhere); err != nil {
			t.Fatal(err)
		}
		expect(t, build(t, "--reuse", elsewhere), "from "+elsewhere)
		if err := os.Remove(elsewhere); err != nil {
			t.Fatal(err)
		}
		kept := file
		file = filepath.Join(folder, "another.iso")
		expect(t, build(t), "from "+kept)
	})
	t.Run("an image that is not known here", func(t *testing.T) {
		with = call{}
		expect(t, build(t, "--reuse", want.File), "from "+want.File)
	})
	t.Run("other compression", func(t *testing.T) {
		other := iso(t, "mini", "--compression", "lz4")
		expect(t, build(t, "--reuse", other.File), "reused nothing: "+other.File+": packed with lz4")
	})
	t.Run("no image", func(t *testing.T) {
		text := filepath.Join(folder, "text")
		if err := os.WriteFile(text, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		expect(t, build(t, "--reuse", text), "reused nothing: "+text)
	})
}

// TestReuseOfAnotherConfiguration takes what two systems have in common.
func TestReuseOfAnotherConfiguration(t *testing.T) {
	t.Parallel()
	want := iso(t, "mini-special")
	got := iso(t, "mini-special", "--reuse", miniISO(t).File)
	sameImage(t, got, want)
	if got.ReusedBytes == nil || *got.ReusedBytes < got.SquashfsBytes/2 {
		t.Errorf("reused %v of %d bytes", got.ReusedBytes, got.SquashfsBytes)
	}
}

// TestReuseOfDamage: an image that is damaged or lies gives the right image.
func TestReuseOfDamage(t *testing.T) {
	t.Parallel()
	want := miniISO(t)
	image, err := os.ReadFile(want.File)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.iso")
	for name, at := range map[string]int64{
		"volume descriptor": 16 * 2048,
		"superblock":        want.Size - want.SquashfsBytes, // about
		"middle":            want.Size / 2,
		"end":               want.Size - 1<<20,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(damaged, image, 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(damaged, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(make([]byte, 100_000), at); err != nil {
				t.Fatal(err)
			}
			sameImage(t, iso(t, "mini", "--reuse", damaged), want)
		})
	}
	t.Run("cut off", func(t *testing.T) {
		if err := os.WriteFile(damaged, image[:len(image)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		sameImage(t, iso(t, "mini", "--reuse", damaged), want)
	})
}

// TestReuseOfForgery: an image that names store paths and holds others, with a
// record that fits, is found out.
func TestReuseOfForgery(t *testing.T) {
	t.Parallel()
	want := miniISO(t)
	dir := t.TempDir()
	packed := filepath.Join(dir, "nix-store.squashfs")
	judge(t, "xorriso", "xorriso", "-osirrox", "on", "-indev", want.File, "-extract", "/nix-store.squashfs", packed)
	tree := filepath.Join(dir, "tree")
	judge(t, "squashfs-tools", "unsquashfs", "-no-progress", "-quiet", "-dest", tree, packed)
	forged := firstFile(t, tree)
	if err := os.WriteFile(forged, bytes.Repeat([]byte("x"), len(readFile(t, forged))), 0); err != nil {
		t.Fatal(err)
	}

	var entries []squashfs.Entry
	list, err := os.ReadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		path := filepath.Join(tree, e.Name())
		if e.Name() == medium.Registration {
			entries = append(entries, squashfs.Entry{Name: e.Name(), Data: readFile(t, path)})
		} else {
			entries = append(entries, squashfs.Entry{Name: e.Name(), Path: path, Kin: store.PackageName(e.Name())})
		}
	}
	settings, err := codec.Parse(want.Compression)
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(settings, codec.DefaultBlockSize)
	if err != nil {
		t.Fatal(err)
	}
	scanned, err := squashfs.Scan(t.Context(), entries, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := scanned.Write(t.Context(), f, squashfs.Options{Codec: c, MkfsTime: time.Unix(1, 0), ModTime: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	iso := filepath.Join(dir, "forged.iso")
	judge(t, "xorriso", "xorriso", "-as", "mkisofs", "-R", "-iso-level", "3", "-o", iso, "-graft-points", "nix-store.squashfs="+packed)

	file := filepath.Join(dir, "image.iso")
	o := livebuild(t, "iso", miniFlake(t)+"#mini", "-o", file, "--reuse", iso)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	judge(t, "diffutils", "cmp", file, want.File)
	if honest := fmt.Sprintf("with %d store paths", want.StorePaths-1); !strings.Contains(o.stderr, honest) {
		t.Errorf("standard error does not say %q:\n%s", honest, o.stderr)
	}
}

// firstFile returns a file of some bytes in the first store path that has one.
func firstFile(t *testing.T, tree string) (found string) {
	t.Helper()
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == medium.Registration {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() < 10 {
			return err
		}
		found = path
		return fs.SkipAll
	})
	if err != nil || found == "" {
		t.Fatalf("no file in %s: %v", tree, err)
	}
	return found
}

func TestReuseRefusals(t *testing.T) {
	for name, at := range map[string]string{"missing": "nowhere.iso", "folder": "/"} {
		t.Run(name, func(t *testing.T) {
			o := livebuild(t, "iso", miniFlake(t)+"#mini", "--reuse", at)
			if o.status != 2 || !strings.HasPrefix(o.stderr, "error: --reuse: ") {
				t.Errorf("status %d, standard error %q", o.status, o.stderr)
			}
		})
	}
}
