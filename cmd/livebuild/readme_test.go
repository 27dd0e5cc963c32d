package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// TestReadme types what the README's first commands are, on a terminal, from nothing to a booted image and
// a stick. What the internet has is here instead: livebuild's own flake is one with the program
// that is tested, and the nixpkgs of the flake that init writes is the test flake's.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("boots an image")
	}
	miniFlake(t)
	need.Root(t)
	var script string
	for _, b := range codeBlocks(t) {
		if b.page == "README.md" && strings.Contains(b.code, "nix run ") {
			script = b.code
		}
	}
	s, folder := newStick(t, 64*mib), t.TempDir()
	own, nixpkgs := filepath.Join(folder, "own"), filepath.Join(folder, "nixpkgs")
	for _, dir := range []string{own, nixpkgs} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(own, "livebuild"), readFile(t, program))
	if err := os.Chmod(filepath.Join(own, "livebuild"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(own, "flake.nix"), fmt.Appendf(nil, `{
  inputs.mini.url = "path:%s";
  outputs = { self, mini }:
    let
      inherit (import "${mini}" { system = "x86_64-linux"; }) busybox;
      package = derivation {
        name = "livebuild";
        system = "x86_64-linux";
        builder = "${busybox}/bin/sh";
        args = [ "-euc" "${busybox}/bin/mkdir -p $out/bin; ${busybox}/bin/cp ${./livebuild} $out/bin/livebuild" ];
      };
    in
    { apps.x86_64-linux.default = { type = "app"; program = "${package}/bin/livebuild"; }; };
}
`, miniFlake(t)))
	// A nixosSystem that reads modules, and takes what the test flake knows of them.
	writeFile(t, filepath.Join(nixpkgs, "flake.nix"), fmt.Appendf(nil, `{
  inputs.mini.url = "path:%s";
  outputs = { self, mini }: {
    lib.nixosSystem = { modules }:
      let
        read = module:
          let m = if builtins.isPath module then import module else module; in
          if builtins.isFunction m then m { modulesPath = "/modules"; pkgs = { }; } else m;
        parts = map read modules;
        imports = builtins.concatMap (p: p.imports or [ ]) parts;
        all = builtins.foldl' (a: b: a // b) { } parts;
      in
      import "${mini}/config.nix" {
        live = imports == [ "/modules/installer/cd-dvd/installation-cd-minimal.nix" ];
        settings = { inherit (all) isoImage; };
      };
  };
}
`, miniFlake(t)))

	// What is put in the place of what.
	instead := func(old, new string) {
		t.Helper()
		if strings.Count(script, old) != 1 {
			t.Fatalf("the README's commands have no single %q:\n%s", old, script)
		}
		script = strings.ReplaceAll(script, old, new)
	}
	instead("github:livebuild/livebuild", "path:"+own)
	instead("init my-image ", "init my-image && "+need.Path(t, "sed", "sed")+" -i 's|github:NixOS/nixpkgs/[a-z.0-9-]*|path:"+nixpkgs+"|' my-image/flake.nix ")
	instead("/dev/sdX", s.path)
	instead(" --test ", " --test --modes bios-cd,uefi-usb --expect 'MINI-RESULT PASS' ") // TestBoot boots in all

	// Nix, and nothing else.
	path := withoutQEMU(t)
	if err := os.Remove(filepath.Join(strings.TrimPrefix(path, "PATH="), "git")); err != nil {
		t.Fatal(err)
	}
	c := call{
		dir:  folder,
		env:  []string{"NIX_CONFIG=" + nixConfig + "\nextra-experimental-features = nix-command flakes", "HOME=" + folder, path},
		with: []string{need.Path(t, "bash", "bash"), "-eu", "-c", "shopt -s expand_aliases\n" + script, "bash"},
	}
	o := newTerminal(t).talk(t, c, nil, step{"Type ", filepath.Base(s.path) + "\r"})
	for _, want := range []string{"got QEMU from the configuration's nixpkgs", "bios-cd: came up after", "uefi-usb: came up after", filepath.Base(s.path), "verified"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("the terminal lacks %q", want)
		}
	}
	if o.status != 0 || t.Failed() {
		t.Fatalf("status %d of\n%s\n%s", o.status, script, o.stderr)
	}
	s.check(t, readFile(t, filepath.Join(folder, "live.iso")))
	if got := livebuild(t, "inspect", filepath.Join(folder, "live.iso")).stdout; !strings.Contains(got, "zstd") {
		t.Errorf("the template's compression is lost:\n%s", got)
	}
}
