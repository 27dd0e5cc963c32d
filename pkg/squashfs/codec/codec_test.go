package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// testSettings are the compressions that most tests go through; xz only where this build has it.
func testSettings(t testing.TB) []Settings {
	t.Helper()
	var all []Settings
	for _, text := range []string{
		"none", "lz4", "lz4:4", "lz4:hc", "gzip:1", "gzip", "gzip:12", "zstd:1", "zstd:3", "zstd:7", "zstd", "zstd:19",
		"xz:1", "xz", "xz -Xdict-size 75%", "xz -Xbcj x86,arm64",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == XZ && !haveXZ {
			continue
		}
		all = append(all, s)
	}
	return all
}

func mustNew(t testing.TB, s Settings, blockSize int) *Codec {
	t.Helper()
	c, err := New(s, blockSize)
	if err != nil {
		t.Fatalf("New(%q, %d): %v", s, blockSize, err)
	}
	return c
}

// encodeBlock returns the compressed form of src, nil if it does not shrink.
func encodeBlock(t testing.TB, e *Encoder, src []byte) []byte {
	t.Helper()
	dst := make([]byte, e.codec.Bound())
	n, err := e.Encode(dst, src)
	if err != nil {
		t.Fatalf("%s: Encode of %d bytes: %v", e.codec.Identity(), len(src), err)
	}
	if n >= len(src) && n > 0 {
		t.Fatalf("%s: Encode of %d bytes gave %d, want fewer", e.codec.Identity(), len(src), n)
	}
	if n == 0 {
		return nil
	}
	return dst[:n]
}

// Kinds of data, by name. The same seed gives the same bytes.
func testData(kind string, n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	switch kind {
	case "zero":
	case "random":
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	case "text":
		words := strings.Fields("the quick brown fox jumps over a lazy dog while seven more foxes wait for the store path to be built 0123 4567")
		b = b[:0]
		for len(b) < n {
			b = append(b, words[r.IntN(len(words))]...)
			b = append(b, ' ')
			if r.IntN(8) == 0 {
				b = append(b, fmt.Sprintf("%x\n", r.Uint64())...)
			}
		}
		b = b[:n]
	case "mixed":
		for i := 0; i < n; i += 4096 {
			copy(b[i:], testData([]string{"random", "text", "zero"}[r.IntN(3)], min(4096, n-i)))
		}
	}
	return b
}

var dataKinds = []string{"zero", "random", "text", "mixed"}

// guard is what lies behind the destinations of decoders.
var guard = bytes.Repeat([]byte{0xA5}, 64)

// decodeGuarded decodes into a buffer of room bytes with a guard behind it, which must survive.
func decodeGuarded(t testing.TB, d *Decoder, room int, src []byte) ([]byte, error) {
	t.Helper()
	buf := append(make([]byte, room), guard...)
	n, err := d.Decode(buf[:room], src)
	if !bytes.Equal(buf[room:], guard) {
		t.Fatalf("%s: Decode wrote beyond its %d bytes", d.codec.Identity(), room)
	}
	if n < 0 || n > room {
		t.Fatalf("%s: Decode returned %d of %d bytes", d.codec.Identity(), n, room)
	}
	return buf[:n], err
}

func TestRoundTrip(t *testing.T) {
	const blockSize = 32 << 10
	for _, s := range testSettings(t) {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			c := mustNew(t, s, blockSize)
			e, d := c.NewEncoder(), c.NewDecoder()
			for _, kind := range dataKinds {
				for _, size := range []int{0, 1, 2, 100, metadataSize, blockSize - 1, blockSize} {
					src := testData(kind, size)
					block := encodeBlock(t, e, src)
					if block == nil {
						if shrinks := kind != "random" && size >= 1000; shrinks && !c.Stores() {
							t.Errorf("%d bytes of %s did not shrink", size, kind)
						}
						continue
					}
					if kind == "random" {
						t.Errorf("%d bytes of random data shrank to %d", size, len(block))
					}
					for _, room := range []int{size, blockSize} {
						got, err := decodeGuarded(t, d, room, block)
						if err != nil || !bytes.Equal(got, src) {
							t.Errorf("%d bytes of %s decoded into %d: %d bytes, %v", size, kind, room, len(got), err)
						}
					}
					if _, err := decodeGuarded(t, d, size-1, block); err == nil {
						t.Errorf("%d bytes of %s decoded into one byte less", size, kind)
					}
				}
			}
		})
	}
}

