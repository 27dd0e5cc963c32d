//go:build cgo

package codec

import (
	"bytes"
	"os"
	"testing"
)

// TestZstdPresets holds every level against libzstd's of that number, in a block of machine code and
// tables: on average none may lose more than the 0.8 % that likeness gains, or else mksquashfs would make
// less at that level. One block may differ from the average a little.
func TestZstdPresets(t *testing.T) {
	const most = 0.01
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil || len(program) < 3*DefaultBlockSize {
		t.Fatalf("a program of %d bytes: %v", len(program), err)
	}
	src := program[DefaultBlockSize:][:DefaultBlockSize]
	dst := make([]byte, mustNew(t, Settings{Name: Zstd}, DefaultBlockSize).Bound())
	m := methodOf(Zstd)
	for level := m.minLevel; level <= m.maxLevel; level++ {
		z := newZstdCompressor(level)
		size, err := z.compress(dst, src)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := newUnzstd().decompress(make([]byte, len(src)), dst[:size]); err != nil || got != len(src) {
			t.Errorf("level %d decompresses to %d bytes: %v", level, got, err)
		}
		z.preset = false
		theirs, err := z.compress(dst, src)
		if err != nil {
			t.Fatal(err)
		}
		if float64(size) > float64(theirs)*(1+most) {
			t.Errorf("level %d makes %d bytes, libzstd %d", level, size, theirs)
		}
		t.Logf("level %2d: %.4f of libzstd's size", level, float64(size)/float64(theirs))
	}
}

// Presets are for blocks of data: what is smaller is the library's, and tables are not above a level.
func TestZstdPresetBounds(t *testing.T) {
	text := testData("text", DefaultBlockSize)
	encode := func(level, size int, preset bool) []byte {
		z := newZstdCompressor(level)
		z.preset = z.preset && preset
		dst := make([]byte, DefaultBlockSize)
		n, err := z.compress(dst, text[:size])
		if err != nil {
			t.Fatal(err)
		}
		return dst[:n]
	}
	for size, differs := range map[int]bool{metadataSize: false, zstdPresetMin: false, zstdPresetMin + 1: true, DefaultBlockSize: true} {
		if got := !bytes.Equal(encode(19, size, true), encode(19, size, false)); got != differs {
			t.Errorf("%d bytes with the preset differ: %v, want %v", size, got, differs)
		}
	}
	if !bytes.Equal(encode(22, metadataSize, true), encode(zstdTableLevel, metadataSize, true)) {
		t.Error("a table is packed at a level above that of tables")
	}
}
