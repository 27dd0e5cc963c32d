package inspection

import (
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs"
)

// TestShares checks that what files have in common is divided fairly, and that nothing is lost.
func TestShares(t *testing.T) {
	alone := squashfs.Blocks{Data: []squashfs.Block{{Offset: 96, Size: 1000}, {}, {Offset: 1096, Size: 500}}}
	common := squashfs.Blocks{Data: []squashfs.Block{{Offset: 5000, Size: 100}}}
	tail := func(offset, size int) squashfs.Blocks {
		return squashfs.Blocks{Tail: size, FragmentOffset: offset, FragmentNumber: 3, Fragment: squashfs.Block{Offset: 9000, Size: 101}}
	}
	files := []squashfs.Blocks{alone, common, common, common, tail(0, 300), tail(300, 100), tail(0, 300), {}, {Data: make([]squashfs.Block, 4)}}
	want := []int64{1500, 33, 33, 34, 37, 26, 38, 0, 0} // of the fragment three quarters, 75, go to two equal files
	w := &weights{runs: map[runID]*shared{}, pieces: map[pieceID]*piece{}, fragments: map[int]*fragment{}}
	for _, f := range files {
		w.add(f)
	}
	sum := int64(0)
	for i, f := range files {
		got := w.share(f)
		sum += got
		if got != want[i] {
			t.Errorf("file %d has %d bytes, want %d", i, got, want[i])
		}
	}
	if sum != 1500+100+101 {
		t.Errorf("the shares are %d bytes", sum)
	}
}
