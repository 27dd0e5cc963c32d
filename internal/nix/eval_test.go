package nix

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/installable"
)

func TestQuote(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", "{ }")
	for _, want := range []string{``, `a"b\c`, "${x} $${y} $", "line\nline\ttab\r", "ü–‘’", `''`} {
		var got string
		if err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, "_: "+Quote(want), &got); err != nil || got != want {
			t.Errorf("evaluating %s = %q, %v, want %q", Quote(want), got, err, want)
		}
	}
}

func TestEval(t *testing.T) {
	var progress []Progress
	var messages []Message
	l := newLab(t, Options{
		Progress: func(p Progress) { progress = append(progress, p) },
		Message:  func(m Message) { messages = append(messages, m) },
	})
	folder := l.flake("f", `{ "a.b" = sh "x" "echo >$out"; }`)
	var got struct {
		Names []string
		Drv   string
	}
	err := l.Eval(t.Context(), "path:"+folder, installable.Configurations,
		`cs: builtins.trace "warning: careful" { names = builtins.attrNames cs; drv = cs."a.b".drvPath; }`, &got)
	if err != nil || !slices.Equal(got.Names, []string{"a.b"}) {
		t.Fatalf("Eval = %+v, %v", got, err)
	}
	store, err := l.Store(t.Context())
	if err != nil || !exists(store.PhysicalPath(got.Drv)) {
		t.Errorf("%s was not written to the store (%v)", got.Drv, err)
	}
	if n := len(progress); n == 0 || progress[n-1].Files == 0 || progress[n-1].Phase != Evaluating {
		t.Errorf("progress = %+v, want evaluated files", progress)
	}
	if !slices.ContainsFunc(messages, func(m Message) bool { return m.Level <= LevelNotice && strings.Contains(m.Text, "careful") }) {
		t.Errorf("messages = %+v, want the warning", messages)
	}
}

// TestEvalFlakeConfig checks that an accepted nixConfig reaches nix-store.
func TestEvalFlakeConfig(t *testing.T) {
	for _, test := range []struct {
		flags []string
		env   string
		want  bool
	}{
		{nil, "", false},
		{[]string{"--accept-flake-config"}, "", true},
		{nil, "experimental-features = nix-command flakes\naccept-flake-config = true\n", true},
	} {
		l := newLab(t, Options{}, test.flags...)
		l.setenv("NIX_CONFIG", os.Getenv("NIX_CONFIG")+test.env)
		folder := filepath.Join(l.dir, "repo", "sub")
		l.write(filepath.Join(folder, "flake.nix"),
			`{ nixConfig.timeout = 1234567; nixConfig.extra-substituters = [ "a b" "c" ]; outputs = _: { nixosConfigurations = { }; }; }`)
		l.git(filepath.Dir(folder), "init", "-q")
		l.git(filepath.Dir(folder), "add", ".")
		var names []string
		config, err := l.Nix.Eval(t.Context(), folder, installable.Configurations, "builtins.attrNames", &names)
		if err != nil {
			t.Fatal(err)
		}
		got, want := strings.Join(config, " "), ""
		if test.want {
			want = "--option extra-substituters a b c --option timeout 1234567"
		}
		if got != want {
			t.Errorf("with %q, %q: flags for nix-store = %q, want %q", test.flags, test.env, got, want)
		}
	}
}

func TestEvalUntracked(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("repo", `import ./host.nix`)
	l.write(filepath.Join(folder, "host.nix"), "{ }")
	l.git(folder, "init", "-q")
	eval := func(name string) *Error {
		t.Helper()
		var value any
		err := l.Eval(t.Context(), folder, installable.Configurations, "builtins.attrNames", &value)
		var failed *Error
		if !errors.As(err, &failed) {
			t.Fatalf("%s: Eval = %v, want an *Error", name, err)
		}
		l.keep(name, l.nix, append(slices.Clone(features), "--store", l.store, "eval", "--json", "--log-format", "internal-json",
			"--no-write-lock-file", folder+"#"+installable.Configurations))
		return failed
	}
	check := func(e *Error, file string, ignored bool) {
		t.Helper()
		if e.Kind != KindUntrackedFile || e.File != file || e.Repository != folder || e.Ignored != ignored {
			t.Errorf("error = %+v, want %s untracked in %s (ignored: %v)", e, file, folder, ignored)
		}
	}
	l.git(folder, "add", "-N", "bin")
	check(eval("untracked-flake"), "flake.nix", false)
	l.git(folder, "add", "-N", "flake.nix")
	check(eval("untracked-import"), "host.nix", false)
	l.write(filepath.Join(folder, ".gitignore"), "host.nix\n")
	check(eval("ignored-import"), "host.nix", true)
	if err := os.Remove(filepath.Join(folder, "host.nix")); err != nil {
		t.Fatal(err)
	}
	if e := eval("missing-import"); e.Kind != KindMissingFile || e.File != "host.nix" {
		t.Errorf("error = %+v, want host.nix missing", e)
	}
}

