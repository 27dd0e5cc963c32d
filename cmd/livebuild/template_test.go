package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/template"
)

// TestTemplates writes every template, plans what it makes with a real nixpkgs, and compares it
// with what Nix writes.
func TestTemplates(t *testing.T) {
	n := newRealNixpkgs(t)
	templates := n.copySources(t)
	// Without a lock file, Nix would ask for the newest nixpkgs.
	lock := exec.Command("nix", "flake", "lock", templates, "--override-input", "nixpkgs", "path:"+n.as)
	lock.Env = environment(t, n.env...)
	if o := runCommand(t, lock); o.status != 0 {
		t.Fatal(o.stderr)
	}
	for _, test := range []struct {
		name, system, volumeID string
		modes                  string
		installed              []string
	}{
		{"minimal", "x86_64-linux", "nixos-minimal-24.05-x86_64", "bios-cd bios-usb uefi-cd uefi-usb", []string{"example"}},
		{"graphical", "x86_64-linux", "nixos-example-24.05-x86_64", "bios-cd bios-usb uefi-cd uefi-usb", []string{"example"}},
		{"rescue", "x86_64-linux", "nixos-rescue-24.05-x86_64", "bios-cd bios-usb uefi-cd uefi-usb", []string{"example"}},
		{"installer", "x86_64-linux", "nixos-installer-24.05-x86_64", "bios-cd bios-usb uefi-cd uefi-usb", []string{"example"}},
		{"aarch64", "aarch64-linux", "nixos-minimal-24.05-aarch64", "uefi-cd uefi-usb", []string{"example"}},
		{"multi", "x86_64-linux", "nixos-minimal-24.05-x86_64", "bios-cd bios-usb uefi-cd uefi-usb", []string{"desk", "server"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(n.dir, test.name)
			o := n.livebuild(t, "init", folder, "--template", test.name, "--git", "--json")
			var wrote struct {
				Folder, Template string
				Files            []string
				NewRepository    bool `json:"new_repository"`
			}
			if err := json.Unmarshal([]byte(o.stdout), &wrote); err != nil || o.status != 0 {
				t.Fatalf("status %d, %v\n%s%s", o.status, err, o.stdout, o.stderr)
			}
			if wrote.Folder != folder || wrote.Template != test.name || !wrote.NewRepository || !slices.Contains(wrote.Files, "flake.nix") {
				t.Errorf("init says %+v", wrote)
			}

			byNix := folder + ".nix"
			// In the machine's own store: Nix 2.8 looks for templates in no other.
			run := exec.Command("sh", "-euc", `mkdir "$1"; cd "$1"; nix --extra-experimental-features 'nix-command flakes' flake init --template "$2"
				cd ..; diff -r --exclude .git "$1" "$3"`, "sh", byNix, templates+"#"+test.name, folder)
			run.Env = environment(t)
			if o := runCommand(t, run); o.status != 0 {
				t.Errorf("Nix writes something else: %s%s", o.stdout, o.stderr)
			}

			with := []string{"--override-input", "nixpkgs", "path:" + n.as, "--no-write-lock-file"}
			asked := append([]string{folder + "#exampleIso"}, with...)
			if test.name == "installer" {
				// Its inputs are other ones than those of a lock.
				asked = append(asked, "--install", folder+"#example", "--install-source", "none")
			}
			p := n.plan(t, asked...)
			if got := strings.Join(p.Modes, " "); p.VolumeID != test.volumeID || p.System != test.system || got != test.modes {
				t.Errorf("the medium is %s of %s, and boots as %s", p.VolumeID, p.System, got)
			}
			if test.name == "multi" { // which says that all can be on one medium
				together := []string{"--compression", "zstd:6", folder + "#exampleIso"}
				for _, host := range test.installed {
					together = append(together, folder+"#"+host)
				}
				if all := n.plan(t, append(together, with...)...); len(all.Systems) != 1+len(test.installed) || all.VolumeID != test.volumeID {
					t.Errorf("on one medium are %+v, with the volume ID %s", all.Systems, all.VolumeID)
				}
			}
			for _, host := range test.installed {
				if test.name == "multi" { // which says that each can be live
					live := n.plan(t, append([]string{folder + "#" + host}, with...)...)
					if live.System != test.system || !strings.Contains(live.VolumeID, host) {
						t.Errorf("%s, made live, is %s of %s", host, live.VolumeID, live.System)
					}
				}
				o := n.eval(t, "path:"+n.as, "path:"+folder+"#nixosConfigurations."+host+".config.system.build.toplevel.drvPath")
				if o.status != 0 {
					t.Errorf("%s does not evaluate: %s", host, o.stderr)
				}
				if test.name == "installer" {
					system := n.eval(t, "path:"+n.as, "path:"+folder+"#nixosConfigurations."+host+".config.system.build.toplevel.outPath")
					if path := strings.Trim(system.stdout, "\"\n"); !slices.Contains(p.StoreContents, path) {
						t.Errorf("the medium holds %q, without the system %s", p.StoreContents, path)
					}
				}
			}
		})
	}
}

// TestTemplatesParse has Nix parse every template, where there is no nixpkgs to evaluate them with.
func TestTemplatesParse(t *testing.T) {
	need.Path(t, "nix-bin", "nix-instantiate")
	for _, tmpl := range template.List() {
		files, err := filepath.Glob(root + "/internal/template/" + tmpl.Name + "/*.nix")
		if err != nil || len(files) < 3 {
			t.Fatalf("%s: %q, %v", tmpl.Name, files, err)
		}
		judge(t, "nix-bin", "nix-instantiate", append([]string{"--parse"}, files...)...)
	}
}
