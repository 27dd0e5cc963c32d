package codec

import (
	"bytes"
	"testing"
)

func FuzzDecodeGzip(f *testing.F) { fuzzDecode(f, Settings{Name: Gzip}) }
func FuzzDecodeLZ4(f *testing.F)  { fuzzDecode(f, Settings{Name: LZ4}) }
func FuzzDecodeZstd(f *testing.F) { fuzzDecode(f, Settings{Name: Zstd}) }

func FuzzDecodeXZ(f *testing.F) {
	if !haveXZ {
		f.Skip("this build has no xz")
	}
	fuzzDecode(f, Settings{Name: XZ, BCJ: X86})
}

// fuzzDecode checks that a decoder neither panics nor leaves its buffer, and that it still decodes a
// good block after any other.
func fuzzDecode(f *testing.F, s Settings) {
	const blockSize = 8 << 10
	c := mustNew(f, s, blockSize)
	e, d := c.NewEncoder(), c.NewDecoder()
	good := encodeBlock(f, e, testData("text", blockSize))
	for _, kind := range dataKinds {
		for _, size := range []int{100, 1000, blockSize} {
			block := encodeBlock(f, e, testData(kind, size))
			if block == nil {
				continue
			}
			f.Add(block, uint16(size))
			f.Add(block, uint16(size-1))
			f.Add(block[:len(block)/2], uint16(size))
		}
	}
	f.Add([]byte{}, uint16(blockSize))
	f.Fuzz(func(t *testing.T, block []byte, room uint16) {
		// Any outcome will do that keeps to the buffer, which decodeGuarded checks.
		_, _ = decodeGuarded(t, d, int(room), block)
		if got, err := decodeGuarded(t, d, blockSize, good); err != nil || len(got) != blockSize {
			t.Fatalf("a good block decodes to %d bytes, %v, after %x", len(got), err, block)
		}
	})
}

// FuzzDecodeLZO is the like for a format that nothing here writes. What images
// hold is read by the tests of package squashfs.
func FuzzDecodeLZO(f *testing.F) {
	c, err := Open(idLZO, nil, DefaultBlockSize)
	if err != nil {
		f.Fatal(err)
	}
	d := c.NewDecoder()
	text := []byte("literals only, and the end of the stream")
	good := append([]byte{byte(17 + len(text))}, text...)
	good = append(good, 0x11, 0, 0)
	f.Add(good, uint16(len(text)))
	f.Add(good[:20], uint16(len(text)))
	f.Add(append(bytes.Clone(good[:40]), 0x20, 0xff, 0x0c, 0, 0x11, 0, 0), uint16(1000)) // a match of many bytes
	f.Fuzz(func(t *testing.T, block []byte, room uint16) {
		_, _ = decodeGuarded(t, d, int(room), block)
		if got, err := decodeGuarded(t, d, len(text), good); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("a good block decodes to %q, %v, after %x", got, err, block)
		}
	})
}
