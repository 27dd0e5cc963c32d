package nixos

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nix"
)

// TestDiskoPrograms takes the packages of newer disko where there are some, and the scripts of older ones.
func TestDiskoPrograms(t *testing.T) {
	const legacy = `diskoScript = "/nix/store/d-disko"; mountScript = "/nix/store/m-disko-mount";`
	const packages = `destroyFormatMount = { outPath = "/nix/store/f-disko-destroy-format-mount"; name = "disko-destroy-format-mount"; };
mount = { outPath = "/nix/store/m-disko-mount"; name = "m"; meta.mainProgram = "disko-mount"; };`
	file, err := filepath.Abs("install.nix")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		build string
		want  Disko
		roots []string
	}{
		"scripts": {legacy, Disko{"/nix/store/d-disko", []string{}, "/nix/store/m-disko-mount", "/mnt"}, []string{"/nix/store/s-system", "/nix/store/d-disko", "/nix/store/m-disko-mount"}},
		"both": {legacy + packages,
			Disko{"/nix/store/f-disko-destroy-format-mount/bin/disko-destroy-format-mount", []string{"--yes-wipe-all-disks"}, "/nix/store/m-disko-mount/bin/disko-mount", "/mnt"},
			[]string{"/nix/store/s-system", "/nix/store/f-disko-destroy-format-mount", "/nix/store/m-disko-mount"}},
		"packages alone": {packages,
			Disko{"/nix/store/f-disko-destroy-format-mount/bin/disko-destroy-format-mount", []string{"--yes-wipe-all-disks"}, "/nix/store/m-disko-mount/bin/disko-mount", "/mnt"},
			[]string{"/nix/store/s-system", "/nix/store/f-disko-destroy-format-mount", "/nix/store/m-disko-mount"}},
	} {
		cmd := exec.Command(judge.Path(t, "nix-bin", "nix-instantiate"), "--eval", "--strict", "--json", "--expr", fmt.Sprintf(`
			let
			  base = {
			    pkgs.stdenv.hostPlatform.system = "x86_64-linux";
			    extendModules = _: base;
			    config.disko.devices.disk.main.device = "/dev/sda";
			    config.system.build = { toplevel = { outPath = "/nix/store/s-system"; drvPath = "/nix/store/s-system.drv"; }; %s };
			  };
			in
			(import %s { name = "a"; configurations.a = base; }).target`, test.build, file))
		cmd.Env = append(os.Environ(), "NIX_STATE_DIR="+t.TempDir(), "NIX_STORE_DIR=/nix/store", "NIX_REMOTE=")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
		}
		var got Target
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if got.Disko == nil || !reflect.DeepEqual(*got.Disko, test.want) || !slices.Equal(got.Roots, test.roots) {
			t.Errorf("%s: %+v of %q, want %+v of %q", name, got.Disko, got.Roots, test.want, test.roots)
		}
	}
}

// diskoConfiguration is a module, %[1]s its boot loader and %[2]s partitions for it, %[3]s the disk.
const diskoConfiguration = `{ ... }: {
  imports = [ <disko/module.nix> ];
  disko.devices.disk.main = {
    type = "disk";
    device = "%[3]s";
    content = {
      type = "gpt";
      partitions = {
        %[2]s
        ESP = { size = "64M"; type = "EF00"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; }; };
        root = { size = "100%%"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; };
      };
    };
  };
  %[1]s
  # Keeps Haskell out, which trees without its package list cannot evaluate.
  disko.checkScripts = false;
  nixpkgs.overlays = [ (final: prev: { shellcheck-minimal.compiler.meta.platforms = [ ]; }) ];
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.05";
}`

// disko evaluates configurations with the real disko and a real nixpkgs, which LIVEBUILD_DISKO and LIVEBUILD_NIXPKGS
// name.
type disko struct {
	nix  *nix.Nix
	root string // of the store
}

