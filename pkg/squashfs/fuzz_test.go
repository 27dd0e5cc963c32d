package squashfs

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// FuzzOpen: whatever the bytes, reading ends without a panic, and what Check
// accepts can be read to the end. The seeds are images of other tools.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	write(f, dir, "text", []byte(strings.Repeat("some text that compresses ", 700)), 0o644)
	write(f, dir, "d/small", []byte("small"), 0o600)
	write(f, dir, "d/e/sparse", append(make([]byte, 20000), 'x'), 0o644)
	write(f, dir, "d/empty", nil, 0o644)
	link(f, dir, "d/link", "../text")
	many := f.TempDir()
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		for _, d := range "abcdefghijklmnopqrstuvwxyz" {
			write(f, many, string(c)+string(d)+strings.Repeat("-", 10), nil, 0o644)
		}
	}
	seeds := 0
	for _, args := range [][]string{
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "4K", "-noI", "-noD", "-noF"},
		{"mksquashfs", many, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "4K", "-noI"},
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "8K", "-comp", "gzip", "-no-fragments"},
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "4K", "-comp", "xz", "-Xbcj", "x86"},
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "128K", "-comp", "lz4", "-Xhc"},
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "64K", "-comp", "lzo", "-noI"},
		{"mksquashfs", dir, "IMAGE", "-quiet", "-no-progress", "-noappend", "-b", "1M", "-comp", "zstd", "-noI"},
		{"gensquashfs", "-q", "-f", "-D", dir, "-b", "4096", "-c", "gzip", "-e", "IMAGE"},
		{"gensquashfs", "-q", "-f", "-D", many, "-b", "4096", "-c", "lz4", "IMAGE"},
		{"gensquashfs", "-q", "-f", "-D", dir, "-b", "131072", "-c", "zstd", "-e", "IMAGE"},
	} {
		image := filepath.Join(f.TempDir(), "image")
		debianPackage := map[string]string{"mksquashfs": "squashfs-tools", "gensquashfs": "squashfs-tools-ng"}[args[0]]
		for i := range args {
			if args[i] == "IMAGE" {
				args[i] = image
			}
		}
		judge.Run(f, debianPackage, args[0], args[1:]...)
		data, err := os.ReadFile(image)
		if err != nil {
			f.Fatal(err)
		}
		if err := readEverything(data); err != nil {
			f.Fatalf("seed of %q: %v", args, err)
		}
		r := openBytes(f, data)
		f.Add(data[:r.Info().BytesUsed]) // no padding: nothing reads it
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<17 {
			return
		}
		r, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		accepted := r.Check(context.Background()) == nil
		budget := int64(8 << 20) // of contents: a small image can hold a lot
		err = r.Walk(func(path string, ino Inode) error {
			if !ino.Mode.IsRegular() || budget <= 0 {
				return nil
			}
			f, err := r.OpenFile(ino)
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, min(f.Size(), budget)))
			budget -= n
			return err
		})
		if accepted && err != nil {
			t.Errorf("Check accepts an image that cannot be read: %v", err)
		}
	})
}