func TestBlockSizes(t *testing.T) {
	for _, s := range testSettings(t) {
		for size := MinBlockSize; size <= MaxBlockSize; size *= 16 {
			if s.DictPercent != 0 && size < 16<<10 {
				continue
			}
			c := mustNew(t, s, size)
			for _, n := range []int{min(size, 64<<10), metadataSize} {
				src := testData("text", n)
				block := encodeBlock(t, c.NewEncoder(), src)
				if block == nil {
					if !c.Stores() {
						t.Errorf("%s: text of %d bytes did not shrink", c.Identity(), n)
					}
					continue
				}
				got, err := decodeGuarded(t, c.NewDecoder(), n, block)
				if err != nil || !bytes.Equal(got, src) {
					t.Errorf("%s: text of %d bytes decoded to %d, %v", c.Identity(), n, len(got), err)
				}
			}
		}
	}
}

// A reused encoder and encoders used in parallel make the bytes of a fresh one.
func TestSameBytes(t *testing.T) {
	const blockSize = 64 << 10
	var blocks [][]byte
	for _, kind := range dataKinds {
		for _, size := range []int{blockSize, metadataSize - 77} {
			blocks = append(blocks, testData(kind, size))
		}
	}
	settings := testSettings(t)
	for _, level := range []int{5, 6, 8, 9, 10, 12} { // libzstd's row match finder keeps a table from block to block
		settings = append(settings, Settings{Name: Zstd, Level: level})
	}
	for _, s := range settings {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			c := mustNew(t, s, blockSize)
			var want [][]byte
			for _, src := range blocks {
				want = append(want, encodeBlock(t, c.NewEncoder(), src))
			}
			var workers sync.WaitGroup
			for w := range 3 {
				workers.Go(func() {
					e := c.NewEncoder()
					dst := make([]byte, c.Bound())
					for i := range len(blocks) {
						i = (i*(w+1) + w) % len(blocks) // another order for each worker
						n, err := e.Encode(dst, blocks[i])
						if err != nil || !bytes.Equal(dst[:n], want[i]) {
							t.Errorf("worker %d, block %d: %d bytes, %v; want the %d bytes of a fresh encoder", w, i, n, err, len(want[i]))
						}
					}
				})
			}
			workers.Wait()
		})
	}
}

