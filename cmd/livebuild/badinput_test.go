package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkRefusal checks how a run failed: with a status, one line for the error,
// one for advice, the given texts among them, and nothing on standard output.
func checkRefusal(t testing.TB, o outcome, status int, texts ...string) {
	t.Helper()
	for _, fault := range refusalFaults(o, status, texts) {
		t.Error(fault)
	}
	if t.Failed() {
		t.Logf("standard error is\n%s", o.stderr)
	}
}

// refusalFaults says what is wrong with a refusal.
func refusalFaults(o outcome, status int, texts []string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if o.status != status {
		fault("status %d, want %d", o.status, status)
	}
	if o.stdout != "" {
		fault("standard output is %q, want nothing", o.stdout)
	}
	count := map[string]int{}
	for line := range strings.Lines(o.stderr) {
		if label, rest, ok := strings.Cut(line, ": "); ok && strings.TrimSpace(rest) != "" {
			count[label]++
		}
	}
	for _, label := range []string{"error", "hint"} {
		if count[label] != 1 {
			fault("%d lines begin with %q, want 1", count[label], label+": ")
		}
	}
	if strings.Contains(o.stderr, "warning: error") {
		fault("a warning calls itself an error")
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			fault("standard error lacks %q", text)
		}
	}
	return faults
}

