package codec

import "testing"

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
