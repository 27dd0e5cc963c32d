package squashfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSample(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	total, count := int64(0), 0
	for i := range 600 {
		size := 1 << random.IntN(16)
		path := filepath.Join(dir, fmt.Sprintf("p%d", i%7), "d", fmt.Sprint(i))
		if i%50 == 0 { // a store path can be a file
			path = filepath.Join(dir, fmt.Sprintf("file%d", i))
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte{byte(i)}, size), 0o644); err != nil {
			t.Fatal(err)
		}
		total, count = total+int64(size), count+1
	}
	scan := func() *Tree {
		tree, err := Scan(t.Context(), dirEntries(t, dir), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	for _, bytes := range []int64{0, total, total + 1} {
		tree := scan()
		tree.Sample(bytes)
		if tree.Bytes != total || tree.Files != count {
			t.Errorf("a sample of %d bytes has %d in %d files, want all %d in %d", bytes, tree.Bytes, tree.Files, total, count)
		}
	}
	for _, share := range []int64{2, 5, 20} {
		tree := scan()
		tree.Sample(total / share)
		if tree.Bytes < total/share/2 || tree.Bytes > total/share*3/2 {
			t.Errorf("a sample of a %dth has %d of %d bytes", share, tree.Bytes, total)
		}
		image := filepath.Join(t.TempDir(), "image")
		f, err := os.Create(image)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := tree.Write(t.Context(), f, Options{Codec: newCodec(t, "zstd:1", 0), ModTime: time.Unix(1, 0), MkfsTime: time.Unix(1, 0)}); err != nil {
			t.Fatal(err)
		}
		// What stayed is what it was.
		read := openImage(t, image)
		files := 0
		err = read.Walk(func(path string, ino Inode) error {
			if !ino.Mode.IsRegular() {
				return nil
			}
			files++
			want, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				return err
			}
			file, err := read.OpenFile(ino)
			if err != nil {
				return err
			}
			got := make([]byte, file.Size())
			if _, err := file.ReadAt(got, 0); err != nil && len(got) > 0 && !bytes.Equal(got, want) {
				return err
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s has other contents", path)
			}
			return nil
		})
		if err != nil || files != tree.Files || files == 0 {
			t.Errorf("%d files in the image, %d in the tree, %v", files, tree.Files, err)
		}
	}
}
