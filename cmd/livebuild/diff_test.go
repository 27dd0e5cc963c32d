package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// differing is what 'livebuild diff --json' prints, as far as tests look at it.
type differing struct {
	A, B struct {
		Size       *int64
		StorePaths *int   `json:"store_paths"`
		NarSize    *int64 `json:"nar_size"`
	}
	Equal     bool
	Identical *bool
	Summary   string
	Fields    []struct{ Name, Before, After string }
	Entries   []struct{ Title, Change string }
	Packages  []struct {
		Name           string
		Removed, Added []struct{ Path string }
		NarSize        *int64 `json:"nar_size"`
	}
	Unchanged int
	Unknown   []string
}

func diff(t *testing.T, args ...string) (d differing) {
	t.Helper()
	o := livebuild(t, append([]string{"diff", "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDiff holds what differs between two images, and between each and its configuration, against
// what Nix says of their systems.
func TestDiff(t *testing.T) {
	t.Parallel()
	mini, special := miniISO(t), iso(t, "mini-special")
	closure := func(r result) []string {
		return strings.Fields(judge(t, "nix-bin", "nix-store", "--query", "--requisites", r.Toplevel))
	}
	was, is := closure(mini), closure(special)
	for _, c := range []struct{ a, b string }{
		{mini.File, special.File},
		{mini.File, miniFlake(t) + "#mini-special"}, // which is in the store
	} {
		d := diff(t, c.a, c.b)
		var removed, added []string
		nar := int64(0)
		for _, p := range d.Packages {
			for _, x := range p.Removed {
				removed = append(removed, x.Path)
			}
			for _, x := range p.Added {
				added = append(added, x.Path)
			}
			nar += *p.NarSize
		}
		for _, check := range []struct{ got, all, without []string }{{removed, was, is}, {added, is, was}} {
			want := slices.DeleteFunc(slices.Clone(check.all), func(p string) bool { return slices.Contains(check.without, p) })
			slices.Sort(want)
			slices.Sort(check.got)
			if !slices.Equal(check.got, want) || len(want) == 0 {
				t.Errorf("%s and %s: %q, want %q", c.a, c.b, check.got, want)
			}
		}
		if d.Unchanged != len(was)-len(removed) || *d.A.StorePaths != len(was) || *d.B.StorePaths != len(is) || *d.B.NarSize-*d.A.NarSize != nar {
			t.Errorf("%s and %s: %+v, the packages have %d bytes more", c.a, c.b, d, nar)
		}
		if d.Equal || len(d.Entries) == 0 || d.Entries[0].Change != "added" || !strings.HasSuffix(d.Entries[0].Title, "verbose") {
			t.Errorf("%s and %s: the entries are %+v", c.a, c.b, d.Entries)
		}
		for _, f := range d.Fields {
			if f.Name != "system" && f.Name != "size" {
				t.Errorf("%s and %s: %+v", c.a, c.b, f)
			}
		}
	}
	// An image is what its configuration says, as far as that does.
	for _, d := range []differing{diff(t, mini.File, miniFlake(t)+"#mini"), diff(t, miniFlake(t)+"#mini-special", special.File)} {
		if !d.Equal || d.Identical != nil || len(d.Unknown) == 0 {
			t.Errorf("an image and its configuration: %+v", d)
		}
	}
	if d := diff(t, mini.File, mini.File); !d.Equal || d.Identical == nil || !*d.Identical {
		t.Errorf("an image and itself: %+v", d)
	}
	packed := iso(t, "mini-special", "--compression", "lz4")
	if d := diff(t, special.File, packed.File); d.Equal || len(d.Packages) > 0 || !strings.Contains(d.Summary, "compression zstd:3 → lz4") {
		t.Errorf("packed otherwise: %+v", d)
	}
}
