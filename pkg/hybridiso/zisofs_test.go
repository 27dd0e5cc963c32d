package hybridiso

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/livebuild/livebuild/internal/judge"
)

// compressedFiles are files as xorriso compresses them by zisofs, with what is in them.
func compressedFiles(t testing.TB) (packed, plain map[string][]byte) {
	t.Helper()
	plain = map[string][]byte{
		"text":  []byte(strings.Repeat("text that is long enough\n", 9000)),
		"mixed": append(append(content(3, 100_000), make([]byte, 200_000)...), content(4, 777)...),
		"exact": bytes.Repeat([]byte("32768..."), 4096),
	}
	tree := t.TempDir()
	for name, p := range plain {
		if err := os.WriteFile(filepath.Join(tree, name), p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "image.iso")
	judge.Run(t, "xorriso", "xorriso", "-outdev", path, "-map", tree, "/", "-set_filter_r", "--zisofs", "/", "--", "-commit")
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	packed = map[string][]byte{}
	for name, p := range plain {
		e, err := r.Lookup(name)
		if err != nil || !e.Zisofs || e.Unpacked != int64(len(p)) || len(e.Extents) != 1 {
			t.Fatalf("%s: %+v, %v, want %d bytes compressed by zisofs", name, e, err, len(p))
		}
		packed[name] = image[e.Extents[0].Offset:][:e.Size]
	}
	return packed, plain
}

func TestZisofs(t *testing.T) {
	packed, plain := compressedFiles(t)
	for name, p := range packed {
		z, err := OpenZisofs(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := iotest.TestReader(io.NewSectionReader(z, 0, z.Size()), plain[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestZisofsDamage(t *testing.T) {
	packed, _ := compressedFiles(t)
	sound := packed["mixed"]
	pointer := func(b []byte, n int, value uint32) {
		binary.LittleEndian.PutUint32(b[zisofsHeaderSize+n*zisofsPointerSize:], value)
	}
	for name, test := range map[string]struct {
		damage func(b []byte) []byte
		want   string
	}{
		"empty":          {func(b []byte) []byte { return nil }, "shorter than its header"},
		"magic":          {func(b []byte) []byte { b[0] = 0; return b }, "the file begins with"},
		"version 2":      {func(b []byte) []byte { copy(b, "\xef\x22\x55\xa1\xbc\x1b\x95\xa0"); return b }, "the file begins with"},
		"block size":     {func(b []byte) []byte { b[13] = 60; return b }, "blocks of 2^60"},
		"header":         {func(b []byte) []byte { b[12] = 1; return b }, "header of 4 bytes"},
		"4 GiB":          {func(b []byte) []byte { copy(b[8:], "\xff\xff\xff\xff"); return b }, "pointers to 131072 blocks"},
		"backwards":      {func(b []byte) []byte { pointer(b, 1, 1); return b }, "from byte"},
		"beyond the end": {func(b []byte) []byte { pointer(b, 1, 1<<31); return b }, "from byte"},
		"cut off":        {func(b []byte) []byte { return b[:len(b)-5] }, "from byte"},
		"contents":       {func(b []byte) []byte { b[len(b)-3] ^= 1; return b }, "block"},
		"larger": {func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[8:], binary.LittleEndian.Uint32(b[8:])+1)
			return b
		},
			"block"},
		"smaller": {func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[8:], binary.LittleEndian.Uint32(b[8:])-1)
			return b
		},
			"more than"},
	} {
		p := test.damage(bytes.Clone(sound))
		z, err := OpenZisofs(bytes.NewReader(p), int64(len(p)))
		if err == nil {
			_, err = io.Copy(io.Discard, io.NewSectionReader(z, 0, z.Size()))
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
}

// FuzzZisofs: whatever the file claims, reading ends, gives as much as it says, and takes no more
// memory than its blocks.
func FuzzZisofs(f *testing.F) {
	packed, _ := compressedFiles(f)
	for _, p := range packed {
		f.Add(p, int64(5))
	}
	f.Fuzz(func(t *testing.T, p []byte, offset int64) {
		z, err := OpenZisofs(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			return
		}
		b := make([]byte, 3000)
		n, err := z.ReadAt(b, offset)
		if n < len(b) && err == nil || offset >= 0 && offset < z.Size() && err == io.EOF && int64(n) != min(int64(len(b)), z.Size()-offset) {
			t.Errorf("%d bytes at %d of %d, %v", n, offset, z.Size(), err)
		}
		_, _ = io.Copy(io.Discard, io.NewSectionReader(z, 0, min(z.Size(), 1<<20)))
	})
}
