package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSameBytes makes one image under circumstances that must not matter.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	want := miniISO(t)
	if got := strings.Fields(judge(t, "coreutils", "sha256sum", want.File))[0]; got != want.SHA256 {
		t.Errorf("the result says the SHA-256 is %s, sha256sum says %s", want.SHA256, got)
	}
	same := func(t *testing.T, got result) {
		t.Helper()
		if got.SHA256 != want.SHA256 {
			t.Errorf("SHA-256 %s, want %s", got.SHA256, want.SHA256)
		}
		judge(t, "diffutils", "cmp", got.File, want.File)
	}
	for _, jobs := range []string{"1", "2", "8"} {
		t.Run("jobs "+jobs, func(t *testing.T) {
			same(t, iso(t, "mini", "--jobs", jobs))
		})
	}
	t.Run("surroundings", func(t *testing.T) {
		same(t, call{
			dir:  "/",
			env:  []string{"TZ=Pacific/Kiritimati", "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "USER=nobody"},
			with: []string{"sh", "-c", `umask 077; exec "$0" "$@"`},
		}.iso(t, "mini"))
	})
	t.Run("copied store", func(t *testing.T) {
		store := copiedStore(t, "mini")
		// The image is made of the copy alone: of the store of this machine only
		// what the programs that run need is left.
		same(t, call{with: []string{"unshare", "--mount", "sh", "-euc", hideStore, t.TempDir()}}.iso(t, "mini", "--store", store))
	})
}

// hideStore is a script that runs a program without most of /nix/store: GRUB
// is left, which cannot run elsewhere, and the shell that its program uses.
const hideStore = `
mount -t tmpfs tmpfs "$0"
for path in /nix/store/*-grub-2.06 /nix/store/*-mini-busybox-1.35; do
	mkdir "$0/${path##*/}"
	mount --bind "$path" "$0/${path##*/}"
done
mount --rbind "$0" /nix/store
exec "$@"
`

// copiedStore makes a store that holds what an image is made of, in a file
// system that lists folders in another order.
func copiedStore(t testing.TB, configuration string) (root string) {
	t.Helper()
	root = mount(t, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
	p := plan(t, miniFlake(t)+"#"+configuration)
	paths := slices.Clone(p.StoreContents)
	for _, f := range p.Files {
		if rest, ok := strings.CutPrefix(f.Source, "/nix/store/"); ok {
			base, _, _ := strings.Cut(rest, "/")
			paths = append(paths, "/nix/store/"+base)
		}
	}
	paths = closureOf(t, paths...)
	judge(t, "nix-bin", "nix", slices.Concat([]string{"--extra-experimental-features", "nix-command", "copy", "--no-check-sigs", "--to", root}, paths)...)

	// The store of the machine may have others of that name.
	copies, err := filepath.Glob(filepath.Join(root, "/nix/store/*-mini-small-files"))
	if err != nil || len(copies) != 1 {
		t.Fatalf("the copy has %q of many files (%v), want one folder", copies, err)
	}
	if slices.Equal(order(t, strings.TrimPrefix(copies[0], root)), order(t, copies[0])) {
		t.Fatal("the copy lists a folder in the same order as the original")
	}
	return root
}

// order is the order in which the file system lists a folder.
func order(t testing.TB, folder string) []string {
	t.Helper()
	d, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEpoch checks that SOURCE_DATE_EPOCH is every date of the medium.
func TestEpoch(t *testing.T) {
	t.Parallel()
	const epoch, day, stamp = "1000000000", "Sep  9 2001", "2001-09-09-01-46-40-00"
	r := call{env: []string{"SOURCE_DATE_EPOCH=" + epoch}}.iso(t, "mini", "--compression", "lz4")
	if got := strings.TrimSpace(judge(t, "util-linux", "blkid", "--probe", "--match-tag", "UUID", "--output", "value", r.File)); got != stamp {
		t.Errorf("blkid says the medium was made %s, want %s", got, stamp)
	}
	files := 0
	for line := range strings.Lines(judge(t, "genisoimage", "isoinfo", "-R", "-l", "-i", r.File)) {
		if !strings.Contains(line, "[") {
			continue
		}
		files++
		if !strings.Contains(line, day) {
			t.Errorf("isoinfo lists without the date %s: %s", day, line)
		}
	}
	if files == 0 {
		t.Error("isoinfo lists nothing")
	}
	medium := extracted(t, r.File)
	if out := judge(t, "squashfs-tools", "unsquashfs", "-stat", filepath.Join(medium, squashfsName)); !strings.Contains(out, "Sun Sep  9 01:46:40 2001") {
		t.Errorf("unsquashfs does not say that the squashfs was made on %s:\n%s", day, out)
	}
}
