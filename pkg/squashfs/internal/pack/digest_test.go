package pack

import (
	"encoding/binary"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Files of one size that begin with the same block need not be equal in an image of another
// maker: holes can be elsewhere.
func TestLocationsTellHolesApart(t *testing.T) {
	const block = 4096 | disk.DataStored
	before := disk.Location{Start: 96, Sizes: []uint32{block, 0}, Fragment: disk.InvalidFragment}
	behind := disk.Location{Start: 96, Sizes: []uint32{0, block}, Fragment: disk.InvalidFragment}
	d := newDigester(newKeys())
	if d.location(8192, &before) == d.location(8192, &behind) {
		t.Error("a hole before the block and one behind it are taken for equal")
	}
	again := disk.Location{Start: 96, Sizes: []uint32{block, 0}, Fragment: disk.InvalidFragment}
	if d.location(8192, &before) != d.location(8192, &again) || d.location(8192, &before) == d.location(8191, &before) {
		t.Error("a location is not what its size and place are")
	}
}

// Contents cannot be chosen so that they pass for the location of another file: the two have
// different keys. Of two images, no digests are the same.
func TestDigests(t *testing.T) {
	k := newKeys()
	d := newDigester(k)
	l := disk.Location{Start: 96, Fragment: 7, Offset: 9}
	var same []byte // what location hashes
	same = binary.LittleEndian.AppendUint64(same, 5)
	same = binary.LittleEndian.AppendUint64(same, l.Start)
	same = binary.LittleEndian.AppendUint32(same, l.Fragment)
	same = binary.LittleEndian.AppendUint32(same, l.Offset)
	if d.contents(same) == d.location(5, &l) {
		t.Error("contents pass for a location")
	}
	if newDigester(k).contents(same) != d.contents(same) || newDigester(newKeys()).contents(same) == d.contents(same) {
		t.Error("digests do not depend on the keys of the image alone")
	}
}

// A table that is full to its last place still tells files apart, also where digests collide.
func TestFirsts(t *testing.T) {
	const files = 1000
	first := newFirsts(files)
	at := func(n int) digest { return digest{^uint64(0) - uint64(n%3), uint64(n)} } // all at the end: places go on at the beginning
	for n := 1; n <= files; n++ {
		if got := first.of(at(n), uint32(n)); got != uint32(n) {
			t.Fatalf("file %d is taken for %d", n, got)
		}
	}
	for n := 1; n <= files; n++ {
		if got := first.of(at(n), files+1); got != uint32(n) {
			t.Fatalf("what is equal to file %d is taken for %d", n, got)
		}
	}
}

// Each kind of place comes back as it was put down, and of files that are stored with others too.
func TestPlaces(t *testing.T) {
	p := newPlaces(6)
	p.share(1, 1)
	p.share(2, 2)
	p.share(3, 3)
	p.share(4, 2)
	large := disk.Location{Start: 1 << 40, Sizes: []uint32{5}, Fragment: disk.InvalidFragment}
	last := disk.Location{Fragment: disk.InvalidFragment - inFragment - 1, Offset: 8}
	p.put(1, disk.Location{Fragment: 0, Offset: 4})
	p.put(2, large)
	p.put(3, last)
	for number, want := range map[uint32]uint64{1: 0, 2: large.Start, 3: 0, 4: large.Start, 5: 0} {
		if got := p.location(number); got.Start != want {
			t.Errorf("file %d is at %+v", number, got)
		}
	}
	if l := p.location(1); l.Fragment != 0 || l.Offset != 4 {
		t.Errorf("file 1 is at %+v", l)
	}
	if l := p.location(3); l.Fragment != last.Fragment || l.Offset != 8 {
		t.Errorf("file 3 is at %+v", l)
	}
	if l := p.location(5); l.Fragment != disk.InvalidFragment {
		t.Errorf("a file without contents is at %+v", l)
	}
	if !p.owns(1) || !p.owns(2) || p.owns(4) || p.owns(5) || !p.decided(4) || p.decided(5) {
		t.Error("files own what others have, or do not own theirs")
	}
}
