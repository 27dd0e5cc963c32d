package nix

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/installable"
)

// failEval evaluates what must fail, and keeps what Nix says.
func (l *lab) failEval(name, ref string) *Error {
	l.t.Helper()
	var value any
	err := l.Eval(l.t.Context(), ref, installable.Configurations, "builtins.attrNames", &value)
	var failed *Error
	if !errors.As(err, &failed) {
		l.t.Fatalf("%s: Eval(%s) = %v, want an *Error", name, ref, err)
	}
	l.keep(name, l.nix, append(slices.Clone(features), "--store", l.store, "eval", "--json", "--log-format", "internal-json",
		"--no-write-lock-file", ref+"#"+installable.Configurations))
	return failed
}

// repository makes a git repository of a flake that imports a file.
func (l *lab) repository(name, file string) (folder string) {
	l.t.Helper()
	folder = filepath.Join(l.dir, name)
	l.write(filepath.Join(folder, "flake.nix"), `{ outputs = _: { nixosConfigurations = import ./`+file+`; }; }`)
	l.git(folder, "init", "-q")
	l.git(folder, "add", "flake.nix")
	return folder
}

func (l *lab) commit(folder string) {
	l.t.Helper()
	l.git(folder, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x")
}

func TestEvalSubmodule(t *testing.T) {
	l := newLab(t, Options{})
	module := filepath.Join(l.dir, "module")
	l.write(filepath.Join(module, "host.nix"), "{ }")
	l.git(filepath.Dir(module), "init", "-q", module)
	l.git(module, "add", ".")
	l.commit(module)
	folder := l.repository("repo", "mods/hosts/host.nix")
	l.git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module, "mods/hosts")
	l.write(filepath.Join(folder, "sub", "flake.nix"), `{ outputs = _: { nixosConfigurations = import ../mods/hosts/host.nix; }; }`)
	l.git(folder, "add", "sub")

	for ref, want := range map[string]string{
		folder:                              folder + "?submodules=1",
		folder + "/sub":                     folder + "/sub?submodules=1",
		"git+file://" + folder + "?dir=sub": "git+file://" + folder + "?dir=sub&submodules=1",
	} {
		e := l.failEval("submodule", ref)
		if e.Kind != KindSubmodule || e.Reference != want || e.Repository != folder || !strings.Contains(e.Message, "the git submodule mods/hosts,") {
			t.Errorf("Eval(%s) = %+v, want a submodule, and %s", ref, e, want)
		}
		var names []string
		if err := l.Eval(t.Context(), want, installable.Configurations, "builtins.attrNames", &names); err != nil {
			t.Errorf("Eval(%s), as advised: %v", want, err)
		}
	}
	// What the submodule itself lacks is not to be had so.
	l.write(filepath.Join(folder, "flake.nix"), `{ outputs = _: { nixosConfigurations = import ./mods/hosts/absent.nix; }; }`)
	if e := l.failEval("submodule-absent", folder+"?submodules=1"); e.Kind != KindMissingFile {
		t.Errorf("error = %+v, want a missing file", e)
	}
}

func TestEvalNested(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.repository("repo", "inner/host.nix")
	inner := filepath.Join(folder, "inner")
	l.write(filepath.Join(inner, "host.nix"), "{ }")
	l.git(inner, "init", "-q")
	l.git(inner, "add", ".")
	if e := l.failEval("nested", folder); e.Kind != KindNested || e.Repository != inner {
		t.Errorf("error = %+v, want a repository inside", e)
	}
}

// TestEvalOwner asks for the flake of another user, with a commit and without one:
// Nix 2.8 asks git for other things.
func TestEvalOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving a folder to another user needs root")
	}
	l := newLab(t, Options{})
	for name, commit := range map[string]bool{"owner-commit": true, "owner-empty": false} {
		folder := l.repository(name, "host.nix")
		if commit {
			l.commit(folder)
		}
		const nobody = 65534
		if err := os.Chown(folder, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(folder, ".git"), nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if e := l.failEval(name, folder); e.Kind != KindOwner || strings.TrimSuffix(e.Repository, "/") != folder {
			t.Errorf("%s: error = %+v, want the owner of %s", name, e, folder)
		}
	}
}

func TestEvalBadLock(t *testing.T) {
	l := newLab(t, Options{})
	folder := filepath.Join(l.dir, "f")
	l.write(filepath.Join(l.dir, "dep", "flake.nix"), `{ outputs = _: { }; }`)
	l.write(filepath.Join(folder, "flake.nix"), `{ inputs.dep.url = "path:`+l.dir+`/dep"; outputs = { self, dep }: { nixosConfigurations = { }; }; }`)
	l.write(filepath.Join(folder, "sub", "host.nix"), `{ }`)
	var names []string
	if err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, "builtins.attrNames", &names); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(folder, "flake.lock")
	good, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	half := string(good[:len(good)/2])
	for name, test := range map[string]struct{ content, message string }{
		"lock-conflict":  {half + "\n<<<<<<< HEAD\n" + string(good) + "=======\n>>>>>>> other\n", "has the marks of a merge conflict, in line "},
		"lock-empty":     {"", "is empty"},
		"lock-truncated": {half, "is damaged: "},
		"lock-other":     {"[ ]", "is damaged: "},
	} {
		l.write(lock, test.content)
		for _, ref := range []string{"path:" + folder, folder, folder + "/sub"} {
			e := l.failEval(name, ref)
			if e.Kind != KindBadLock || e.File != lock || !strings.HasPrefix(e.Message, lock+" "+test.message) {
				t.Errorf("%s: Eval(%s) = %+v, want %s %s", name, ref, e, lock, test.message)
			}
		}
	}
	l.write(lock, `{ "version": 99, "nodes": { }, "root": "root" }`)
	if e := l.failEval("lock-version", "path:"+folder); e.Kind != KindLockFile {
		t.Errorf("error = %+v, want the lock file", e)
	}
}

