package difference

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/inspection"
)

// side has store paths of "name size" each; the hash is of what follows a slash in it.
func side(known Knowledge, paths ...string) *Side {
	s := &Side{Name: "side", Image: &inspection.Image{}, Known: known}
	for _, text := range paths {
		var name, build string
		var size int64
		if _, err := fmt.Sscanf(text, "%s %d %s", &name, &size, &build); err != nil {
			panic(text)
		}
		s.Paths = append(s.Paths, Path{Path: "/nix/store/" + strings.Repeat(build, 32) + "-" + name, Size: size, NarSize: 2 * size})
	}
	return s
}

func told(d *Difference) (list []string) {
	for _, p := range d.Packages {
		line := fmt.Sprintf("%s %s %s>%s", p.Name, p.Change, strings.Join(p.Before, ","), strings.Join(p.After, ","))
		if p.Size != nil {
			line += fmt.Sprintf(" %+d", *p.Size)
		}
		list = append(list, line)
	}
	return list
}

func TestPackages(t *testing.T) {
	before := side(Exact, "glibc-2.39-52 100 a", "glibc-2.39-52-bin 10 a", "hello-2.12 5 a", "gone-1.0 7 a", "etc 3 a", "same-1 1 a",
		"perl-5.36 50 a", "perl-5.38 60 a", "old-1.10 9 a", "foo-1-dev 4 a")
	after := side(Exact, "glibc-2.40-1 120 b", "glibc-2.40-1-bin 11 b", "hello-2.12 6 b", "new-1.0 8 a", "etc 4 b", "same-1 2 a",
		"perl-5.38 60 a", "old-1.9 9 b", "foo-1-dev 4 a", "foo-1 6 a")
	d := Compare(before, after)
	want := []string{
		"glibc updated 2.39-52>2.40-1 +21", "old downgraded 1.10>1.9 +0", "perl changed 5.36,5.38>5.38 -50", "new added >1.0 +8", "gone removed 1.0> -7",
		"etc rebuilt > +1", "foo rebuilt 1>1 +6", "hello rebuilt 2.12>2.12 +1",
	}
	if got := told(d); !slices.Equal(got, want) {
		t.Errorf("the packages are\n%q, want\n%q", got, want)
	}
	if d.Unchanged != 3 { // same, perl-5.38, foo-1-dev
		t.Errorf("%d store paths are unchanged", d.Unchanged)
	}
	if d := Compare(before, before); !d.Equal() || d.Unchanged != len(before.Paths) {
		t.Errorf("what is equal differs: %+v", d)
	}
	if d := Compare(before, side(Exact)); len(d.Packages) != 8 || d.Equal() {
		t.Errorf("of an empty store: %q", told(d))
	}
}

// TestPossible checks that of a side of which only is known what it can hold nothing is told that
// need not be true.
func TestPossible(t *testing.T) {
	image := side(Exact, "glibc-2.39 100 a", "hello-2.12 5 a", "gone-1.0 7 a", "tool-1 1 a")
	// gcc is what it is built with, tool-1 is there in two builds, of which one is the same.
	built := side(Possible, "glibc-2.40 0 b", "hello-2.12 0 a", "gcc-13 0 a", "tool-1 0 a", "tool-1 0 b")
	built.Evaluated = true
	d := Compare(image, built)
	if got, want := told(d), []string{"glibc updated 2.39>2.40", "gone removed 1.0>"}; !slices.Equal(got, want) {
		t.Errorf("the packages are %q, want %q", got, want)
	}
	if got, want := told(Compare(built, image)), []string{"glibc downgraded 2.40>2.39", "gone added >1.0"}; !slices.Equal(got, want) {
		t.Errorf("the other way they are %q, want %q", got, want)
	}
	if !slices.ContainsFunc(d.Unknown, func(u string) bool { return strings.HasPrefix(u, "which store paths side has") }) {
		t.Errorf("it is not said what is not known: %q", d.Unknown)
	}
}

