package nixos

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nix"
)

// TestPackages asks a real nixpkgs, of NixOS 24.05, which LIVEBUILD_NIXPKGS names, what packages
// store paths are. Nothing is built.
func TestPackages(t *testing.T) {
	tree := os.Getenv("LIVEBUILD_NIXPKGS")
	if tree == "" {
		judge.LeaveOut(t, "nixpkgs", "LIVEBUILD_NIXPKGS names no tree of NixOS 24.05")
	}
	judge.Path(t, "nix-bin", "nix")
	file := filepath.Join(t.TempDir(), "iso.nix")
	const configuration = `{ pkgs, ... }: {
  imports = [ <nixpkgs/nixos/modules/installer/cd-dvd/installation-cd-minimal.nix> ];
  environment.systemPackages = [ (pkgs.writeScriptBin "mine" "") ];
  # Keeps Haskell out, which trees without its package list cannot evaluate.
  nixpkgs.overlays = [ (final: prev: { shellcheck-minimal.compiler.meta.platforms = [ ]; }) ];
}`
	if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	flags, _, err := nix.ParseFlags([]string{"-I", "nixpkgs=" + tree})
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "NIX_REMOTE=local?root="+storeRoot(t), "GC_DONT_GC=1")
	n, err := nix.Find(t.Context(), nix.Options{Env: env, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	var paths map[string]string
	const expression = `let pkgs = import <nixpkgs> { system = "x86_64-linux"; config = { }; overlays = [ ]; }; in {
  hello = pkgs.hello.outPath; openssl = pkgs.openssl.bin.outPath; glibc = pkgs.glibc.outPath; x11 = pkgs.xorg.libX11.outPath;
  requests = pkgs.python3Packages.requests.outPath; perl = pkgs.perlPackages.URI.outPath; unfree = pkgs.linux-firmware.outPath;
  bash = pkgs.bash.outPath; vim = pkgs.vim.outPath; stdenv = pkgs.stdenv.cc.cc.lib.outPath;
}`
	if err := n.EvalExpression(t.Context(), expression, &paths); err != nil {
		t.Fatal(err)
	}
	const unknown = "/nix/store/00000000000000000000000000000000-unit-x.service"
	list := []string{unknown}
	for _, p := range paths {
		list = append(list, p)
	}
	found, err := Packages(t.Context(), n, installable.Installable{File: file, Name: "iso"}, list)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Package{
		"hello":    {Name: "hello", Version: "2.12.1", Homepage: "https://www.gnu.org/software/hello/manual/", Licences: []Licence{{SPDX: "GPL-3.0-or-later"}}},
		"openssl":  {Name: "openssl", Homepage: "https://www.openssl.org/", Licences: []Licence{{SPDX: "Apache-2.0"}}},
		"glibc":    {Name: "glibc", Homepage: "https://www.gnu.org/software/libc/", Licences: []Licence{{SPDX: "LGPL-2.0-or-later"}}},
		"requests": {Homepage: "http://docs.python-requests.org/", Licences: []Licence{{SPDX: "Apache-2.0"}}},
		"bash":     {Name: "bash", Licences: []Licence{{SPDX: "GPL-3.0-or-later"}}},
		"unfree":   {Name: "linux-firmware", Licences: []Licence{{}}},
		"perl":     {},
		"x11":      {Name: "libX11"},
		"stdenv":   {Name: "gcc", Licences: []Licence{{SPDX: "GPL-3.0-or-later"}}},
		"vim":      {Name: "vim", Licences: []Licence{{SPDX: "Vim"}}},
	} {
		got, ok := found[path.Base(paths[name])]
		switch {
		case !ok:
			t.Errorf("%s is not known: %s", name, paths[name])
		case got.Name != cmp.Or(want.Name, got.Name), got.Version != cmp.Or(want.Version, got.Version), got.Homepage != cmp.Or(want.Homepage, got.Homepage),
			len(want.Licences) > 0 && want.Licences[0].SPDX != "" && (len(got.Licences) != 1 || got.Licences[0].SPDX != want.Licences[0].SPDX),
			got.Name == "", got.Version == "", (len(got.Licences) == 0) != (name == "x11"): // of which 24.05 says none
			t.Errorf("of %s it says %+v, want %+v", name, got, want)
		}
	}
	if p, ok := found[path.Base(unknown)]; ok {
		t.Errorf("of a unit it says %+v", p)
	}
	t.Logf("%d of %d are known", len(found), len(list))
}
