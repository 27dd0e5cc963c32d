// Package testimage makes small images with an index for tests, and tests alone, without Nix: what
// is in their store are files that a test thinks up.
package testimage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Options say what is in an image.
type Options struct {
	Packages int            // entries of the store, each with files of about a MiB
	Versions map[int]byte   // of packages that are not version 0
	Boot     map[string]int // files beside the store: their seeds, by path
	NoIndex  bool           // as older versions made it
	Late     bool           // with a file that follows from the store
}

// New makes an image.
func New(t testing.TB, opts Options) []byte {
	t.Helper()
	files := fstest.MapFS{}
	for i := range opts.Packages {
		seed := [32]byte{byte(i), opts.Versions[i]}
		for j, size := range []int{600_000, 300_000, 20_000} {
			seed[2] = byte(j)
			data := random(seed, size)
			files[fmt.Sprintf("package-%03d/file-%d", i, j)] = &fstest.MapFile{Data: data, Mode: 0o444}
		}
	}
	tree, err := squashfs.NewTree(t.Context(), squashfs.FromFS(fs.FS(files)))
	if err != nil {
		t.Fatal(err)
	}
	image := hybridiso.Image{VolumeID: "TEST", DataPreparer: medium.Preparer, Boot: hybridiso.Boot{Hybrid: true}}
	image.Files = append(image.Files, hybridiso.File{Path: medium.StoreImage, Stream: true, MaxSize: tree.MaxSize() + 1<<20})
	for path, seed := range opts.Boot {
		image.Files = append(image.Files, hybridiso.File{Path: path, Data: random([32]byte{9, byte(seed)}, 150_000)})
	}
	if opts.Late {
		image.Files = append(image.Files, hybridiso.File{Path: "late", Size: 10, Late: func(context.Context, io.Reader) ([]byte, error) { return []byte("0123456789"), nil }})
	}
	layout, err := image.Layout()
	if err != nil {
		t.Fatal(err)
	}
	file := &memory{}
	extents, _ := layout.Extents(0)
	recorder := index.NewRecorder(file, extents, layout.StreamOffset())
	if _, err := layout.Write(t.Context(), recorder, func(ctx context.Context, w io.WriterAt) (int64, error) {
		packed, err := tree.Write(ctx, w, squashfs.Options{Workers: 1})
		if err != nil || opts.NoIndex {
			return packed.Size, err
		}
		end := packed.Size + index.Size(layout.Extents(packed.Size))
		whole := index.Whole{Size: layout.Size(end), Store: packed.Sum}
		whole.Extents, whole.Loose = layout.Extents(end)
		table, err := recorder.Table(whole, func(w io.WriterAt) error { return layout.WriteEnds(ctx, w, end) })
		if err != nil {
			return 0, err
		}
		_, err = w.WriteAt(table, packed.Size)
		return end, err
	}); err != nil {
		t.Fatal(err)
	}
	return file.bytes
}

func random(seed [32]byte, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

// memory is a file.
type memory struct{ bytes []byte }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > len(m.bytes) {
		m.bytes = append(m.bytes, make([]byte, end-len(m.bytes))...)
	}
	return copy(m.bytes[offset:], p), nil
}

func (m *memory) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(m.bytes).ReadAt(p, offset)
}
