package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// TestVerifyLyingRegistration packs a store again with a registration that says something else.
func TestVerifyLyingRegistration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lying.iso")
	image := miniISO(t)
	changed := changeRegistration(t, image.File, file)
	v := verifyOf(t, 4, file)
	for _, want := range changed {
		if !v.has("store path", want) {
			t.Errorf("no finding with %q: %+v", want, v.Findings)
		}
	}
	// The manifest has the hash that the registration lies about.
	if !v.has("manifest", changed[0]) {
		t.Errorf("the manifest does not contradict: %+v", v.Findings)
	}
	if len(v.Findings) != len(changed)+1 {
		t.Errorf("%d findings, want %d: %+v", len(v.Findings), len(changed)+1, v.Findings)
	}
}

// changeRegistration packs the store of an image again with a registration that lies: one hash is
// another's, one path is left out, one is registered that is not there. The squashfs is put in the
// place of the other, where it has room. It returns what the findings must have in them.
func changeRegistration(t *testing.T, from, to string) []string {
	data := readFile(t, from)
	section, err := medium.FindStore(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	_, offset, size := section.Outer()
	folder := t.TempDir()
	old := filepath.Join(folder, "old.squashfs")
	if err := os.WriteFile(old, data[offset:offset+size], 0o644); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(folder, "tree")
	judge(t, "squashfs-tools", "unsquashfs", "-quiet", "-no-progress", "-dest", tree, old)
	name := filepath.Join(tree, medium.Registration)
	closure, err := store.ReadRegistration(bytes.NewReader(readFile(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	lied, absent := closure.Paths[0], closure.Paths[1]
	closure.Paths[0].NarHash[0] ^= 1
	absent.Path = "/nix/store/00000000000000000000000000000000-absent"
	absent.References = nil
	extra := filepath.Join(tree, "11111111111111111111111111111111-extra")
	if err := os.WriteFile(extra, []byte("not registered"), 0o444); err != nil {
		t.Fatal(err)
	}
	closure.Paths = append(closure.Paths, absent)
	var text bytes.Buffer
	if err := closure.WriteRegistration(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text.Bytes(), 0o444); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(folder, "new.squashfs")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := codec.New(codec.Settings{Name: "xz"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := squashfs.NewTree(context.Background(), squashfs.FromDir(tree))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Write(context.Background(), f, squashfs.Options{Codec: c}); err != nil {
		t.Fatal(err)
	}
	again := readFile(t, packed)
	if int64(len(again)) > size {
		t.Fatalf("the store packed again has %d bytes, there is room for %d", len(again), size)
	}
	clear(data[offset : offset+size])
	copy(data[offset:], again)
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{lied.Path, absent.Path, filepath.Base(extra)}
}
