package kexec

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestArchive has GNU tar read an archive, whose initrd lies at a multiple of 4 KiB whatever is before it.
func TestArchive(t *testing.T) {
	for size := range 20 {
		file := filepath.Join(t.TempDir(), "a.tar")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		s := System{Title: "x", Platform: "aarch64-linux", Params: []string{"a"}}
		a, err := NewArchive(out, time.Unix(315532800, 0))
		if err != nil {
			t.Fatal(err)
		}
		kernel := bytes.Repeat([]byte{'k'}, size*317)
		for _, m := range []Member{{Name: Run, Mode: 0o755, Data: s.Script()}, {Name: Kernel, Mode: 0o644, Data: kernel}} {
			if err := a.Add(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.AddSums(); err != nil {
			t.Fatal(err)
		}
		if err := a.AddManifest([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		initrd := bytes.Repeat([]byte{'i'}, size*1021)
		if a.Initrd().Offset%unit != 0 {
			t.Errorf("the initrd is at byte %d", a.Initrd().Offset)
		}
		if _, err := a.Initrd().WriteAt(initrd, 0); err != nil {
			t.Fatal(err)
		}
		s.InitrdSize = int64(len(initrd))
		end, err := a.Finish(s.Script(), s.InitrdSize)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Size() != end {
			t.Errorf("the archive has %v (%v), want %d bytes", info, err, end)
		}
		folder := t.TempDir()
		judge.Run(t, "tar", "tar", "-xf", file, "-C", folder)
		judge.Run(t, "coreutils", "env", "-C", filepath.Join(folder, "kexec"), "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
		for name, want := range map[string][]byte{Run: s.Script(), Kernel: kernel, Initrd: initrd} {
			if got := readFile(t, folder, "kexec/"+name); got != string(want) {
				t.Errorf("%s has other bytes", name)
			}
		}
	}
}

// TestOurs tells archives from other files.
func TestOurs(t *testing.T) {
	for text, what := range map[string]string{"": "nothing", "text": "text", "\x1f\x8b\x08damaged": "gzip", "\x28\xb5\x2f\xfd\xff": "zstd", strings.Repeat("\x00", 4096): "zeros"} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if ours, err := Ours(file); ours || err != nil {
			t.Errorf("%s is ours: %t (%v)", what, ours, err)
		}
	}
}

// TestMachines names the machines of platforms as uname(2) does.
func TestMachines(t *testing.T) {
	for platform, want := range map[string]string{
		"x86_64-linux": "x86_64", "aarch64-linux": "aarch64", "i686-linux": "i?86 | x86_64", "armv7l-linux": "armv*", "powerpc64le-linux": "ppc64le",
	} {
		if got := machines(platform); got != want {
			t.Errorf("machines(%s) = %s, want %s", platform, got, want)
		}
	}
}

func FuzzReadManifest(f *testing.F) {
	var plain bytes.Buffer
	out := filepath.Join(f.TempDir(), "a.tar")
	file, err := os.Create(out)
	if err != nil {
		f.Fatal(err)
	}
	a, err := NewArchive(file, time.Unix(0, 0))
	if err == nil {
		err = a.AddManifest([]byte(`{"kind":"x"}`))
	}
	if err == nil {
		_, err = file.Seek(0, 0)
	}
	if err == nil {
		_, err = plain.ReadFrom(file)
	}
	if err != nil || file.Close() != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ReadManifest(bytes.NewReader(data)); m == nil && err == nil {
			t.Error("neither a manifest nor an error")
		}
	})
}
