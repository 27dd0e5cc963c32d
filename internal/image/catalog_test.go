package image

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// built is the result of an image with a sum of its own.
func built(n byte) squashfs.Summary { return squashfs.Summary{Sum: [32]byte{n}} }

func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCatalog(t *testing.T) {
	cache, folder := t.TempDir(), t.TempDir()
	lz4 := NewStore(codec.Settings{Name: codec.LZ4}, DefaultEpoch)
	gzip := NewStore(codec.Settings{Name: codec.Gzip}, DefaultEpoch)
	a, b, c := touch(t, filepath.Join(folder, "a")), touch(t, filepath.Join(folder, "b")), touch(t, filepath.Join(folder, "c"))
	add := func(path string, p *Store, n byte) {
		t.Helper()
		if err := OpenCatalog(cache).Add(path, p, built(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got := OpenCatalog(cache); len(got.Paths(lz4)) != 0 || got.Has(built(1).Sum) {
		t.Errorf("a new catalog has %v", got)
	}
	add(a, lz4, 1)
	add(b, gzip, 2)
	add(c, lz4, 3)
	got := OpenCatalog(cache)
	if paths := got.Paths(lz4); !slices.Equal(paths, []string{c, a}) {
		t.Errorf("images packed with lz4: %q, want %q", paths, []string{c, a})
	}
	if !got.Has(built(2).Sum) || got.Has(built(4).Sum) {
		t.Error("the catalog does not know what it was told, or more")
	}

	add(a, gzip, 4) // in the place of the first
	if got := OpenCatalog(cache); got.Has(built(1).Sum) || !slices.Equal(got.Paths(lz4), []string{c}) {
		t.Errorf("an image that was replaced is still known: %+v", got)
	}
	if err := os.Remove(c); err != nil {
		t.Fatal(err)
	}
	add(b, lz4, 5)
	if got := OpenCatalog(cache); got.Has(built(3).Sum) {
		t.Error("an image that is gone is still known")
	}
}

func TestCatalogForgetsTheOldest(t *testing.T) {
	cache, folder := t.TempDir(), t.TempDir()
	p := NewStore(codec.Settings{Name: codec.LZ4}, DefaultEpoch)
	for i := range catalogMax + 2 {
		if err := OpenCatalog(cache).Add(touch(t, filepath.Join(folder, fmt.Sprint(i))), p, built(byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	paths := OpenCatalog(cache).Paths(p)
	if len(paths) != catalogMax || paths[len(paths)-1] != filepath.Join(folder, "2") {
		t.Errorf("%d images, the oldest is %s", len(paths), paths[len(paths)-1])
	}
}

func TestCatalogDamaged(t *testing.T) {
	cache := t.TempDir()
	p := NewStore(codec.Settings{Name: codec.LZ4}, DefaultEpoch)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", `[{"path": 1}]`, "null"} {
		if err := os.WriteFile(filepath.Join(cache, "images.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := OpenCatalog(cache)
		if len(c.Paths(p)) != 0 {
			t.Errorf("%q gives %q", text, c.Paths(p))
		}
		if err := c.Add(touch(t, filepath.Join(cache, "image")), p, built(1)); err != nil {
			t.Errorf("after %q: %v", text, err)
		}
	}
}