// failingEvaluations are answered with an *Error of the kind.
var failingEvaluations = []struct {
	name    string
	body    string // of nixosConfigurations
	apply   string
	attr    string
	flags   []string
	kind    Kind
	message string // in the one line
}{
	{name: "throw", apply: `cs: builtins.trace "noise" (throw "my custom throw")`, message: "my custom throw"},
	{name: "missing-attribute", apply: `cs: cs.neovin`, message: "attribute 'neovin' missing"},
	{name: "syntax", apply: `cs: { a = 1 }`, kind: KindSyntax, message: "syntax error"},
	{name: "recursion", apply: `cs: let x = { y = x.y; }; in x.y`, kind: KindRecursion, message: "infinite recursion encountered"},
	{name: "impure-path", apply: `cs: builtins.readFile /etc/passwd`, kind: KindImpure, message: "access to absolute path '/etc"},
	{name: "impure-lookup", apply: `cs: <nixpkgs>`, kind: KindImpure, message: "nixpkgs"},
	{name: "impure-system", apply: `cs: builtins.currentSystem`, kind: KindImpure, message: "currentSystem"},
	{name: "assert", apply: `cs: assert false; 1`, message: "assertion"},
	{name: "no-output", attr: "nothing", apply: "x: x", kind: KindNoAttribute, message: "does not provide attribute"},
	{name: "unfree", apply: `cs: throw "Package ‘unrar-7.0.9’ in /nix/store/…/default.nix:54 has an unfree license (‘unfreeRedistributable’), refusing to evaluate.\n\na) To temporarily allow"`,
		kind: KindUnfree, message: "Package ‘unrar-7.0.9’"},
	{name: "insecure", apply: `cs: throw "Package ‘x-1’ in /y.nix:1 is marked as insecure, refusing to evaluate.\n\n\nKnown issues:\n - old"`, kind: KindInsecure, message: "insecure"},
	{name: "broken", apply: `cs: throw "Package ‘x-1’ in /y.nix:1 is marked as broken, refusing to evaluate."`, kind: KindBroken, message: "broken"},
	{name: "assertions", apply: `cs: throw "\nFailed assertions:\n- first\n- second"`, kind: KindAssertion, message: "Failed assertions: first; second"},
	{name: "option-missing", apply: "cs: throw \"The option `foo' does not exist. Definition values:\\n- In `/x.nix': true\"", kind: KindOption, message: "The option `foo' does not exist"},
	{name: "option-conflict", apply: "cs: throw \"The option `a' has conflicting definition values:\\n- In `/x.nix': 1\\n- In `/y.nix': 2\"", kind: KindOption,
		message: "The option `a' has conflicting definition values: In `/x.nix': 1; In `/y.nix': 2"},
	{name: "no-import", body: `{ a = sh "a" "echo >$out"; }`, apply: "cs: builtins.readFile cs.a", flags: []string{"--option", "allow-import-from-derivation", "false"}, kind: KindNoImport, message: "allow-import-from-derivation"},
	{name: "lock", apply: "x: x", body: "{ }", flags: []string{"--no-update-lock-file"}, kind: KindLockFile, message: "requires lock file changes"},
}

