package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// TestNixpkgs plans flakes and files as people write them, with a real nixpkgs, and
// compares the plans with the derivation that nixpkgs makes of them.
//
// LIVEBUILD_NIXPKGS names the tree, of NixOS 24.05. It is copied into a store of
// the test's own, and nothing is built.
func TestNixpkgs(t *testing.T) {
	const variable = "LIVEBUILD_NIXPKGS"
	tree := os.Getenv(variable)
	if tree == "" {
		need.LeaveOut(t, "nixpkgs", variable+" names no tree of NixOS 24.05")
	}
	// In memory: tens of thousands of files are copied to it.
	store := mount(t, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
	c := call{dir: t.TempDir(), env: []string{
		"NIX_REMOTE=local?root=" + store,
		"NIX_CONFIG=" + nixConfig + "\nfsync-metadata = false",
		// Nix before 2.24 crashes in its garbage collector on such evaluations.
		"GC_DONT_GC=1",
	}}
	// Keeps Haskell out, which trees without its package list cannot evaluate.
	const common = `{ nixpkgs.overlays = [ (final: prev: { shellcheck-minimal.compiler.meta.platforms = [ ]; }) ]; }`
	write := func(name, text string) {
		file := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A base that an installed system and its installer share.
	write("media/flake.nix", fmt.Sprintf(`{
  inputs.nixos.url = "path:%s";
  outputs = { self, nixos }: {
    nixosConfigurations =
      let
        exampleBase = {
          system = "x86_64-linux";
          modules = [ ./common.nix ({ pkgs, ... }: { environment.systemPackages = [ pkgs.neovim ]; users.motd = "example"; }) ];
        };
      in
      {
        exampleIso = nixos.lib.nixosSystem {
          inherit (exampleBase) system;
          modules = exampleBase.modules ++ [
            "${nixos}/nixos/modules/installer/cd-dvd/installation-cd-minimal.nix"
            { isoImage.edition = nixos.lib.mkForce "example"; }
          ];
        };
        example = nixos.lib.nixosSystem {
          inherit (exampleBase) system;
          modules = exampleBase.modules ++ [
            {
              networking.hostName = "example";
              boot.loader.systemd-boot.enable = true;
              fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; };
              system.stateVersion = "24.05";
            }
          ];
        };
      };
  };
}
`, tree))
	write("media/common.nix", common)
	// A live CD, by a module path and by the search path.
	write("live/flake.nix", fmt.Sprintf(`{
  description = "Minimal NixOS installation media";
  inputs.nixpkgs.url = "path:%s";
  outputs = { self, nixpkgs }: {
    nixosConfigurations.exampleIso = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        ({ pkgs, modulesPath, ... }: {
          imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ./common.nix ];
          environment.systemPackages = [ pkgs.neovim ];
        })
      ];
    };
  };
}
`, tree))
	write("live/common.nix", common)
	write("iso.nix", `{ config, pkgs, ... }:
{
  imports = [
    <nixpkgs/nixos/modules/installer/cd-dvd/installation-cd-minimal.nix>
    <nixpkgs/nixos/modules/installer/cd-dvd/channel.nix>
    `+common+`
  ];
  environment.systemPackages = [ pkgs.neovim ];
}
`)
	const imageOf = "config.system.build.isoImage"
	// run runs a program of Nix as livebuild would, and returns what it prints.
	run := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = c.dir, environment(t, c.env...)
		o := runCommand(t, cmd)
		if o.status != 0 {
			t.Fatalf("%s %q: status %d\n%s", name, args, o.status, o.stderr)
		}
		return strings.TrimSpace(o.stdout)
	}
	flakeImage := func(folder string) []string {
		return []string{"nix", "--extra-experimental-features", "nix-command flakes", "eval", "--raw",
			"./" + folder + "#nixosConfigurations.exampleIso." + imageOf + ".drvPath"}
	}
	for _, test := range []struct {
		name     string
		args     []string
		image    []string // prints the derivation of nixpkgs' own image
		file     string
		volumeID string
	}{
		{"media", []string{"./media#exampleIso"}, flakeImage("media"), `nixos-24.05\S*-x86_64-linux.iso`, "nixos-example-24.05-x86_64"},
		{"live", []string{"./live"}, flakeImage("live"), `nixos-24.05\S*-x86_64-linux.iso`, "nixos-minimal-24.05-x86_64"},
		{"file", []string{"./iso.nix", "-I", "nixpkgs=" + tree},
			[]string{"nix-instantiate", "<nixpkgs/nixos>", "-A", imageOf, "-I", "nixos-config=" + c.dir + "/iso.nix", "-I", "nixpkgs=" + tree},
			`nixos-24.05\S*-x86_64-linux.iso`, "nixos-minimal-24.05-x86_64"},
		{"installed", []string{"./media#example"}, nil, `nixos-example-24.05\S*-x86_64-linux.iso`, "nixos-example-24.05-x86_64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := c.plan(t, test.args...)
			if p.VolumeID != test.volumeID || !regexp.MustCompile(`^`+test.file+`$`).MatchString(p.File) {
				t.Errorf("the image is %s, labelled %s, want %s and %s", p.File, p.VolumeID, test.file, test.volumeID)
			}
			if got := strings.Join(p.Modes, " "); got != "bios-cd bios-usb uefi-cd uefi-usb" {
				t.Errorf("it boots as %s", got)
			}
			line := p.Entries[0].Line
			if !strings.HasPrefix(line, "init="+p.Toplevel+"/init root=LABEL="+p.VolumeID+" boot.shell_on_fail ") {
				t.Errorf("the kernel line is %s", line)
			}
			if test.image == nil {
				return
			}
			drv := run(t, test.image[0], test.image[1:]...)
			theirs := readImageDerivation(t, filepath.Join(store, drv))
			if theirs.VolumeID != p.VolumeID || theirs.ISOName != p.File {
				t.Errorf("nixpkgs makes %s, labelled %s", theirs.ISOName, theirs.VolumeID)
			}
			sources := map[string]string{}
			for i, target := range theirs.Targets {
				sources[strings.ToLower(target)] = theirs.Sources[i]
			}
			ours := map[string]string{}
			for _, f := range p.Files {
				ours[strings.ToLower(f.Target)] = f.Source
			}
			for _, target := range []string{"/isolinux", "/isolinux/background.png", "/efi/boot/efi-background.png", "/efi/boot/grub-theme", "/boot/memtest.bin"} {
				if ours[target] != sources[target] || ours[target] == "" {
					t.Errorf("%s comes from %q, with nixpkgs from %q", target, ours[target], sources[target])
				}
			}
			if got, want := p.Entries[0].Kernel+p.Entries[0].Initrd, "/boot"+sources["/boot/bzimage"]+"/boot"+sources["/boot/initrd"]+",/boot/livebuild/stamp.img"; got != want {
				t.Errorf("kernel and initrd are %s, want %s", got, want)
			}
			systems := 0
			for path := range strings.FieldsSeq(run(t, "nix-store", "--query", "--requisites", drv)) {
				if regexp.MustCompile(`-nixos-system-.*\.drv$`).MatchString(path) {
					systems++
					if got := run(t, "nix-store", "--query", "--outputs", path); got != p.Toplevel || !slices.Equal(p.StoreContents, []string{got}) {
						t.Errorf("nixpkgs' image holds %s, the plan has %q", got, p.StoreContents)
					}
				}
			}
			if systems != 1 {
				t.Errorf("nixpkgs' image holds %d systems", systems)
			}
		})
	}
}

// imageDerivation is what nixpkgs tells the builder of an image.
type imageDerivation struct {
	VolumeID string
	ISOName  string `json:"isoName"`
	Sources  []string
	Targets  []string
}

// readImageDerivation reads a derivation whose environment is JSON in one variable
// (__structuredAttrs).
func readImageDerivation(t *testing.T, file string) (d imageDerivation) {
	t.Helper()
	m := regexp.MustCompile(`\("__json","((?:[^"\\]|\\.)*)"\)`).FindSubmatch(readFile(t, file))
	if m == nil {
		t.Fatalf("%s has no __json", file)
	}
	text := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(string(m[1]))
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}