// TestBadInput gives the program what it cannot work with.
func TestBadInput(t *testing.T) {
	mini := miniFlake(t)
	tests := map[string]struct {
		c      call
		args   []string
		status int
		texts  []string
	}{
		// Surroundings.
		"no nix":          {call{env: []string{"PATH=" + t.TempDir()}}, []string{"iso", ".#a"}, 1, []string{"nix is not on the PATH", "nixos.org/download"}},
		"old nix":         {call{env: []string{"PATH=" + oldNix(t)}}, []string{"iso", ".#a"}, 1, []string{"2.3.16", "2.8", "newer"}},
		"bad epoch":       {call{env: []string{"SOURCE_DATE_EPOCH=yesterday"}}, []string{"iso", ".#a"}, 1, []string{"SOURCE_DATE_EPOCH", "yesterday"}},
		"remote store":    {call{}, []string{"iso", mini + "#mini", "--store", "https://nowhere.invalid"}, 1, []string{"https://nowhere.invalid is not on this machine", "--substituters"}},
		"unreachable":     {call{}, []string{"iso", mini + "#mini", "--store", "ssh-ng://nowhere.invalid"}, 1, []string{"nowhere.invalid"}},
		"network":         {call{}, []string{"iso", "https://127.0.0.1:1/flake.tar.gz#a", "--option", "download-attempts", "2"}, 1, []string{"127.0.0.1:1", "network"}},
		"settings of Nix": {call{env: []string{"NIX_CONFIG=no setting"}}, []string{"iso", mini + "#mini"}, 1, []string{"no setting", "NIX_CONFIG"}},

		// Flakes.
		"no such folder":    {call{}, []string{"iso", "/absent/folder#a"}, 1, []string{"/absent/folder", "flake.nix"}},
		"no flake":          {call{dir: t.TempDir()}, []string{"iso", ".#a"}, 1, []string{"flake.nix"}},
		"no configurations": {call{dir: rawFlake(t, "{ outputs = _: { packages = { }; }; }")}, []string{"iso", ".#a"}, 1, []string{"nixosConfigurations"}},
		"empty configurations": {call{dir: rawFlake(t, "{ outputs = _: { nixosConfigurations = { }; }; }")}, []string{"iso", ".#a"}, 1,
			[]string{"nixosConfigurations is empty", "nixpkgs.lib.nixosSystem"}},
		"syntax error": {call{dir: rawFlake(t, "{ outputs = _: { nixosConfigurations = ; }; }")}, []string{"iso", ".#a"}, 1, []string{"syntax error", "line 1 of flake.nix, near column 4"}},

		// Configurations.
		"several":           {call{}, []string{"iso", mini}, 1, []string{`"mini"`, `"mini-arm"`, `"no-iso"`, "name one"}},
		"misspelt":          {call{}, []string{"iso", mini + "#mimi"}, 1, []string{`no configuration "mimi"; there is "mini", "mini-`, "did you mean mini?"}},
		"not NixOS":         {call{}, []string{"iso", mini + "#not-nixos"}, 1, []string{`"not-nixos"`, "nixosSystem"}},
		"no ISO module":     {call{}, []string{"iso", mini + "#mini-host", "--no-live"}, 1, []string{`"mini-host"`, "ISO image module", "iso-image.nix"}},
		"not extensible":    {call{}, []string{"iso", mini + "#no-iso"}, 1, []string{`"no-iso"`, "extendModules", "nixosSystem"}},
		"evaluation error":  {call{}, []string{"iso", mini + "#broken-eval"}, 1, []string{"error: the option `services.absent' does not exist", "-v"}},
		"the same, verbose": {call{}, []string{"iso", mini + "#broken-eval", "-v", "--show-trace"}, 1, []string{"config.nix"}},
		"failing assertions": {call{dir: flakeOf(t, `{ a = nixosSystem { settings.assertions = [
			{ assertion = false; message = "The first one\nhas two lines."; }
			{ assertion = true; message = "This one holds."; }
			{ assertion = false; message = "The second one."; }
		]; }; }`)}, []string{"iso", ".#a"}, 1, []string{"- The first one\n", "has two lines.\n", "- The second one.\n"}},
		"home-manager": {call{dir: flakeOf(t, `{ a = nixosSystem { } // { activationPackage = 1; }; }`)}, []string{"iso", ".#a"}, 1, []string{`"a" is a home-manager configuration`}},
		"Darwin":       {call{dir: flakeOf(t, `{ a = nixosSystem { } // { class = "darwin"; }; }`)}, []string{"iso", ".#a"}, 1, []string{`"a" is a nix-darwin configuration`}},
		"recursion":    {call{dir: flakeOf(t, `let x = y; y = x; in { a = nixosSystem { settings.isoImage.volumeID = x; }; }`)}, []string{"iso", ".#a"}, 1, []string{"infinite recursion", "--show-trace"}},
		"unfree": {call{dir: flakeOf(t, `{ a = nixosSystem { packages = p: throw "Package ‘unrar-7.0.9’ in /x/default.nix:54 has an unfree license (‘unfree’), refusing to evaluate."; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"Package ‘unrar-7.0.9’", "allowUnfreePredicate"}},
		"insecure": {call{dir: flakeOf(t, `{ a = nixosSystem { packages = p: throw "Package ‘x-1’ in /x.nix:1 is marked as insecure, refusing to evaluate."; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"Package ‘x-1’", "permittedInsecurePackages"}},
		"file name": {call{dir: flakeOf(t, `{ a = nixosSystem { settings.image.baseName = "a/b"; }; }`)}, []string{"iso", ".#a"}, 1,
			[]string{"image.baseName", "a/b.iso"}},
		"target outside": {call{dir: flakeOf(t, `{ a = nixosSystem { contents = p: [ { source = p.splash; target = "/../up"; } ]; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"isoImage.contents", "/../up"}},
		"target taken": {call{dir: flakeOf(t, `{ a = nixosSystem { contents = p: [ { source = p.splash; target = "/Nix-Store.squashfs"; } ]; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"isoImage.contents", "Nix-Store.squashfs"}},
		"file taken": {call{dir: flakeOf(t, `{ a = nixosSystem { contents = p: [
			{ source = p.splash; target = "/version.txt"; } { source = p.splash; target = "version.txt"; } ]; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"isoImage.contents", "version.txt"}},
		"file taken, by a folder": {call{dir: flakeOf(t, `{ a = nixosSystem { contents = p: [
			{ source = p.syslinux; target = "/isolinux"; }
			{ source = p.build "mini-mine" { } "mkdir $out; echo mine > $out/isolinux.cfg"; target = "/isolinux"; } ]; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"isolinux/isolinux.cfg on the medium is both /nix/store/", "-mini-mine/isolinux.cfg and livebuild's own file", "isoImage.contents"}},

		// Builds.
		"build":    {call{}, []string{"iso", mini + "#broken-build"}, 1, []string{"> compiling part 30 of 30\n", "> part 30: out of luck\n", "exit code 7", "nix-store --read-log /nix/store/", "mini-broken.drv"}},
		"platform": {call{dir: flakeOf(t, foreignConfiguration)}, []string{"iso", ".#a"}, 1, []string{"riscv64-linux", "boot.binfmt.emulatedSystems"}},
		"features": {call{dir: flakeOf(t, strings.Replace(foreignConfiguration, `"riscv64-linux"`, `p.system; requiredSystemFeatures = [ "warp" ]`, 1))},
			[]string{"iso", ".#a"}, 1, []string{"warp", "system-features"}},
		"kernel": {call{}, []string{"iso", mini + "#missing-kernel"}, 1, []string{"error: the kernel /nix/store/", "-linux-6.1/absent does not exist", "option that names it"}},
		"initrd": {call{dir: flakeOf(t, `{ a = nixosSystem { settings.system.boot.loader.initrdFile = "absent"; }; }`)}, []string{"iso", ".#a"}, 1,
			[]string{"error: the initrd /nix/store/", "-initrd-linux-6.1/absent does not exist", "option that names it"}},
		"loader": {call{dir: flakeOf(t, `{ a = let c = nixosSystem { }; in c // { pkgs = c.pkgs // { syslinux = c.pkgs.busybox; }; }; }`)}, []string{"iso", ".#a"}, 1,
			[]string{"-mini-busybox-1.35/share/syslinux does not exist", "overlays"}},
		"GRUB": {call{dir: flakeOf(t, `{ a = let c = nixosSystem { }; in c // { pkgs = c.pkgs // { buildPackages.grub2_efi = c.pkgs.busybox; }; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"building grub-x86_64-efi.efi", "-mini-busybox-1.35/bin/grub-mkimage': No such file", "overlays"}},
		"modules of GRUB": {call{dir: flakeOf(t, `{ a = let c = nixosSystem { }; in c // { pkgs = c.pkgs // { grub2_efi = c.pkgs.busybox // { grubTarget = "x86_64-efi"; }; }; }; }`)},
			[]string{"iso", ".#a"}, 1, []string{"building grub-x86_64-efi.efi", "-mini-busybox-1.35/lib/grub/x86_64-efi/", "No such file", "overlays"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, cache := t.TempDir(), t.TempDir()
			c, args := test.c, test.args
			c.env = append([]string{"XDG_CACHE_HOME=" + cache}, c.env...)
			if args[0] == "iso" {
				args = append([]string{"iso", "-o", output + "/"}, args[1:]...)
			}
			checkRefusal(t, c.livebuild(t, args...), test.status, test.texts...)
			checkNames(t, output)
			if _, err := os.Stat(filepath.Join(cache, "livebuild")); err == nil {
				checkNoRoots(t, cache)
			}
		})
	}
}

// foreignConfiguration is of a platform that no machine here builds for.
const foreignConfiguration = `{
	a = nixosSystem {
		packages = p: [
			(derivation { name = "mini-foreign"; system = "riscv64-linux"; builder = "${p.busybox}/bin/sh"; args = [ "-c" "echo > $out" ]; })
		];
	};
}`

// TestWarnings checks what is only said, in one line for each thing.
func TestWarnings(t *testing.T) {
	dir := flakeOf(t, `{ a = nixosSystem { settings.warnings = [ "This is old." ]; }; }`)
	o := call{dir: dir}.livebuild(t, "iso", ".#a", "-o", "here.iso", "--compression", "lz4")
	if o.status != 0 || o.stdout != "here.iso\n" {
		t.Errorf("status %d, standard output %q", o.status, o.stdout)
	}
	var warnings []string
	for line := range strings.Lines(o.stderr) {
		if rest, ok := strings.CutPrefix(line, "warning: "); ok {
			warnings = append(warnings, rest)
		}
	}
	for i, want := range []string{"This is old.", "the folder of the flake"} {
		if i >= len(warnings) || !strings.Contains(warnings[i], want) {
			t.Errorf("warning %d does not mention %q", i, want)
		}
	}
	if len(warnings) != 2 || t.Failed() {
		t.Errorf("the warnings are %q, want 2", warnings)
	}
}

// oldNix is a folder with a Nix that is too old.
func oldNix(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	fakeNix(t, folder, "nix (Nix) 2.3.16", "exit 1")
	return folder
}

// rawFlake writes a flake.
func rawFlake(t testing.TB, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "flake.nix"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// flakeOf writes a flake, with a lock file, whose configurations are made by
// the test flake's own function.
func flakeOf(t testing.TB, configurations string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	writeFlake(t, folder, configurations)
	return folder
}

func writeFlake(t testing.TB, folder, configurations string) {
	t.Helper()
	writeFile(t, filepath.Join(folder, "flake.nix"), fmt.Appendf(nil, `{
  inputs.mini.url = "path:%s";
  outputs = { self, mini }:
    let
      nixosSystem = import "${mini}/config.nix";
      numbers = builtins.genList (n: n) 100000;
    in
    { nixosConfigurations = %s; };
}
`, miniFlake(t), configurations))
	judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock", "path:"+folder)
}
