package nix

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

func names(paths []string) string {
	var names []string
	for _, p := range paths {
		names = append(names, store.DerivationName(p))
	}
	return strings.Join(names, " ")
}

// sri is a hash as Nix prints it.
func sri(data string) string {
	hash := sha256.Sum256([]byte(data))
	return "sha256-" + base64.StdEncoding.EncodeToString(hash[:])
}

// chain has a leaf that top needs, and a derivation of two outputs.
const chain = `rec {
  leaf = sh "leaf" "echo making leaf; echo leaf >$out";
  top = sh "top" "echo ${leaf} >$out";
  two = derivation { name = "two"; system = leaf.system; inherit (leaf) builder PATH; outputs = [ "out" "dev" ]; args = [ "sh" "-euc" "echo $dev >$out; echo dev >$dev" ]; };
  plain = "${./bin}";
}`

func TestRealise(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", chain)
	top := l.targets(folder, "top")

	missing, err := l.Missing(t.Context(), top)
	if err != nil || names(missing.Build) != "leaf top" || missing.Fetch != nil {
		t.Errorf("Missing = %+v, %v, want leaf and top to be built", missing, err)
	}
	var last Progress
	l.options.Progress = func(p Progress) {
		if p.Builds.Done < last.Builds.Done || p.Builds.Expected < last.Builds.Expected {
			t.Errorf("progress went from %+v to %+v", last, p)
		}
		last = p
	}
	paths, err := l.Realise(t.Context(), top, filepath.Join(l.dir, "root"))
	if err != nil || names(paths) != "top" {
		t.Fatalf("Realise = %v, %v", paths, err)
	}
	if want := (Count{Done: 2, Expected: 2}); last.Phase != Building || last.Builds != want || len(last.Jobs) > 0 {
		t.Errorf("last progress = %+v, want 2 of 2 builds", last)
	}
	l.options.Progress = nil
	if missing, err := l.Missing(t.Context(), top); err != nil || missing.Build != nil {
		t.Errorf("Missing after Realise = %+v, %v", missing, err)
	}

	mixed := append(l.targets(folder, "plain"), l.targets(folder, "two.dev", "two.out")...)
	paths, err = l.Realise(t.Context(), mixed, filepath.Join(l.dir, "mixed"))
	if err != nil || names(paths) != "bin two two-dev" {
		t.Errorf("Realise(%+v) = %v, %v", mixed, paths, err)
	}
	// The links keep everything, and only they do.
	if err := l.collect(); err != nil {
		t.Fatal(err)
	}
	if missing, err := l.Missing(t.Context(), []Target{{Path: paths[1]}}); err != nil || missing.Unknown != nil {
		t.Errorf("Missing after a collection = %+v, %v", missing, err)
	}
	for _, link := range []string{"root", "mixed", "mixed-2", "mixed-2-dev"} {
		if err := os.Remove(filepath.Join(l.dir, link)); err != nil {
			t.Error(err)
		}
	}
	if err := l.collect(); err != nil {
		t.Fatal(err)
	}
	missing, err = l.Missing(t.Context(), []Target{{Path: paths[1]}})
	if err != nil || !slices.Equal(missing.Unknown, paths[1:2]) {
		t.Errorf("Missing after removal of the links = %+v, %v, want %s unknown", missing, err, paths[1])
	}
	if _, err := l.Realise(t.Context(), top, filepath.Join(l.dir, "root")); KindOf(err) != KindVanished {
		t.Errorf("Realise of a collected derivation = %#v, want KindVanished", err)
	}
	l.keep("vanished", l.nixStore, []string{"--store", l.store, "--realise", "--log-format", "internal-json", top[0].arg()})
	if _, err := l.Closure(t.Context(), paths[1:2]); KindOf(err) != KindVanished {
		t.Errorf("Closure of a collected path = %#v, want KindVanished", err)
	}
}

// collect runs the garbage collector.
func (l *lab) collect() error {
	_, err := l.runStore(l.t.Context(), Querying, []string{"--gc"}, nil)
	return err
}

func TestRealiseNothing(t *testing.T) {
	n := &Nix{nixStore: "/nonexistent"}
	if paths, err := n.Realise(t.Context(), nil, "root"); paths != nil || err != nil {
		t.Errorf("Realise of nothing = %v, %v", paths, err)
	}
	if missing, err := n.Missing(t.Context(), nil); missing.Build != nil || err != nil {
		t.Errorf("Missing of nothing = %v, %v", missing, err)
	}
	if closure, err := n.Closure(t.Context(), nil); len(closure.Paths) > 0 || err != nil {
		t.Errorf("Closure of nothing = %v, %v", closure, err)
	}
}

