package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// same compares an image with that of a build from nothing.
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
	want := iso(t, "mini-special")
	got := iso(t, "mini-special", "--reuse", miniISO(t).File)
	sameImage(t, got, want)
	if got.ReusedBytes == nil || *got.ReusedBytes < got.SquashfsBytes/2 {
		t.Errorf("reused %v of %d bytes", got.ReusedBytes, got.SquashfsBytes)
	}
}

// TestReuseOfDamage: an image that is damaged or lies gives the right image.
func TestReuseOfDamage(t *testing.T) {
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
