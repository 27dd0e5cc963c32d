package nix

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

// self refers to itself, to leaf and to a plain file.
const self = `rec {
  leaf = sh "leaf" "echo leaf >$out";
  a = sh "self" "echo $out ${leaf} ${./flake.nix} >$out";
}`

func TestClosure(t *testing.T) {
	l := newLab(t, Options{})
	paths, err := l.Realise(t.Context(), l.targets(l.flake("f", self), "a"), filepath.Join(l.dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	closure, err := l.Closure(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	if *record != "" {
		o, err := l.runStore(t.Context(), Querying, []string{"--dump-db"}, paths)
		if err != nil {
			t.Fatal(err)
		}
		l.write(filepath.Join(l.recordFolder(), "dump-db.txt"), string(o.stdout))
	}
	if len(closure.Paths) != 3 || closure.NarSize() == 0 {
		t.Fatalf("closure = %+v, want 3 paths", closure)
	}
	if !slices.IsSortedFunc(closure.Paths, func(a, b store.PathInfo) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("closure is not sorted: %+v", closure)
	}
	i := slices.IndexFunc(closure.Paths, func(p store.PathInfo) bool { return p.Path == paths[0] })
	if refs := closure.Paths[i].References; len(refs) != 3 || !slices.Contains(refs, paths[0]) || !slices.IsSorted(refs) {
		t.Errorf("references of %s = %v", paths[0], refs)
	}
	var text bytes.Buffer
	if err := closure.WriteRegistration(&text); err != nil {
		t.Fatal(err)
	}

	// An empty database takes the registration and then says the same.
	load := exec.Command("nix-store", "--store", filepath.Join(l.dir, "other"), "--load-db")
	load.Stdin = bytes.NewReader(text.Bytes())
	if output, err := load.CombinedOutput(); err != nil {
		t.Fatalf("nix-store --load-db: %v\n%s", err, output)
	}
	l.options.Flags.Store = []string{"--store", filepath.Join(l.dir, "other")}
	loaded, err := l.Closure(t.Context(), paths)
	if err != nil || !reflect.DeepEqual(loaded, closure) {
		t.Errorf("closure after --load-db = %+v, %v, want %+v", loaded, err, closure)
	}
}

func TestRegistrationReadsBack(t *testing.T) {
	l := newLab(t, Options{})
	paths, err := l.Realise(t.Context(), l.targets(l.flake("f", self), "a"), filepath.Join(l.dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	closure, err := l.Closure(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := closure.WriteRegistration(&text); err != nil {
		t.Fatal(err)
	}
	again, err := store.ReadRegistration(&text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, closure) {
		t.Errorf("read back %+v, want %+v", again, closure)
	}
}
