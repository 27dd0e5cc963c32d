//go:build cgo

package codec

import "testing"

// haveXZ says whether this build has xz.
const haveXZ = true

// The C libraries work in memory that the encoder keeps. (zstd in Go allocates a little per block.)
func TestEncodeAllocatesNothing(t *testing.T) {
	const blockSize = 16 << 10
	src := testData("text", blockSize)
	for _, s := range testSettings(t) {
		c := mustNew(t, s, blockSize)
		e, dst := c.NewEncoder(), make([]byte, c.Bound())
		if n := testing.AllocsPerRun(10, func() {
			if _, err := e.Encode(dst, src); err != nil {
				t.Error(err)
			}
		}); n > 0 {
			t.Errorf("%s: Encode allocates %v times a block", c.Identity(), n)
		}
	}
}
