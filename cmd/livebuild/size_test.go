package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compressible is a system of which compressions make images of different sizes, whose steps are
// those of partitions, 1 MiB.
const compressible = `{
  a = nixosSystem {
    packages = p: [ (p.build "numbers" { } "mkdir $out; seq 1 3000000 > $out/text") ];
    settings.isoImage.squashfsCompression = "lz4";
  };
}`

// TestMaxSize holds images to a size, to the byte. The store is small enough to be tried as a
// whole, so sizes are known before anything is packed.
func TestMaxSize(t *testing.T) {
	t.Parallel()
	flake := t.TempDir()
	writeFlake(t, flake, compressible)
	build := func(args ...string) (result, outcome) {
		t.Helper()
		folder := t.TempDir()
		o := call{dir: folder}.livebuild(t, append([]string{"iso", flake + "#a", "--json"}, args...)...)
		var r result
		left, err := os.ReadDir(folder)
		switch {
		case err != nil:
			t.Fatal(err)
		case o.status != 0 && len(left) > 0:
			t.Errorf("%q: %v was left behind", args, left)
		case o.status == 0:
			if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || filepath.Dir(r.File) != folder {
				t.Fatalf("%q: %v\n%s", args, err, o.stdout)
			}
		}
		return r, o
	}
	large, _ := build()
	small, _ := build("--compression", "zstd:3")
	if small.Size >= large.Size || large.Compression != "lz4" {
		t.Fatalf("lz4 makes %d bytes, zstd:3 %d: the test needs others", large.Size, small.Size)
	}

	_, o := build("--max-size", fmt.Sprint(large.Size))
	for _, fault := range refusalFaults(o, 1, []string{"with lz4: 1 B too many to stay below", "hint: --compression zstd:3 makes about"}) {
		t.Error(fault)
	}
	if strings.Contains(o.stderr, "\npacking") {
		t.Errorf("what is known to be too large was packed:\n%s", o.stderr)
	}
	for below, want := range map[int64]result{large.Size: small, large.Size + 1: large} {
		r, o := build("--compression", "auto", "--max-size", fmt.Sprint(below))
		if o.status != 0 || r.Compression != want.Compression || r.SHA256 != want.SHA256 || r.Size != want.Size {
			t.Errorf("below %d: status %d, %d bytes with %s, want %d with %s\n%s", below, o.status, r.Size, r.Compression, want.Size, want.Compression, o.stderr)
		}
	}
	// What fits in any case need not be tried.
	_, o = build("--compression", "auto", "--max-size", "4GiB")
	if o.status != 0 || !strings.Contains(o.stderr, "chose lz4, with which the image has at most ") || strings.Contains(o.stderr, "trying") {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
}