func TestDamagedBlocks(t *testing.T) {
	const blockSize = 16 << 10
	src := testData("text", blockSize)
	for _, s := range testSettings(t) {
		c := mustNew(t, s, blockSize)
		block := encodeBlock(t, c.NewEncoder(), src)
		if block == nil {
			continue
		}
		d := c.NewDecoder()
		for n := 0; n < len(block); n += 1 + n/50 {
			if got, err := decodeGuarded(t, d, blockSize, block[:n:n]); err == nil && len(got) == len(src) {
				t.Errorf("%s: the first %d of %d bytes decoded to %d without error", s, n, len(block), len(got))
			}
		}
		for i := 0; i < len(block); i += 1 + i/50 {
			for _, flip := range []byte{0x01, 0x80, 0xFF} {
				bad := bytes.Clone(block)
				bad[i] ^= flip
				got, err := decodeGuarded(t, d, blockSize, bad)
				// lz4 and zstd without checksum cannot see every change; gzip and xz can, except that
				// the zlib header says which level was used.
				checked := s.Name == XZ || s.Name == Gzip
				if err == nil && checked && !bytes.Equal(got, src) {
					t.Errorf("%s: byte %d flipped by %#x decoded to other data without error", s, i, flip)
				}
			}
		}
		if s.Name != LZ4 { // a block of lz4 ends where its bytes end
			if _, err := decodeGuarded(t, d, blockSize, append(bytes.Clone(block), "tail"...)); err == nil {
				t.Errorf("%s: no error for trailing bytes", s)
			}
		}
		if got, err := decodeGuarded(t, d, blockSize, block); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%s: the decoder did not recover from damaged blocks: %v", s, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	c := mustNew(t, Settings{Name: Zstd}, 64<<10)
	e := c.NewEncoder()
	if _, err := e.Encode(make([]byte, c.Bound()), make([]byte, 64<<10+1)); err == nil {
		t.Error("Encode accepted more than a block")
	}
	if _, err := e.Encode(make([]byte, c.Bound()-1), make([]byte, 1)); err == nil {
		t.Error("Encode accepted a destination shorter than Bound")
	}
}

func TestIdentity(t *testing.T) {
	seen := map[string]Settings{}
	for _, s := range testSettings(t) {
		id := mustNew(t, s, DefaultBlockSize).Identity()
		if other, ok := seen[id]; ok {
			t.Errorf("Identity of %q and %q is %q", s, other, id)
		}
		seen[id] = s
		if s.Name != None && !strings.ContainsAny(id, "0123456789.") {
			t.Errorf("Identity of %q is %q, want a version in it", s, id)
		}
	}
	for _, same := range [][2]Settings{
		{{Name: Zstd}, {Name: Zstd, Level: 15, BlockSize: DefaultBlockSize}},
		{{Name: LZ4}, {Name: LZ4, Level: 1}},
		{{Name: Gzip}, {Name: Gzip, Level: 9}},
		{{Name: XZ}, {Name: XZ, DictPercent: 100}},
		{{Name: XZ, DictPercent: 50}, {Name: XZ, DictSize: DefaultBlockSize / 2}},
	} {
		if same[0].Name == XZ && !haveXZ {
			continue
		}
		a, b := mustNew(t, same[0], DefaultBlockSize), mustNew(t, same[1], DefaultBlockSize)
		if a.Identity() != b.Identity() {
			t.Errorf("Identity of %q is %q, of %q %q, want the same", same[0], a.Identity(), same[1], b.Identity())
		}
	}
}

func TestUnsupported(t *testing.T) {
	var unsupported *UnsupportedError
	for _, id := range []uint16{0, idLZMA, 7} {
		if _, err := Open(id, nil, DefaultBlockSize); !errors.As(err, &unsupported) {
			t.Errorf("Open(%d) = %v, want an UnsupportedError", id, err)
		}
	}
	if _, err := New(Settings{Name: LZO}, DefaultBlockSize); !errors.As(err, &unsupported) {
		t.Errorf("New(lzo) = %v, want an UnsupportedError", err)
	}
	read, err := Open(idLZO, nil, DefaultBlockSize)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.NewEncoder().Encode(make([]byte, read.Bound()), make([]byte, 100)); !errors.As(err, &unsupported) {
		t.Errorf("Encode with lzo = %v, want an UnsupportedError", err)
	}
	if !haveXZ {
		if _, err := New(Settings{Name: XZ}, DefaultBlockSize); !errors.As(err, &unsupported) {
			t.Errorf("New(xz) = %v, want an UnsupportedError", err)
		}
	}
}

func TestReach(t *testing.T) {
	for _, c := range []struct {
		text      string
		blockSize int
		want      int
	}{
		{"gzip", 1 << 20, 32 << 10},
		{"gzip", 16 << 10, 16 << 10},
		{"lz4", 1 << 20, 64 << 10},
		{"zstd:3", 1 << 20, 1 << 20},
		{"xz", 256 << 10, 256 << 10},
		{"xz -Xdict-size 64K", 256 << 10, 64 << 10},
		{"none", 1 << 20, 1 << 20},
	} {
		settings, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if settings.Name == XZ && !haveXZ {
			continue
		}
		codec, err := New(settings, c.blockSize)
		if err != nil {
			t.Fatal(err)
		}
		if got := codec.Reach(); got != c.want {
			t.Errorf("%s in blocks of %d bytes: reach %d, want %d", c.text, c.blockSize, got, c.want)
		}
	}
}

func TestBlockSizeByDefault(t *testing.T) {
	for _, test := range []struct {
		settings  Settings
		blockSize int
		want      int
	}{
		{Settings{Name: LZ4}, 0, DefaultBlockSize},
		{Settings{Name: LZ4, BlockSize: 64 << 10}, 0, 64 << 10},
		{Settings{Name: LZ4}, 4 << 10, 4 << 10},
		{Settings{Name: LZ4, BlockSize: 64 << 10}, 64 << 10, 64 << 10},
	} {
		c, err := New(test.settings, test.blockSize)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Settings().BlockSize; got != test.want {
			t.Errorf("New(%q, %d) has blocks of %d bytes, want %d", test.settings, test.blockSize, got, test.want)
		}
	}
}
