package boot

import (
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
)

// TestCheck has menus with an entry that checks the medium: GRUB does so itself, isolinux has
// stage 1 do it.
func TestCheck(t *testing.T) {
	l := newLab(t)
	s := l.installer()
	before, err := NewTree(0, s)
	if err != nil {
		t.Fatal(err)
	}
	s.MediaCheck = true
	tree, err := NewTree(0, s)
	if err != nil {
		t.Fatal(err)
	}
	_, items := parseIsolinux(t, string(tree.Menus[0].Isolinux()))
	entry, first := items[len(tree.Menus[0].Systems[0].Entries)], items[0]
	if entry.title != checkTitle || entry.append != first.append+" livebuild.check" || entry.kernel != first.kernel || entry.initrd != first.initrd {
		t.Errorf("isolinux.cfg has %+v beside %+v", entry, first)
	}
	config := string(tree.Menus[0].Grub(nil, nil))
	checkScript(t, config)
	menu := loader.ParseGRUB(config)
	at := slices.IndexFunc(menu.Items, func(i loader.Item) bool { return i.Title == checkTitle })
	if at < 1 || menu.Default[0] == at {
		t.Fatalf("the entry of grub.cfg is %d, the default %v", at, menu.Default)
	}
	if got, want := menu.Items[at], menu.DefaultItem(); got.CommandLine != want.CommandLine || !slices.Equal(got.Initrds, want.Initrds) || strings.Contains(config, checkWord) {
		t.Errorf("grub.cfg starts %+v after the check, else %+v", got, want)
	}
	// The check that has to fail comes first.
	wrong, right := strings.Index(config, "--check /"+wrongSums), strings.Index(config, "--check /"+medium.Sums+";")
	if wrong < 0 || right < wrong {
		t.Errorf("grub.cfg checks at %d and %d", wrong, right)
	}
	more := slices.DeleteFunc(targets(tree), func(name string) bool { return slices.Contains(targets(before), name) })
	if want := []string{medium.Sums, wrongSums}; !slices.Equal(more, want) {
		t.Errorf("the medium has %q more, want %q", more, want)
	}
	if sums, err := medium.ParseSums(wrongSumsList()); err != nil || len(sums) != 1 || sums[0].Path != wrongSums {
		t.Errorf("the wrong list is %v, %v", sums, err)
	}
}

// TestChecked tells what is in the list.
func TestChecked(t *testing.T) {
	l, s, folder := boards(t)
	s.MediaCheck = true
	s.Configurations[0].DeviceTrees = folder
	tree, err := NewTree(0, s)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.Complete(t.Context(), l.files(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var checked []string
	for _, f := range files {
		if f.Late != (f.Path == medium.Sums) {
			t.Errorf("%s is late: %t", f.Path, f.Late)
		}
		if tree.Checked(f.Path) {
			checked = append(checked, f.Path)
		}
	}
	root := s.Root()
	for _, want := range []string{"boot" + root.Kernel, "boot" + root.Initrd, "boot" + folder + "/it's mine.dtb"} {
		if !slices.Contains(checked, want) {
			t.Errorf("%s is not checked, only %q", want, checked)
		}
	}
	if len(checked) != 7 { // with the five device trees
		t.Errorf("%q are checked", checked)
	}
}
