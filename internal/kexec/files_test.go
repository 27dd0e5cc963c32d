package kexec

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sound is an archive, as small as any.
func sound(t testing.TB) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.tar")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewArchive(out, time.Unix(315532800, 0))
	if err == nil {
		err = a.Add(Member{Name: Run, Mode: 0o755, Data: []byte("#!/bin/sh\n" + strings.Repeat(" ", 4000))})
	}
	a.places[Run] = a.end - 4096 // which Finish writes the script to
	if err == nil {
		err = a.AddManifest([]byte(`{"kind":"x"}`))
	}
	if err == nil {
		_, err = a.Initrd().WriteAt([]byte("initrd"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := a.header(tar.Header{Name: "kexec/initrd", Mode: 0o644, Size: 6}); err != nil {
		t.Fatal(err)
	}
	if err := a.pad(6); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Truncate(a.end+2*block), out.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFiles finds the files of an archive where they lie, and names what is wrong with those of others.
func TestFiles(t *testing.T) {
	whole := sound(t)
	files, err := Files(bytes.NewReader(whole), int64(len(whole)))
	if err != nil || len(files) != 3 {
		t.Fatalf("the files are %+v, %v", files, err)
	}
	for n, want := range []string{"kexec/run #!/bin/sh", "kexec/manifest.json {\"kind\":\"x\"}", "kexec/initrd initrd"} {
		if got := files[n].Name + " " + string(whole[files[n].Offset:files[n].Offset+files[n].Size]); !strings.HasPrefix(got, want) {
			t.Errorf("the file is %.40q, want %q", got, want)
		}
	}
	made := func(change func(h *tar.Header), more int) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		names := []string{"kexec/", "kexec/run", "kexec/manifest.json"}
		for n := range more {
			names = append(names, "kexec/"+strings.Repeat("x", n+1))
		}
		for _, name := range append(names, "kexec/initrd") {
			h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Format: tar.FormatUSTAR}
			if strings.HasSuffix(name, "/") {
				h.Typeflag = tar.TypeDir
			}
			if change(h); h.Name == "" {
				continue
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	initrd := func(change func(h *tar.Header)) []byte {
		return made(func(h *tar.Header) {
			if h.Name == "kexec/initrd" {
				change(h)
			}
		}, 0)
	}
	flipped := bytes.Clone(whole)
	flipped[files[2].Offset-block+20] ^= 1
	for name, test := range map[string]struct {
		data []byte
		want error // ErrNone, or a *HeaderError that wraps it
	}{
		"nothing":          {nil, ErrNone},
		"zeros":            {make([]byte, 4096), ErrNone},
		"no script":        {made(func(h *tar.Header) { h.Name = strings.Replace(h.Name, "run", "walk", 1) }, 0), ErrNone},
		"no manifest":      {made(func(h *tar.Header) { h.Name = strings.Replace(h.Name, "manifest.json", "b", 1) }, 0), ErrNone},
		"GNU's":            {made(func(h *tar.Header) { h.Format = tar.FormatGNU }, 0), ErrNone},
		"a damaged header": {flipped, tar.ErrHeader},
		"cut off":          {whole[:files[2].Offset+3], errBehind},
		"a link":           {initrd(func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "run" }), errForeign},
		"a device":         {initrd(func(h *tar.Header) { h.Typeflag = tar.TypeBlock }), errForeign},
		"outside":          {initrd(func(h *tar.Header) { h.Name = "kexec/../initrd" }), errForeign},
		"above":            {initrd(func(h *tar.Header) { h.Name = "initrd" }), errForeign},
		"below":            {initrd(func(h *tar.Header) { h.Name = "kexec/a/initrd" }), errForeign},
		"hidden":           {initrd(func(h *tar.Header) { h.Name = "kexec/.initrd" }), errForeign},
		"twice":            {initrd(func(h *tar.Header) { h.Name = "kexec/run" }), errTwice},
		"many":             {made(func(*tar.Header) {}, maxMembers), errMembers},
	} {
		_, err := Files(bytes.NewReader(test.data), int64(len(test.data)))
		damaged, ok := errors.AsType[*HeaderError](err)
		if !errors.Is(err, test.want) || ok == errors.Is(test.want, ErrNone) || ok && (damaged.Offset < block || damaged.Offset%block != 0) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// FuzzFiles: whatever is read, the files lie in it.
func FuzzFiles(f *testing.F) {
	whole := sound(f)
	f.Add(whole)
	f.Add(whole[:3*block])
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := Files(bytes.NewReader(data), int64(len(data)))
		if len(files) > maxMembers {
			t.Errorf("%d files", len(files))
		}
		for _, file := range files {
			if err != nil || file.Offset < block || file.Size < 0 || file.Offset+file.Size > int64(len(data)) {
				t.Errorf("%+v, %v, of %d bytes", file, err, len(data))
			}
		}
	})
}
