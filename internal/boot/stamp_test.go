package boot

import (
	"bytes"
	"slices"
	"strings"
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

// TestStampParams has every entry that starts a system take words that are stamped later, and says how many
// there is room for.
func TestStampParams(t *testing.T) {
	l := newLab(t)
	long := strings.Repeat("x", 1700)
	for _, test := range []struct {
		params []string
		room   func(Entry) int
	}{
		{nil, func(Entry) int { return medium.MaxParams }},
		// What isolinux makes of an entry (TestCommandLine) is the longer line of the two.
		{[]string{long}, func(e Entry) int {
			return maxIsolinuxLine - len(".linux "+e.Kernel+" "+e.CommandLine()+" initrd="+e.isolinuxInitrds()) - 1
		}},
	} {
		s := l.installer()
		s.StampArea, s.StampParams, s.MediaCheck = 64<<10, true, true
		s.Configurations[0].KernelParams = append(s.Configurations[0].KernelParams, test.params...)
		tree, texts := l.tree(0, s)
		kernels, longest := 0, Entry{}
		for _, e := range tree.Menus[0].entries() {
			if len(e.Initrds) > 0 { // not the memory test
				kernels++
				if len(e.CommandLine()) > len(longest.CommandLine()) {
					longest = e
				}
			}
		}
		gap := "\n" + strings.Repeat("#", medium.ParamsGap-1) + medium.ParamsMark + "INITRD "
		if n := strings.Count(texts[isolinuxConfig], gap); n != kernels {
			t.Errorf("isolinux has %d gaps, want %d", n, kernels)
		}
		grub := texts[grubConfig]
		checkScript(t, grub)
		if !strings.Contains(grub, "load_env --file ($root)/boot/livebuild/params livebuild_params\nexport livebuild_params\n") {
			t.Errorf("GRUB does not read them:\n%s", grub)
		}
		// Isolinux alone has an entry that gives the word of the check.
		if n := strings.Count(grub, " ${livebuild_params}\n"); n != kernels {
			t.Errorf("GRUB has %d entries that take them, want %d", n, kernels)
		}
		i := slices.IndexFunc(tree.Grafts, func(g Graft) bool { return g.Target == medium.StampParams })
		if i < 0 {
			t.Fatal("the medium has no block for them")
		}
		if want := medium.EnvironmentOf("", test.room(longest)); !bytes.Equal(tree.Grafts[i].Data, want) {
			t.Errorf("the block is %q, want %q", tree.Grafts[i].Data, want)
		}
	}
}
