package squashfs

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Equal files of a kept entry's size are known before the others of their entry are
// read, which must not move the ends of windows: one file of a size, a new entry of more
// than a window in which a pair has that size.
func TestEarlierLeavesWindowsAlone(t *testing.T) {
	const size, others = 777, 5000
	dir := t.TempDir()
	random := rand.New(rand.NewChaCha8([32]byte{4}))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		return p
	}
	write(t, dir, "a-kept/file", noise(size), 0o444)
	pair := noise(size)
	write(t, dir, "b-new/0", pair, 0o444)
	write(t, dir, "b-new/1", pair, 0o444)
	for i := range others {
		write(t, dir, fmt.Sprintf("b-new/%d-other", i), noise(10+i), 0o444)
	}
	entries := dirEntries(t, dir)
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", 0)
	old, _ := shelf{dir: dir, entries: entries[:1]}.pack(t, opts, nil)
	earlier, err := openEarlier(t, old, opts)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := shelf{dir: dir, entries: entries}.pack(t, opts, nil)
	entries[0].Kept = true
	got, summary := shelf{dir: dir, entries: entries}.pack(t, opts, earlier)
	if summary.ReusedBytes == 0 {
		t.Error("nothing is reused")
	}
	if hashFile(t, got) != hashFile(t, want) {
		t.Error("other bytes than without the earlier image")
	}
}

// The windows of a large entry fill its blocks, one after the other: no block but the last has
// room left for a file.
func TestWindowsFillBlocks(t *testing.T) {
	const files, size, blockSize = 12288, 655, 128 << 10
	dir := t.TempDir()
	random := rand.New(rand.NewChaCha8([32]byte{5}))
	for i := range files {
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		write(t, dir, fmt.Sprintf("a/%d", i), p, 0o444)
	}
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", blockSize)
	_, summary := shelf{dir: dir, entries: dirEntries(t, dir)}.pack(t, opts, nil)
	if files <= layoutRules.windows.WindowFiles {
		t.Fatal("one window for all files")
	}
	each := blockSize / size // files in a block
	if want := (files + each - 1) / each; summary.Fragments != want {
		t.Errorf("%d fragment blocks, want %d", summary.Fragments, want)
	}
}