func TestEvalErrors(t *testing.T) {
	l := newLab(t, Options{})
	for _, test := range failingEvaluations {
		t.Run(test.name, func(t *testing.T) {
			l := &lab{Nix: l.Nix, t: t, dir: l.dir, store: l.store}
			folder := l.flake("f", "{ }")
			if test.body != "" {
				folder = l.flake("f", test.body)
			}
			if test.name == "lock" {
				l.write(filepath.Join(l.dir, "dep", "flake.nix"), `{ outputs = _: { }; }`)
				l.write(filepath.Join(folder, "flake.nix"), `{ inputs.dep.url = "path:`+l.dir+`/dep"; outputs = { self, dep }: { nixosConfigurations = { }; }; }`)
			}
			flags := append([]string{"--store", l.store}, test.flags...)
			l.options.Flags.Eval = flags
			attr := installable.Configurations
			if test.attr != "" {
				attr = test.attr
			}
			var value any
			err := l.Eval(t.Context(), "path:"+folder, attr, test.apply, &value)
			var failed *Error
			if !errors.As(err, &failed) || failed.Kind != test.kind || !strings.Contains(failed.Message, test.message) || strings.ContainsAny(failed.Message, "\n\x1b") {
				t.Errorf("Eval = %#v, want kind %d and %q", err, test.kind, test.message)
			}
			l.keep(test.name, l.nix, slices.Concat(features, []string{"eval"}, flags, []string{"--json", "--log-format", "internal-json",
				"-v", "--apply", test.apply, "path:" + folder + "#" + attr}))
		})
	}
}

func TestEvalBadSettings(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", "{ }")
	l.setenv("NIX_CONFIG", "this is no setting\n")
	if err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, "x: x", new(any)); KindOf(err) != KindSettings {
		t.Errorf("Eval = %#v, want KindSettings", err)
	}
	l.keep("bad-settings", l.nix, []string{"eval", "--expr", "1"})
}

func TestEvalNoFlake(t *testing.T) {
	l := newLab(t, Options{})
	inside := filepath.Join(l.dir, "repo", "sub")
	empty := filepath.Join(l.dir, "empty")
	for _, folder := range []string{inside, empty} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.git(filepath.Dir(inside), "init", "-q")
	for name, ref := range map[string]string{
		"no-flake": empty, "no-flake-in-git": inside, "no-folder": filepath.Join(l.dir, "absent"), "no-path": "path:" + filepath.Join(l.dir, "absent"),
	} {
		var value any
		err := l.Eval(t.Context(), ref, installable.Configurations, "x: x", &value)
		if KindOf(err) != KindNoFlake {
			t.Errorf("Eval(%s) = %#v, want KindNoFlake", ref, err)
		}
		l.keep(name, l.nix, slices.Concat(features, []string{"--store", l.store, "eval", "--log-format", "internal-json", ref + "#" + installable.Configurations}))
	}
}

func TestEvalDownload(t *testing.T) {
	l := newLab(t, Options{}, "--offline", "--option", "download-attempts", "1")
	var value any
	ref := "http://127.0.0.1:1/x.tar.gz"
	if err := l.Eval(t.Context(), ref, installable.Configurations, "x: x", &value); KindOf(err) != KindDownload {
		t.Errorf("Eval(%s) = %#v, want KindDownload", ref, err)
	}
	l.keep("download", l.nix, slices.Concat(features, l.options.Flags.Eval, []string{"eval", "--log-format", "internal-json", ref + "#" + installable.Configurations}))
}

// TestEvalBuild lets a build during the evaluation fail.
func TestEvalBuild(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", `{ a = sh "a" "echo last words; exit 3"; }`)
	var value any
	err := l.Eval(t.Context(), "path:"+folder, installable.Configurations, "cs: builtins.readFile cs.a", &value)
	var failed *BuildError
	if !errors.As(err, &failed) || failed.Kind != KindBuild || !slices.Contains(failed.Log, "last words") {
		t.Errorf("Eval = %#v, want a BuildError with its log", err)
	}
}

// TestCancel stops an evaluation and a build.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newLab(t, Options{})
	folder := l.flake("f", `{ a = sh "a" "echo started; sleep 1000"; }`)
	targets := l.targets(folder, "a")
	l.options.Progress = func(p Progress) {
		if len(p.Jobs) > 0 && p.Jobs[0].Line == "started" {
			cancel()
		}
	}
	start := time.Now()
	_, err := l.Realise(ctx, targets, filepath.Join(l.dir, "root"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Realise = %v, want %v", err, context.Canceled)
	}
	if d := time.Since(start); d > stopDelay {
		t.Errorf("Nix had to be killed: it did not stop in %v", d)
	}
	if err := l.Eval(ctx, "path:"+folder, installable.Configurations, "x: x", new(any)); !errors.Is(err, context.Canceled) {
		t.Errorf("Eval = %v, want %v", err, context.Canceled)
	}
}
