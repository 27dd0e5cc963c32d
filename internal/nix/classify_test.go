package nix

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

const transcripts = "../../testdata/nix"

// transcriptKinds are the kinds of the transcripts that the tables of
// failing evaluations and builds do not have.
var transcriptKinds = map[string]Kind{
	"untracked-flake":   KindMissingFile, // git is asked later
	"untracked-import":  KindMissingFile,
	"ignored-import":    KindMissingFile,
	"missing-import":    KindMissingFile,
	"submodule":         KindMissingFile, // likewise
	"submodule-absent":  KindMissingFile,
	"nested":            KindMissingFile,
	"lock-conflict":     KindOther, // the file is read later
	"lock-empty":        KindOther,
	"lock-truncated":    KindOther,
	"lock-other":        KindOther,
	"lock-version":      KindLockFile,
	"owner-empty":       KindOwner,
	"owner-commit":      KindOwner,
	"no-flake":          KindNoFlake,
	"no-flake-in-git":   KindNoFlake,
	"no-folder":         KindMissingFile, // the folder is looked for later
	"no-path":           KindMissingFile,
	"no-registry-entry": KindNoFlake,
	"empty-reference":   KindNoFlake,
	"feature":           KindFeature,
	"lock-hash":         KindLockFile,
	"lock-modified":     KindLockFile,
	"download":          KindDownload,
	"daemon":            KindDaemon,
	"owner":             KindOwner,
	"no-git":            KindNoGit,
	"not-root":          KindPermission,
	"store-full":        KindNoSpace,
	"build-users":       KindBuildUsers,
	"sandbox":           KindSandbox,
	"bad-settings":      KindSettings,
	"vanished":          KindVanished,
	"daemon-build":      KindBuild,
}

func TestTranscripts(t *testing.T) {
	for _, test := range failingEvaluations {
		transcriptKinds[test.name] = test.kind
	}
	for _, test := range failingBuilds {
		transcriptKinds[test.name] = test.kind
	}
	// Newer versions name the repository themselves.
	byVersion := map[string]Kind{"2.8/owner-commit": KindOther, "2.35/untracked-flake": KindUntrackedFile, "2.35/untracked-import": KindUntrackedFile}

	for _, version := range []string{"2.8", "2.26", "2.30", "2.35", "lix-2.95"} {
		files, err := filepath.Glob(filepath.Join(transcripts, version, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no transcripts of %s (%v)", version, err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txt")
			if name == "dump-db" || name == "interrupted" {
				continue
			}
			t.Run(version+"/"+name, func(t *testing.T) {
				err := transcriptError(t, file)
				want, ok := byVersion[version+"/"+name]
				if !ok {
					want, ok = transcriptKinds[name]
				}
				if !ok {
					t.Fatal("no expectation")
				}
				if got := KindOf(err); got != want {
					t.Errorf("kind of %#v = %d, want %d", err, got, want)
				}
				if text := err.Error(); text == "" || strings.ContainsAny(text, "\n\x1b") || strings.HasPrefix(text, "error:") {
					t.Errorf("message %q is not one plain line", text)
				}
				checkDetails(t, name, err)
			})
		}
	}
}

// transcriptError is the error that is made of a transcript.
func transcriptError(t *testing.T, file string) error {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parseTranscript(string(data))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	m := newMonitor(Building, Options{})
	if _, err := m.Write([]byte(tr.Stderr)); err != nil {
		t.Fatal(err)
	}
	m.flush()
	return new(Nix).failure(outcome{code: tr.Code, log: m})
}

// checkDetails checks what a message of the kind names.
func checkDetails(t *testing.T, name string, err error) {
	t.Helper()
	var failed *Error
	if errors.As(err, &failed) {
		switch {
		case strings.HasSuffix(name, "-import") && failed.Kind != KindNoImport && failed.File != "host.nix",
			name == "untracked-flake" && failed.File != "flake.nix":
			t.Errorf("file = %q", failed.File)
		case failed.Kind == KindUntrackedFile && failed.Repository != "/lab/repo":
			t.Errorf("repository = %q", failed.Repository)
		}
		return
	}
	var build *BuildError
	if !errors.As(err, &build) {
		t.Fatalf("error = %#v", err)
	}
	if store.DerivationName(build.Derivation) != "leaf" || len(build.Failed) != 1 {
		t.Errorf("derivation = %s of %v, want leaf alone", build.Derivation, build.Failed)
	}
	for _, test := range failingBuilds {
		if test.name == name && !strings.Contains(build.Reason, test.reason) {
			t.Errorf("reason = %q, want %q", build.Reason, test.reason)
		}
		if test.name == name && test.log != "" && (len(build.Log) == 0 || build.Log[len(build.Log)-1] != test.log) {
			t.Errorf("log = %q, want the end %q", build.Log, test.log)
		}
	}
	if name == "wrong-system" && build.System != "riscv64-linux" {
		t.Errorf("system = %q", build.System)
	}
}

func TestInterrupted(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(transcripts, "2.8", "interrupted.txt"))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parseTranscript(string(data))
	if err != nil {
		t.Fatal(err)
	}
	m := newMonitor(Building, Options{})
	if _, err := m.Write([]byte(tr.Stderr)); err != nil || !m.interrupted() {
		t.Errorf("interrupted = %v, %v", m.interrupted(), err)
	}
}

func TestFailureWithoutMessage(t *testing.T) {
	for _, test := range []struct {
		o    outcome
		want string
	}{
		{outcome{code: 4}, "nix failed without a message (exit status 4)"},
		{outcome{signal: syscall.SIGKILL}, "nix failed without a message (killed)"},
		{outcome{signal: syscall.SIGSEGV}, "nix crashed (segmentation fault)"},
		{outcome{code: 139}, "nix crashed (exit status 139)"},
	} {
		test.o.log = newMonitor(Evaluating, Options{})
		if got := new(Nix).failure(test.o).Error(); got != test.want {
			t.Errorf("failure = %q, want %q", got, test.want)
		}
	}
}

// TestCauses checks which of several errors is reported.
func TestCauses(t *testing.T) {
	const noise = "error: setgroups failed: Operation not permitted" // and Nix goes on without a sandbox
	for _, test := range []struct {
		lines []string
		want  string
		kind  Kind
	}{
		{[]string{noise, "error: my custom throw"}, "my custom throw", KindOther},
		{[]string{noise, "fatal: ambiguous argument 'x'", "error: program 'git' failed with exit code 128"}, "ambiguous argument 'x'", KindOther},
		{[]string{noise, "error: path '/nix/store/x' is not valid", "error: build of '/nix/store/y.drv' failed"},
			"path '/nix/store/x' is not valid", KindVanished},
		{[]string{"error: build of '/nix/store/y.drv' failed"}, "build of '/nix/store/y.drv' failed", KindOther},
	} {
		m := newMonitor(Evaluating, Options{})
		watch(m, test.lines...)
		err := new(Nix).failure(outcome{code: 1, log: m})
		if err.Error() != test.want || KindOf(err) != test.kind {
			t.Errorf("failure after %q = %#v, want %q of kind %d", test.lines, err, test.want, test.kind)
		}
	}
}

func TestOneLine(t *testing.T) {
	for raw, want := range map[string]string{
		"":                        "",
		"\n\n a \nb":              "a",
		"list:\n- a\n- b\nrest":   "list: a; b",
		"ends with a colon:":      "ends with a colon:",
		"list:\n- a\n\n- b\n":     "list: a; b",
		"Failed assertions:\r\n-": "Failed assertions: -",
	} {
		if got := oneLine(raw); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", raw, got, want)
		}
	}
}
