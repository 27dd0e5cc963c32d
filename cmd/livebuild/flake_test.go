package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// root is that of the sources.
const root = "../.."

// TestFlakeVendorHash compares the hash in package.nix with Nix' own of what it hashes.
func TestFlakeVendorHash(t *testing.T) {
	if testing.Short() {
		t.Skip("may download modules")
	}
	need.Path(t, "nix-bin", "nix")
	vendor := filepath.Join(t.TempDir(), "vendor")
	cmd := exec.Command("go", "mod", "vendor", "-o", vendor)
	cmd.Dir = root
	if o := runCommand(t, cmd); o.status != 0 {
		t.Fatalf("go mod vendor: %s", o.stderr)
	}
	got := strings.TrimSpace(judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command", "hash", "path", vendor))
	if want := fmt.Sprintf("vendorHash = %q;", got); !strings.Contains(string(readFile(t, root+"/package.nix")), want) {
		t.Errorf("package.nix lacks %s: run 'make vendor-hash'", want)
	}
}

// realNixpkgs is a store of a test's own for evaluations with a real nixpkgs.
type realNixpkgs struct {
	call
	tree string // as LIVEBUILD_NIXPKGS names it
	as   string // a flake: the tree as the newest nixpkgs would be
}

// newRealNixpkgs leaves the test out where there is no nixpkgs.
func newRealNixpkgs(t *testing.T) *realNixpkgs {
	const variable = "LIVEBUILD_NIXPKGS"
	tree := os.Getenv(variable)
	if tree == "" {
		need.LeaveOut(t, "nixpkgs", variable+" names no tree of NixOS 24.05")
	}
	// In memory: tens of thousands of files are copied to it.
	store := mount(t, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
	n := &realNixpkgs{
		call: call{dir: t.TempDir(), env: []string{
			"NIX_REMOTE=local?root=" + store,
			"NIX_CONFIG=" + nixConfig + "\nfsync-metadata = false\nextra-experimental-features = nix-command flakes",
			// Nix before 2.24 crashes in its garbage collector on such evaluations.
			"GC_DONT_GC=1",
		}},
		tree: tree,
		as:   filepath.Join(t.TempDir(), "nixpkgs"),
	}
	// Two things stand in for what a tree of NixOS 24.05 does not have: a Go as new as go.mod
	// asks for, which is the old one by another number, since nothing is built; and Haskell, which
	// trees without its package list cannot evaluate.
	n.write(t, filepath.Join(n.as, "flake.nix"), fmt.Sprintf(`{
  inputs.tree = { url = "path:%s"; flake = false; };
  outputs = { self, tree }:
    let
      overlay = final: prev: {
        go_%s = prev.go.overrideAttrs { version = "%s"; };
        nixfmt-rfc-style = prev.nixpkgs-fmt;
        shellcheck = prev.hello;
        shellcheck-minimal = prev.hello // { compiler.meta.platforms = [ ]; };
      };
      lib = import "${tree}/lib";
    in
    {
      lib = lib // {
        nixosSystem = args: import "${tree}/nixos/lib/eval-config.nix" (args // {
          inherit lib;
          system = args.system or null;
          modules = args.modules ++ [ { nixpkgs.overlays = [ overlay ]; } ];
        });
      };
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system:
        import tree { inherit system; overlays = [ overlay ]; });
    };
}
`, tree, strings.ReplaceAll(goMinor(t), ".", "_"), goMinor(t)+".99"))
	return n
}

// goMinor is the Go that go.mod asks for, as "1.26".
func goMinor(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindSubmatch(readFile(t, root+"/go.mod"))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	return string(m[1])
}

func (n *realNixpkgs) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// eval runs nix eval with a flake as nixpkgs.
func (n *realNixpkgs) eval(t *testing.T, nixpkgs string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command("nix", append([]string{"eval", "--json", "--no-write-lock-file", "--override-input", "nixpkgs", nixpkgs}, args...)...)
	cmd.Dir, cmd.Env = n.dir, environment(t, n.env...)
	return runCommand(t, cmd)
}

// TestFlakeOutputs evaluates all outputs of the flake with a real nixpkgs.
func TestFlakeOutputs(t *testing.T) {
	n := newRealNixpkgs(t)
	flake := n.copySources(t)
	get := func(t *testing.T, output, apply string, v any) {
		t.Helper()
		o := n.eval(t, "path:"+n.as, flake+"#"+output, "--apply", apply)
		if o.status != 0 {
			t.Fatalf("%s: status %d\n%s", output, o.status, o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), v); err != nil {
			t.Fatal(err)
		}
	}
	for output, want := range map[string]string{
		"packages":  "default livebuild",
		"checks":    "format nixos package without-cgo",
		"devShells": "default",
	} {
		t.Run(output, func(t *testing.T) {
			var got map[string]map[string]string
			get(t, output, "builtins.mapAttrs (_: builtins.mapAttrs (_: d: d.drvPath))", &got)
			for _, system := range []string{"x86_64-linux", "aarch64-linux"} {
				if names := strings.Join(slices.Sorted(maps.Keys(got[system])), " "); names != want {
					t.Errorf("%s of %s: %s, want %s", output, system, names, want)
				}
				for name, drv := range got[system] {
					if !strings.HasPrefix(drv, "/nix/store/") || !strings.HasSuffix(drv, ".drv") {
						t.Errorf("%s.%s.%s is %s", output, system, name, drv)
					}
				}
			}
		})
	}
	t.Run("apps", func(t *testing.T) {
		var got map[string]map[string]struct{ Type, Program string }
		get(t, "apps", "x: x", &got)
		for _, system := range []string{"x86_64-linux", "aarch64-linux"} {
			if app := got[system]["default"]; app.Type != "app" || !strings.HasSuffix(app.Program, "/bin/livebuild") {
				t.Errorf("the app of %s is %+v", system, app)
			}
		}
	})
	t.Run("formatter", func(t *testing.T) {
		var got map[string]string
		get(t, "formatter", "builtins.mapAttrs (_: d: d.drvPath)", &got)
		if len(got) != 2 {
			t.Errorf("formatters: %v", got)
		}
	})
	t.Run("overlay", func(t *testing.T) {
		var got string
		get(t, "overlays.default", `f: (f { callPackage = _: a: a // { overrideAttrs = _: "taken"; }; go.version = "99"; buildGoModule.override = x: x; } { }).livebuild`, &got)
		if got != "taken" {
			t.Errorf("the overlay gives %s", got)
		}
	})
	t.Run("package", func(t *testing.T) {
		var got struct {
			Version, Go, GoModules, Main, Vendor string
			Ldflags                              []string
		}
		get(t, "packages.x86_64-linux.default",
			"d: { inherit (d) version ldflags; go = d.go.version; goModules = d.goModules.drvPath; main = d.meta.mainProgram; vendor = d.vendorHash; }", &got)
		if got.Version == "" || got.Main != "livebuild" || got.Go != goMinor(t)+".99" || !strings.HasPrefix(got.Vendor, "sha256-") {
			t.Errorf("the package is %+v", got)
		}
		if flags := strings.Join(got.Ldflags, " "); !strings.Contains(flags, "cli.release="+got.Version) || !strings.Contains(flags, "cli.revision=") {
			t.Errorf("the linker's flags are %s", flags)
		}
	})
	t.Run("module", func(t *testing.T) {
		n.write(t, filepath.Join(n.dir, "machine", "flake.nix"), fmt.Sprintf(`{
  inputs.nixpkgs.url = "path:%s";
  inputs.livebuild.url = "%s";
  inputs.livebuild.inputs.nixpkgs.follows = "nixpkgs";
  outputs = { self, nixpkgs, livebuild }: {
    machine = (nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        livebuild.nixosModules.default
        { programs.livebuild = { enable = true; emulatedSystems = [ "aarch64-linux" ]; virtualMachines = true; }; }
      ];
    }).config;
  };
}
`, n.as, flake))
		var got struct {
			Packages []string
			Emulated []string
		}
		cmd := exec.Command("nix", "eval", "--json", "path:"+n.dir+"/machine#machine", "--apply",
			"c: { packages = map (p: p.name) c.environment.systemPackages; emulated = c.boot.binfmt.emulatedSystems; }")
		cmd.Env = environment(t, n.env...)
		o := runCommand(t, cmd)
		if o.status != 0 {
			t.Fatal(o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
			t.Fatal(err)
		}
		if names := strings.Join(got.Packages, " "); !strings.Contains(names, "livebuild-") || !strings.Contains(names, "qemu-") {
			t.Errorf("the machine has %s", names)
		}
		if len(got.Emulated) != 1 {
			t.Errorf("it emulates %q", got.Emulated)
		}
	})
	// What a stable nixpkgs says whose Go is too old.
	t.Run("old Go", func(t *testing.T) {
		o := n.eval(t, "path:"+n.tree, flake+"#packages.x86_64-linux.default.drvPath")
		if want := "livebuild needs Go " + goMinor(t); o.status == 0 || !strings.Contains(o.stderr, want) || !strings.Contains(o.stderr, "inputs.livebuild.inputs.nixpkgs.url") {
			t.Errorf("status %d, want %q\n%s", o.status, want, o.stderr)
		}
	})
}

// copySources copies what Nix would see of the sources, so that what lies about in them
// is not copied to the store, and returns the copy as a flake.
func (n *realNixpkgs) copySources(t *testing.T) string {
	t.Helper()
	need.Path(t, "git", "git")
	folder := filepath.Join(n.dir, "livebuild")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	judge(t, "git", "sh", "-euc", `cd "$1"; git ls-files -z --cached --others --exclude-standard |
		tar -c --ignore-failed-read --null -T - | tar -x -C "$2"`, "sh", root, folder)
	return "path:" + folder
}

// TestFlakeUpstream evaluates what "make nixpkgs" lays out for nixpkgs as nixpkgs would.
func TestFlakeUpstream(t *testing.T) {
	n := newRealNixpkgs(t)
	need.Path(t, "git", "git")
	sources := filepath.Join(n.dir, "clone")
	judge(t, "git", "git", "clone", "-q", root, sources)
	judge(t, "git", sources+"/testdata/flake/nixpkgs.sh", n.dir+"/upstream")
	n.write(t, filepath.Join(n.dir, "upstream", "flake.nix"), `{
  outputs = { self, nixpkgs }:
    let
      pkgs = nixpkgs.legacyPackages.x86_64-linux.extend (final: prev: {
        livebuild = final.callPackage ./pkgs/by-name/li/livebuild/package.nix {
          buildGoModule = final.buildGoModule.override { go = final.go_`+strings.ReplaceAll(goMinor(t), ".", "_")+`; };
          nixosTests.livebuild = final.testers.runNixOSTest ./nixos/tests/livebuild;
        };
      });
    in
    {
      package = {
        inherit (pkgs.livebuild) drvPath version;
        inherit (pkgs.livebuild.src) outputHash urls;
        test = pkgs.livebuild.tests.livebuild.drvPath;
      };
    };
}
`)
	o := n.eval(t, "path:"+n.as, "path:"+n.dir+"/upstream#package")
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	var got struct {
		DrvPath, Version, OutputHash, Test string
		URLs                               []string `json:"urls"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
		t.Fatal(err)
	}
	tag := "https://github.com/livebuild/livebuild/archive/v" + got.Version + ".tar.gz"
	if !strings.HasSuffix(got.DrvPath, ".drv") || !strings.HasSuffix(got.Test, ".drv") || !slices.Equal(got.URLs, []string{tag}) {
		t.Errorf("it evaluates to %+v", got)
	}
	// What is in the archive of the tag, without git's own folder.
	judge(t, "git", "rm", "-rf", sources+"/.git")
	if want := strings.TrimSpace(judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command", "hash", "path", sources)); got.OutputHash != want {
		t.Errorf("the source's hash is %s, want %s", got.OutputHash, want)
	}
}
