package nixos

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// moduleScripts has Nix read what the modules have live systems do, in both kinds of stage 1 and behind it, as a set of
// scripts by what they are called here.
const moduleScripts = `
let
  folder = %s;
  lib = { mkIf = condition: value: if condition then value else null; mkMerge = list: list; mkAfter = text: text; mkOverride = _: v: v; };
  pkgs = {
    writeShellScriptBin = name: text: { inherit text; };
    stdenv.hostPlatform.isx86 = true;
    makeModulesClosure = _: "/modules";
    util-linux = "/util-linux"; e2fsprogs = "/e2fsprogs"; cryptsetup = "/cryptsetup";
  };
  module = systemd: file: file {
    inherit lib pkgs;
    modulesPath = %s;
    options.boot.initrd.systemd.services = { };
    config = {
      isoImage.makeBiosBootable = true;
      fileSystems."/iso" = { device = "/dev/disk/by-label/LIVE"; mountPoint = "/iso"; };
      boot.initrd.systemd = { enable = systemd; package.util-linux = "/util-linux"; };
      system.modulesTree = "";
      hardware.firmware = [ ];
    };
  };
  # What a module's parts have at a path, joined.
  at = found: path:
    let
      parts = if builtins.isList found.config then found.config else [ found.config ];
      get = set: path: if path == [ ] then set else if set ? ${builtins.head path} then get set.${builtins.head path} (builtins.tail path) else null;
    in
    builtins.concatStringsSep "\n" (builtins.filter builtins.isString (map (part: get part path) parts));
  stage1 = name: file: {
    "${name}, scripted" =
      at (module false file) [ "boot" "initrd" "postDeviceCommands" ] + "\n" + at (module false file) [ "boot" "initrd" "postMountCommands" ];
  };
  unit = name: service: file: {
    "${name}, unit ${service}" = at (module true file) [ "boot" "initrd" "systemd" "services" service "script" ];
  };
  persist = kind: import (folder + "/persist.nix") kind;
  command = builtins.concatMap (part: part.environment.systemPackages or [ ]) (module false (persist "luks")).config;
  medium = import (folder + "/medium.nix");
in
stage1 "medium" medium
// unit "medium" "livebuild-check" medium
// stage1 "persist" (persist "plain")
// stage1 "persist with LUKS" (persist "luks")
// unit "persist" "livebuild-persist" (persist "luks")
// unit "persist" "livebuild-persist-store" (persist "luks")
// unit "loopback" "livebuild-find-image" (import (folder + "/loopback.nix"))
// unit "stamp" "livebuild-copy-stamp" (import (folder + "/stamp.nix"))
// { "persist, command" = (builtins.head command).text; }
`

// TestModuleScripts has shellcheck judge the scripts that modules have in them, as 'make lint' has it judge files.
func TestModuleScripts(t *testing.T) {
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	// What persist.nix takes from nixpkgs.
	modules := filepath.Join(t.TempDir(), "modules")
	if err := os.MkdirAll(filepath.Join(filepath.Dir(modules), "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	utils := `_: { escapeSystemdPath = builtins.replaceStrings [ "/" ] [ "-" ]; fsNeededForBoot = _: true; }`
	if err := os.WriteFile(filepath.Join(modules, "../lib/utils.nix"), []byte(utils), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(judge.Path(t, "nix-bin", "nix-instantiate"), "--eval", "--strict", "--json", "--expr", fmt.Sprintf(moduleScripts, folder, modules))
	cmd.Env = append(os.Environ(), "NIX_STATE_DIR="+t.TempDir(), "NIX_STORE_DIR="+t.TempDir(), "NIX_REMOTE=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var scripts map[string]string
	if err := json.Unmarshal(out, &scripts); err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		if strings.TrimSpace(script) == "" {
			t.Errorf("%s is empty", name)
			continue
		}
		// "IFS==" is meant, and some variables are read by the stage 1 around a script.
		cmd := exec.Command(judge.Path(t, "shellcheck", "shellcheck"), "--shell", "dash", "--severity", "warning", "--exclude", "SC1097,SC2034", "--format", "gcc", "-")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