func newDisko(t *testing.T) disko {
	t.Helper()
	nixpkgs, tree := os.Getenv("LIVEBUILD_NIXPKGS"), os.Getenv("LIVEBUILD_DISKO")
	if nixpkgs == "" || tree == "" {
		judge.LeaveOut(t, "disko", "LIVEBUILD_NIXPKGS and LIVEBUILD_DISKO do not name a tree of NixOS 24.05 and one of disko")
	}
	judge.Path(t, "nix-bin", "nix")
	flags, _, err := nix.ParseFlags([]string{"-I", "nixpkgs=" + nixpkgs, "-I", "disko=" + tree})
	if err != nil {
		t.Fatal(err)
	}
	root := storeRoot(t)
	env := append(os.Environ(), "NIX_REMOTE=local?root="+root, "GC_DONT_GC=1")
	n, err := nix.Find(t.Context(), nix.Options{Env: env, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return disko{n, root}
}

// target is what there is to know of a configuration that is to be installed.
func (d disko) target(t *testing.T, loader, partitions, device string) Target {
	t.Helper()
	file := filepath.Join(t.TempDir(), "host.nix")
	if err := os.WriteFile(file, fmt.Appendf(nil, diskoConfiguration, loader, partitions, device), 0o644); err != nil {
		t.Fatal(err)
	}
	var target Target
	if err := evaluateTarget(t.Context(), d.nix, Install{Of: installable.Installable{File: file}}, &target); err != nil {
		t.Fatal(err)
	}
	return target
}

// TestDisko has one system for any disk, whatever device its configuration names, with both kinds of boot loaders.
func TestDisko(t *testing.T) {
	d := newDisko(t)
	for name, test := range map[string]struct {
		loader, partitions, firmware string
		grub                         []string
	}{
		"UEFI": {"boot.loader.systemd-boot.enable = true; boot.loader.efi.canTouchEfiVariables = true;", "", "uefi", []string{}},
		"BIOS": {"boot.loader.grub = { enable = true; efiSupport = true; efiInstallAsRemovable = true; };",
			`boot = { size = "1M"; type = "EF02"; };`, "any", []string{"/dev/sda"}},
	} {
		t.Run(name, func(t *testing.T) {
			first := d.target(t, test.loader, test.partitions, "/dev/sda")
			second := d.target(t, test.loader, test.partitions, "/dev/disk/by-id/nvme-B")
			if first.System != second.System || !reflect.DeepEqual(first.Disko, second.Disko) {
				t.Errorf("another device makes another system: %s, %+v and %s, %+v", first.System, first.Disko, second.System, second.Disko)
			}
			if first.Firmware != test.firmware || !slices.Equal(first.GRUBDevices, test.grub) {
				t.Errorf("it starts by %s, and GRUB is on %q; want %s and %q", first.Firmware, first.GRUBDevices, test.firmware, test.grub)
			}
			if want := []TargetDisk{{"main", "/dev/sda"}}; !slices.Equal(first.Disks, want) || first.Disko == nil || first.Disko.Root != "/mnt" {
				t.Fatalf("its disks are %+v, %+v, want %+v", first.Disks, first.Disko, want)
			}
			var points []string
			for _, fs := range first.FileSystems {
				points = append(points, fs.MountPoint+" "+fs.FSType)
				if !strings.HasPrefix(fs.Device, "/dev/disk/by-partlabel/") {
					t.Errorf("%s is on %s", fs.MountPoint, fs.Device)
				}
			}
			if want := []string{"/ ext4", "/boot vfat"}; !slices.Equal(points, want) {
				t.Errorf("the file systems are %q, want %q", points, want)
			}
			for _, program := range []string{first.Disko.Format, first.Disko.Mount} {
				if !slices.ContainsFunc(first.Roots, func(root string) bool { return program == root || strings.HasPrefix(program, root+"/bin/") }) {
					t.Errorf("%s is not of the roots %q", program, first.Roots)
				}
			}
		})
	}
}
