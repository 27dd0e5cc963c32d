package boot

import (
	"bytes"
	"slices"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
)

// TestStampArea has every entry that has an initrd load the area last, and the medium zeros in it.
func TestStampArea(t *testing.T) {
	l := newLab(t)
	s := l.installer()
	s.StampArea, s.MediaCheck = 64<<10, true
	specialise(t, s, "quiet")
	tree, err := NewTree(0, s)
	if err != nil {
		t.Fatal(err)
	}
	kernels := 0
	for _, e := range tree.Menus[0].entries() {
		if len(e.Initrds) == 0 { // the memory test
			continue
		}
		kernels++
		if want := "/" + medium.StampArea; e.Initrds[len(e.Initrds)-1] != want || slices.Index(e.Initrds, want) != 1 {
			t.Errorf("%q loads %q", e.Label, e.Initrds)
		}
	}
	if want := 2*(1+len(tree.Menus[0].Systems[0].Options)) + 1; kernels != want {
		t.Errorf("%d entries load the area, want %d", kernels, want)
	}
	files, err := tree.Complete(t.Context(), l.files(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == medium.StampArea })
	if i < 0 || !bytes.Equal(files[i].Data, make([]byte, s.StampArea)) {
		t.Error("the medium does not have the area")
	}
	// What can be changed later is not in the list of sums.
	if tree.Checked(medium.StampArea) {
		t.Error("the area is checked")
	}
}
