package nix

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

// TestStores builds in one store what another one evaluates, and reads it where it
// ends up. For Nix, localhost is another machine that needs no ssh: it starts the
// remote end of the protocol itself (SSHMaster in src/libstore/ssh.cc).
func TestStores(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string // with paths below the lab's folder
		built string   // where things are built
		read  string   // and read
	}{
		"eval store":               {[]string{"--eval-store", "./store", "--store", "./other"}, "other", "other"},
		"other machine":            {[]string{"--eval-store", "./store", "--store", "ssh-ng://localhost?remote-store=./other"}, "other", "store"},
		"other machine, same root": {[]string{"--store", "./other", "--eval-store", "./other"}, "other", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, Options{})
			var flags []string
			for _, flag := range test.flags {
				flags = append(flags, strings.ReplaceAll(flag, "./", l.dir+"/"))
			}
			var err error
			if l.options.Flags, _, err = ParseFlags(flags); err != nil {
				t.Fatal(err)
			}
			folder := l.flake("f", chain)
			targets := l.targets(folder, "top", "plain")
			missing, err := l.Missing(t.Context(), targets)
			if err != nil || names(missing.Build) != "leaf top" {
				t.Errorf("Missing = %+v, %v, want leaf and top to be built", missing, err)
			}
			root := filepath.Join(l.dir, "root")
			paths, err := l.Realise(t.Context(), targets, root)
			if err != nil || len(paths) != 2 {
				t.Fatalf("Realise = %q, %v", paths, err)
			}
			if _, err := os.Readlink(root); err != nil {
				t.Errorf("nothing holds what was built: %v", err)
			}
			store, err := l.Store(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			closure, err := l.Closure(t.Context(), paths)
			if err != nil || len(closure.Paths) != 3 {
				t.Fatalf("Closure = %+v, %v, want leaf, top and plain", closure, err)
			}
			for _, info := range closure.Paths {
				if got, want := store.PhysicalPath(info.Path), filepath.Join(l.dir, test.read, info.Path); got != want || !exists(got) {
					t.Errorf("%s is read from %s, want %s", info.Path, got, want)
				}
				if !exists(filepath.Join(l.dir, test.built, info.Path)) {
					t.Errorf("%s is not in the store that builds", info.Path)
				}
			}
		})
	}
}

// TestUnreachableStore has Nix look for a machine that does not exist.
func TestUnreachableStore(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", chain)
	targets := l.targets(folder, "top")
	var err error
	if l.options.Flags, _, err = ParseFlags([]string{"--eval-store", l.store, "--store", "ssh-ng://nowhere.invalid"}); err != nil {
		t.Fatal(err)
	}
	l.settings = nil
	if _, err := l.Realise(t.Context(), targets, filepath.Join(l.dir, "root")); KindOf(err) != KindRemote {
		t.Errorf("Realise = %v (kind %d), want KindRemote", err, KindOf(err))
	}
}

// TestBuildDependencies checks that a derivation can be built again from its
// closure alone.
func TestBuildDependencies(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", `rec {
  leaf = sh "leaf" "echo leaf >$out";
  two = derivation { name = "two"; system = leaf.system; inherit (leaf) builder PATH; outputs = [ "out" "dev" ]; args = [ "sh" "-euc" "echo ${leaf} | cut -c 1-5 >$out; echo dev >$dev" ]; };
  top = sh "top" "cut -c 1-5 ${two} >$out";
}`)
	drv := l.targets(folder, "top")[0].Path
	targets, err := l.BuildDependencies(t.Context(), []string{drv})
	if err != nil || len(targets) != 3 || targets[2].Path != drv {
		t.Fatalf("BuildDependencies = %+v, %v, want leaf, two and top", targets, err)
	}
	if _, err := l.Realise(t.Context(), targets, filepath.Join(l.dir, "root")); err != nil {
		t.Fatal(err)
	}
	closure, err := l.Closure(t.Context(), []string{drv})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, info := range closure.Paths {
		got = append(got, store.DerivationName(strings.TrimSuffix(info.Path, ".drv")))
	}
	slices.Sort(got)
	// Derivations, outputs, and the folder with busybox.
	if want := []string{"bin", "leaf", "leaf", "top", "top", "two", "two", "two-dev"}; !slices.Equal(got, want) {
		t.Errorf("the closure has %q, want %q", got, want)
	}
}

// TestSearchPath evaluates an expression with names in angle brackets.
func TestSearchPath(t *testing.T) {
	l := newLab(t, Options{})
	l.write(filepath.Join(l.dir, "lib/value.nix"), `"found"`)
	l.options.Flags.Eval = append(l.options.Flags.Eval, "--include", "somewhere="+l.dir+"/lib")
	var got string
	if err := l.EvalExpression(t.Context(), "import <somewhere/value.nix>", &got); err != nil || got != "found" {
		t.Errorf("EvalExpression = %q, %v", got, err)
	}
	if err := l.EvalExpression(t.Context(), "import <nowhere/value.nix>", &got); KindOf(err) != KindSearchPath {
		t.Errorf("EvalExpression = %v (kind %d), want KindSearchPath", err, KindOf(err))
	}
}