// image has a menu of a loader, of lines "title: kernel and parameters"; a title may have submenus.
func image(timeout int, lines ...string) *inspection.Image {
	m := inspection.Menu{Loader: "GRUB", Timeout: &timeout}
	for _, line := range lines {
		title, command, _ := strings.Cut(line, ": ")
		entries := &m.Entries
		way := strings.Split(title, Below)
		for _, above := range way[:len(way)-1] {
			n := slices.IndexFunc(*entries, func(e inspection.Entry) bool { return e.Title == above })
			if n < 0 {
				n = len(*entries)
				*entries = append(*entries, inspection.Entry{Title: above})
			}
			entries = &(*entries)[n].Entries
		}
		*entries = append(*entries, inspection.Entry{Title: way[len(way)-1], Line: command})
	}
	return &inspection.Image{Menus: []inspection.Menu{m}}
}

func TestMenus(t *testing.T) {
	compare := func(a, b *inspection.Image) *Difference { return Compare(&Side{Image: a}, &Side{Image: b}) }
	before := image(10, "NixOS 24.05: /k init=/nix/store/x/init quiet loglevel=4", "Options > NixOS 24.05: /k init=/nix/store/x/init quiet loglevel=4 nomodeset", "Memtest: /memtest")
	// Another release in the titles and another system are no other entries.
	after := image(5, "NixOS 24.11: /k init=/nix/store/y/init quiet loglevel=7 a a", "Options > NixOS 24.11: /k init=/nix/store/y/init quiet loglevel=7 nomodeset a a", "Memtest: /memtest")
	d := compare(before, after)
	if len(d.Entries) != 0 || len(d.Parameters) != 1 {
		t.Fatalf("the entries are %+v, the parameters %+v", d.Entries, d.Parameters)
	}
	p := d.Parameters[0]
	if !slices.Equal(p.Added, []string{"loglevel=7", "a", "a"}) || !slices.Equal(p.Removed, []string{"loglevel=4"}) || p.Entries != 2 || p.Of != 3 || p.First != "NixOS 24.05" {
		t.Errorf("the parameters are %+v", p)
	}
	if was, is, ok := d.Field("menu waits"); !ok || was != "GRUB 10 s" || is != "GRUB 5 s" {
		t.Errorf("the menus wait %q and %q", was, is)
	}
	d = compare(before, image(10, "NixOS 24.05: /k init=/nix/store/x/init quiet loglevel=4", "Other: /k2 quiet", "Memtest: /memtest x", "Memtest: /memtest"))
	var got []string
	for _, e := range d.Entries {
		got = append(got, string(e.Change)+" "+e.Title)
	}
	if want := []string{"removed Options > NixOS 24.05", "added Other", "added Memtest"}; !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
	if was, is, ok := d.Field("kernel"); !ok || was != "/k, /memtest" || is != "/k, /k2, /memtest" {
		t.Errorf("the kernels are %q and %q", was, is)
	}
}

// TestBoot checks that kernels are told apart by their contents where these are known of both, else by
// their names.
func TestBoot(t *testing.T) {
	boot := func(sum, version string) *Side {
		return &Side{Image: image(1, "x: /boot/bzImage quiet"), Boot: map[string]inspection.BootFile{"/boot/bzImage": {Size: 9, Version: version, SHA256: sum + strings.Repeat("0", 63)}}}
	}
	for _, c := range []struct {
		a, b    *Side
		was, is string
	}{
		{boot("1", "6.1"), boot("1", "6.1"), "", ""},
		{boot("1", "6.1"), boot("2", "6.2"), "6.1", "6.2"},
		{boot("1", "6.1"), boot("2", "6.1"), "6.1 (sha256 10000000)", "6.1 (sha256 20000000)"},
		{boot("1", "6.1"), &Side{Evaluated: true, Image: image(1, "x: /boot/bzImage quiet")}, "", ""},
		{boot("1", "6.1"), &Side{Evaluated: true, Image: image(1, "x: /boot/0123456789abcdfghijklmnpqrsvwxyz-linux-6.2/bzImage quiet")}, "6.1", "6.2"},
	} {
		if was, is, _ := Compare(c.a, c.b).Field("kernel"); was != c.was || is != c.is {
			t.Errorf("the kernels are %q and %q, want %q and %q", was, is, c.was, c.is)
		}
	}
}
