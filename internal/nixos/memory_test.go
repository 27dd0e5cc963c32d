package nixos

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// remembering is a copy of the test flake in a git repository, and a Nix with a store and a
// cache of their own.
type remembering struct {
	*testing.T
	nix   *nix.Nix
	of    installable.Installable
	root  string // of the store
	dir   string
	cache evalcache.Cache
}

func newRemembering(t *testing.T) *remembering {
	t.Helper()
	n, _, root := flake(t, "minimal")
	r := &remembering{T: t, nix: n, root: root, dir: filepath.Join(root, "flake"), cache: evalcache.In(filepath.Join(root, "livebuild"))}
	if err := os.CopyFS(r.dir, os.DirFS("testdata/flake")); err != nil {
		t.Fatal(err)
	}
	r.of = installable.Installable{Ref: "git+file://" + r.dir, Name: "minimal"}
	r.git("init", "-q")
	r.git("add", ".")
	return r
}

func (r *remembering) git(args ...string) {
	r.Helper()
	if out, err := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=a", "-c", "user.email=a@b"}, args...)...).CombinedOutput(); err != nil {
		r.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// evaluate returns what is said, and checks whether that was known.
func (r *remembering) evaluate(n *nix.Nix, with Changes, known bool) *System {
	r.Helper()
	s, err := Evaluate(r.Context(), n, r.of, with, r.cache)
	if err != nil {
		r.Fatal(err)
	}
	if s.Known != known {
		r.Errorf("the evaluation was known: %t, want %t", s.Known, known)
	}
	s.Known = false
	return s
}

func (r *remembering) edit(from, to string) {
	r.Helper()
	file := filepath.Join(r.dir, "flake.nix")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), from) {
		r.Fatalf("there is no %q in the flake (%v)", from, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o644); err != nil {
		r.Fatal(err)
	}
}

// What was evaluated once is known, as it was, until something changes that it is made of.
func TestKnownEvaluation(t *testing.T) {
	r := newRemembering(t)
	first := r.evaluate(r.nix, Changes{}, false)
	if !strings.Contains(string(first.Metadata), "narHash") {
		t.Errorf("the metadata are %s", first.Metadata)
	}
	if again := r.evaluate(r.nix, Changes{}, true); !reflect.DeepEqual(first, again) {
		t.Errorf("remembered is\n%+v, evaluated was\n%+v", again, first)
	}
	r.evaluate(r.nix, Changes{NoLive: true}, false)
	r.evaluate(r.nix, Changes{NoLive: true}, true)

	// A work tree is another one with each change, and the one it was without.
	r.edit(`"24.05"`, `"24.06"`)
	if s := r.evaluate(r.nix, Changes{}, false); s.Label != "24.06" {
		t.Errorf("the label is %q", s.Label)
	}
	r.edit(`"24.06"`, `"24.05"`)
	r.evaluate(r.nix, Changes{}, true)

	// A commit can be seen by an evaluation: self.rev.
	r.git("commit", "-qm", "first")
	r.evaluate(r.nix, Changes{}, false)
	r.evaluate(r.nix, Changes{}, true)

	// What it names is gone.
	for drv := range first.Realise {
		if out, err := exec.Command("nix-store", "--delete", "--ignore-liveness", drv).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		break
	}
	r.evaluate(r.nix, Changes{}, false)
	r.evaluate(r.nix, Changes{}, true)

	// What nobody wrote so is evaluated.
	files, err := filepath.Glob(filepath.Join(r.root, "livebuild", "evaluations", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no answers (%v)", err)
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte(`{"system":{}}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.evaluate(r.nix, Changes{}, false)
}

// An evaluation that can see more than the flake is never known.
func TestUnknownEvaluation(t *testing.T) {
	r := newRemembering(t)
	for _, flags := range [][]string{{"--impure"}, {"--include", "x=/"}, {"--option", "pure-eval", "false"}} {
		parsed, _, err := nix.ParseFlags(flags)
		if err != nil {
			t.Fatal(err)
		}
		n, err := nix.Find(t.Context(), nix.Options{Env: os.Environ(), Flags: parsed})
		if err != nil {
			t.Fatal(err)
		}
		r.evaluate(n, Changes{}, false)
		r.evaluate(n, Changes{}, false)
	}
	file := filepath.Join(r.dir, "file.nix")
	if err := os.WriteFile(file, []byte("((import ./flake.nix).outputs { self = { }; }).nixosConfigurations"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.of = installable.Installable{File: file, Name: "minimal"}
	r.evaluate(r.nix, Changes{}, false)
	r.evaluate(r.nix, Changes{}, false)
	if files, err := filepath.Glob(filepath.Join(r.root, "livebuild", "evaluations", "*")); err != nil || len(files) > 0 {
		t.Errorf("%v are remembered (%v)", files, err)
	}
}
