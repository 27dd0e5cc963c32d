package disk

import "testing"

// Files of one size that begin with the same block need not be equal in an image of
// another maker: holes can be elsewhere.
func TestLocationKeyTellsHolesApart(t *testing.T) {
	const block = 4096 | DataStored
	before := Location{Start: 96, Sizes: []uint32{block, 0}, Fragment: InvalidFragment}
	behind := Location{Start: 96, Sizes: []uint32{0, block}, Fragment: InvalidFragment}
	if before.Key() == behind.Key() {
		t.Error("a hole before the block and one behind it are taken for equal")
	}
}
