package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherStores builds and packs in stores that are not the machine's own.
func TestOtherStores(t *testing.T) {
	t.Parallel()
	want := miniISO(t)
	root := t.TempDir()
	removeStore(t, root)
	for name, flags := range map[string][]string{
		"other machine": {"--eval-store", filepath.Join(root, "here"), "--store", "ssh-ng://localhost?remote-store=" + filepath.Join(root, "there")},
		"two stores":    {"--eval-store", filepath.Join(root, "here"), "--store", filepath.Join(root, "there")},
	} {
		t.Run(name, func(t *testing.T) {
			r := iso(t, "mini", flags...)
			judge(t, "diffutils", "cmp", r.File, want.File)
		})
	}
}

// removeStore lets a test remove its own store: its folders cannot be written to.
func removeStore(t testing.TB, root string) {
	t.Helper()
	t.Cleanup(func() { judge(t, "coreutils", "chmod", "-R", "u+w", root) })
}

// TestBuildDependencies checks what includeSystemBuildDependencies adds.
func TestBuildDependencies(t *testing.T) {
	t.Parallel()
	dir := flakeOf(t, `{ a = (import "${mini}/nixos/lib/eval-config.nix") { system = "x86_64-linux"; modules = [
		"${mini}/nixos/modules/installer/cd-dvd/iso-image.nix"
		{ isoImage.includeSystemBuildDependencies = true; }
	]; }; }`)
	file := filepath.Join(t.TempDir(), "image.iso")
	o := call{dir: dir}.livebuild(t, append([]string{"iso", ".#a", "-o", file}, fast...)...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	p := call{dir: dir}.plan(t, ".#a")
	if len(p.StoreContents) != 2 {
		t.Fatalf("the roots are %q, want the system and its derivation", p.StoreContents)
	}
	want := map[string]bool{}
	for path := range strings.FieldsSeq(judge(t, "nix-bin", "nix-store", append([]string{"--query", "--requisites", "--include-outputs"}, p.StoreContents...)...)) {
		want[filepath.Base(path)] = true
	}
	root := mount(t, "-t", "squashfs", "-o", "ro,loop", filepath.Join(extracted(t, file), squashfsName))
	derivations := 0
	for _, name := range names(t, root) {
		if strings.HasSuffix(name, ".drv") {
			derivations++
		}
		if name != "nix-path-registration" && !want[name] {
			t.Errorf("the store image has %s", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("the store image lacks %s", name)
	}
	if derivations < 5 {
		t.Errorf("the store image has %d derivations", derivations)
	}
	// Nix takes the registration, derivations included.
	registration := readFile(t, filepath.Join(root, "nix-path-registration"))
	if n := bytes.Count(registration, []byte(".drv\nsha256:")); n != derivations {
		t.Errorf("%d derivations are registered, want %d", n, derivations)
	}
}