var failingBuilds = []struct {
	name   string
	body   string
	flags  []string
	kind   Kind
	drv    string // name of the derivation that failed
	reason string
	log    string // its last line
}{
	{name: "build-failed", body: `{ a = sh "top" "cat ${sh "leaf" "for i in $(seq 40); do echo line $i; done; exit 7"}"; }`,
		kind: KindBuild, drv: "leaf", reason: "builder failed with exit code 7", log: "line 40"},
	{name: "no-output-path", body: `{ a = sh "leaf" "echo idle"; }`, kind: KindBadOutput, drv: "leaf", reason: "failed to produce output path for output 'out'", log: "idle"},
	{name: "hash-mismatch", body: `{ a = derivation ((sh "leaf" "").drvAttrs // { args = [ "sh" "-c" "echo x >$out" ]; outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="; }); }`,
		kind: KindHashMismatch, drv: "leaf", reason: "hash mismatch: specified sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, got " + sri("x\n")},
	{name: "timeout", body: `{ a = sh "leaf" "sleep 100"; }`, flags: []string{"--timeout", "1"}, kind: KindTimeout, drv: "leaf", reason: "timed out after 1 seconds"},
	{name: "wrong-system", body: `{ a = on "riscv64-linux" "leaf" "echo >$out"; }`, kind: KindWrongSystem, drv: "leaf", reason: "needs a machine for riscv64-linux"},
	{name: "wrong-features", body: `{ a = derivation ((sh "leaf" "").drvAttrs // { requiredSystemFeatures = [ "warp" ]; }); }`, kind: KindWrongSystem, drv: "leaf", reason: "with features {warp}"},
	{name: "exec-format", body: `{ a = derivation ((sh "leaf" "").drvAttrs // { builder = "${./bin}/garbage"; }); }`, kind: KindExecFormat, drv: "leaf"},
	{name: "disk-full", body: `{ a = sh "leaf" "echo 'write error: No space left on device'; exit 1"; }`, kind: KindNoSpace, drv: "leaf", reason: "builder failed with exit code 1"},
}

func TestRealiseErrors(t *testing.T) {
	l := newLab(t, Options{})
	for _, test := range failingBuilds {
		t.Run(test.name, func(t *testing.T) {
			l := &lab{Nix: l.Nix, t: t, dir: l.dir, store: l.store}
			l.options.Flags.Store = append([]string{"--store", l.store}, test.flags...)
			targets := l.targets(l.flake("f", test.body), "a")
			_, err := l.Realise(t.Context(), targets, filepath.Join(l.dir, "root"))
			l.keep(test.name, l.nixStore, slices.Concat(l.options.Flags.Store, []string{"--realise", "--log-format", "internal-json", targets[0].arg()}))
			var failed *BuildError
			if !errors.As(err, &failed) {
				t.Fatalf("Realise = %#v, want a *BuildError", err)
			}
			if failed.Kind != test.kind || store.DerivationName(failed.Derivation) != test.drv || !strings.Contains(failed.Reason, test.reason) ||
				strings.ContainsAny(failed.Error(), "\n\x1b") || len(failed.Failed) != 1 {
				t.Errorf("Realise = %#v, want kind %d of %s: %s", failed, test.kind, test.drv, test.reason)
			}
			if test.log != "" && (len(failed.Log) == 0 || failed.Log[len(failed.Log)-1] != test.log || len(failed.Log) > logTail) {
				t.Errorf("log = %q, want the end %q", failed.Log, test.log)
			}
		})
	}
}

func TestRealiseKeepGoing(t *testing.T) {
	l := newLab(t, Options{}, "--keep-going")
	targets := l.targets(l.flake("f", `{ a = sh "a" "exit 1"; b = sh "b" "exit 1"; }`), "a", "b")
	_, err := l.Realise(t.Context(), targets, filepath.Join(l.dir, "root"))
	var failed *BuildError
	if !errors.As(err, &failed) || len(failed.Failed) != 2 {
		t.Errorf("Realise = %#v, want two failed derivations", err)
	}
}

func TestParseMissing(t *testing.T) {
	got := parseMissing(strings.Split(`this derivation will be built:
  /nix/store/a-x.drv
these 2 paths will be fetched (12.50 MiB download, 512.0 KiB unpacked):
  /nix/store/b-y
  /nix/store/c-z
something else:
  /nix/store/d-w
don't know how to build these paths:
  /nix/store/e-v`, "\n"))
	want := Missing{Build: []string{"/nix/store/a-x.drv"}, Fetch: []string{"/nix/store/b-y", "/nix/store/c-z"},
		Unknown: []string{"/nix/store/e-v"}, DownloadSize: 12<<20 + 1<<19, UnpackedSize: 512 << 10}
	if !slices.Equal(got.Build, want.Build) || !slices.Equal(got.Fetch, want.Fetch) || !slices.Equal(got.Unknown, want.Unknown) ||
		got.DownloadSize != want.DownloadSize || got.UnpackedSize != want.UnpackedSize {
		t.Errorf("parseMissing = %+v, want %+v", got, want)
	}
}

// TestMissingFetch asks for what a binary cache has.
func TestMissingFetch(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", chain)
	top := l.targets(folder, "top")
	paths, err := l.Realise(t.Context(), top, filepath.Join(l.dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	cache := "file://" + filepath.Join(l.dir, "cache")
	if _, err := l.evaluate(t.Context(), l.silent(), slices.Concat(features, []string{"copy", "--store", l.store, "--to", cache, paths[0]})); err != nil {
		t.Fatal(err)
	}
	other := newLab(t, Options{}, "--option", "substituters", cache, "--option", "require-sigs", "false")
	var last Progress
	other.options.Progress = func(p Progress) { last = p }
	targets := other.targets(folder, "top")
	missing, err := other.Missing(t.Context(), targets)
	if err != nil || len(missing.Fetch) != 2 || !slices.IsSorted(missing.Fetch) || missing.Build != nil {
		t.Errorf("Missing = %+v, %v, want leaf and top to be fetched", missing, err)
	}
	if _, err := other.Realise(t.Context(), targets, filepath.Join(other.dir, "root")); err != nil {
		t.Fatal(err)
	}
	if want := (Count{Done: 2, Expected: 2}); last.Paths != want {
		t.Errorf("progress = %+v, want 2 of 2 paths", last)
	}
}