// TestLongExpressions gives Nix what does not fit into an argument of a program.
func TestLongExpressions(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "a b%20c"))
	if err := os.Mkdir(os.Getenv("TMPDIR"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--offline"}, {"--impure"}} {
		l := newLab(t, Options{}, flags...)
		folder := l.flake("f", "{ a = 1; }")
		for _, size := range []int{maxArgument - 100, maxArgument, maxArgument + 1, 4 << 20} {
			const frame = `cs: builtins.stringLength ""`
			want := size - len(frame)
			apply := `cs: builtins.stringLength "` + strings.Repeat("x", want) + `"`
			if len(apply) != size {
				t.Fatal("the test reckons wrongly")
			}
			var got int
			if err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, apply, &got); err != nil || got != want {
				t.Errorf("%v: Eval of %d bytes = %d, %v, want %d", flags, size, got, err, want)
			}
			got = 0
			if err := l.EvalExpression(t.Context(), "("+apply+") { }", &got); err != nil || got != want {
				t.Errorf("%v: EvalExpression of %d bytes = %d, %v, want %d", flags, size, got, err, want)
			}
		}
		// The evaluation is no less pure for it.
		if len(flags) == 0 {
			err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, "cs: builtins.readFile /etc/passwd /* "+strings.Repeat("x", maxArgument)+" */", new(any))
			if KindOf(err) != KindImpure {
				t.Errorf("reading a file of this machine = %v, want an impure evaluation", err)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "livebuild-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestLongFlags passes a flag that no program can be called with.
func TestLongFlags(t *testing.T) {
	l := newLab(t, Options{})
	l.options.Flags.Eval = append(l.options.Flags.Eval, "--option", "x", strings.Repeat("y", 200_000))
	var failed *ArgumentsError
	err := l.Eval(t.Context(), "path:"+l.flake("f", "{ }"), installable.Configurations, "x: x", new(any))
	if !errors.As(err, &failed) || failed.Longest != 200_000 {
		t.Errorf("Eval = %v, want an *ArgumentsError", err)
	}
}

// TestLinkedFlakes evaluates flakes by way of symbolic links, which Nix refuses.
func TestLinkedFlakes(t *testing.T) {
	l := newLab(t, Options{})
	real := l.repository("dotfiles", "host.nix")
	l.write(filepath.Join(real, "host.nix"), "{ a = 1; }")
	l.git(real, "add", ".")
	plain := filepath.Join(l.dir, "plain")
	l.write(filepath.Join(plain, "flake.nix"), `{ outputs = _: { nixosConfigurations = import ./host.nix; }; }`)
	l.write(filepath.Join(plain, "host.nix"), "{ a = 1; }")
	l.write(filepath.Join(l.dir, "nixos", "other.nix"), "{ }")
	for link, target := range map[string]string{
		"folder": plain, "twice": "folder", "up": "x/../plain", "repo": "dotfiles", "nixos/flake.nix": "../plain/flake.nix",
	} {
		if err := os.Symlink(target, filepath.Join(l.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(l.dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(l.dir)
	for ref, want := range map[string]string{
		"./folder":                      plain,
		"./folder/":                     plain,
		"folder/flake.nix":              plain,
		l.dir + "/twice":                plain,
		"./up":                          plain,
		"path:" + l.dir + "/folder":     "path:" + plain,
		"./nixos":                       plain,
		"path:./nixos":                  "path:" + plain,
		"git+file://" + l.dir + "/repo": "git+file://" + l.dir + "/dotfiles",
		"./plain":                       "./plain",
		"./absent":                      "./absent",
	} {
		of, err := installable.Parse(ref + "#a")
		if err != nil || of.Ref != want {
			t.Errorf("Parse(%s) = %q, %v, want %q", ref, of.Ref, err, want)
			continue
		}
		if ref == "./absent" {
			continue
		}
		var names []string
		if err := l.Eval(t.Context(), of.Ref, installable.Configurations, "builtins.attrNames", &names); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("Eval(%s) = %v, %v", of.Ref, names, err)
		}
	}
	// Inside of a repository Nix follows a link itself.
	if err := os.MkdirAll(filepath.Join(real, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../flake.nix", filepath.Join(real, "sub", "flake.nix")); err != nil {
		t.Fatal(err)
	}
	if of, err := installable.Parse(filepath.Join(real, "sub") + "#a"); err != nil || of.Ref != filepath.Join(real, "sub") {
		t.Errorf("a link inside of a repository becomes %q, %v", of.Ref, err)
	}
}
