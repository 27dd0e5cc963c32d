package nix

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/judge"
)

// record makes the tests against the real Nix write what it said about each
// failure into a folder, for TestTranscripts.
var record = flag.String("record", "", "write transcripts of failures into this `folder`")

const busybox = "/bin/busybox" // Debian package busybox-static

// lab is a Nix with an empty store of its own, no network and no daemon.
type lab struct {
	*Nix
	t     *testing.T
	dir   string // has the store, and flakes
	store string
}

// newLab sets the environment up for the real Nix. Flags are further
// pass-through flags.
func newLab(t *testing.T, options Options, flags ...string) *lab {
	t.Helper()
	judge.Path(t, "nix-bin", "nix")
	judge.Path(t, "git", "git")
	judge.Path(t, "busybox-static", busybox)
	dir := t.TempDir()
	// Store paths are read-only, which hinders the removal by other users than root.
	t.Cleanup(func() {
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				_ = os.Chmod(name, 0o755)
			}
			return nil
		})
	})
	l := &lab{t: t, dir: dir, store: filepath.Join(dir, "store")}
	// Debian's nix-bin makes neither build users nor a configuration; without
	// substituters nothing waits for the network.
	t.Setenv("NIX_CONFIG", "substituters =\nbuild-users-group =\nfsync-metadata = false\n")
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(dir, "home", ".gitconfig"))
	for _, name := range []string{"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "NIX_REMOTE", "NIX_PATH"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	options.Env = os.Environ()
	var err error
	options.Flags, _, err = ParseFlags(append([]string{"--store", l.store}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	if l.Nix, err = Find(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	return l
}

// setenv sets a variable for what the lab runs.
func (l *lab) setenv(name, value string) {
	l.t.Setenv(name, value)
	l.options.Env = os.Environ()
}

// Eval evaluates a flake whose nixConfig does not matter.
func (l *lab) Eval(ctx context.Context, ref, attr, apply string, into any) error {
	_, err := l.Nix.Eval(ctx, ref, attr, apply, into)
	return err
}

// flake writes a flake and returns its folder. The body is the value of
// nixosConfigurations; in it, sh NAME SCRIPT is a derivation.
func (l *lab) flake(name, body string) string {
	l.t.Helper()
	folder := filepath.Join(l.dir, name)
	l.write(filepath.Join(folder, "flake.nix"), `{
  outputs = { self }:
    let
      on = system: name: script: derivation {
        inherit name system;
        builder = "${./bin}/busybox";
        args = [ "sh" "-euc" script ];
        PATH = "${./bin}";
      };
      sh = on "`+hostSystem(l.t)+`";
    in {
      nixosConfigurations = `+body+`;
    };
}
`)
	// busybox goes by its file name, so it needs a folder in the store.
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.write(filepath.Join(folder, "bin", "garbage"), "not a program\n")
	if err := os.Chmod(filepath.Join(folder, "bin", "garbage"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bin", "busybox"), data, 0o755); err != nil {
		l.t.Fatal(err)
	}
	return folder
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) git(folder string, args ...string) {
	l.t.Helper()
	output, err := exec.Command("git", append([]string{"-C", folder}, args...)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// targets evaluates the attribute of a flake to a target.
func (l *lab) targets(folder string, names ...string) []Target {
	l.t.Helper()
	var deps map[string][]string
	apply := "cs: builtins.mapAttrs (_: c: c.outputs or null) (builtins.getContext (toString [ "
	for _, name := range names {
		apply += "cs." + name + " "
	}
	if err := l.Eval(l.t.Context(), "path:"+folder, installable.Configurations, apply+"]))", &deps); err != nil {
		l.t.Fatal(err)
	}
	return Targets(deps)
}

func hostSystem(t *testing.T) string {
	t.Helper()
	output, err := exec.Command("uname", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output)) + "-linux"
}

// transcript is what a Nix said before it failed.
type transcript struct {
	Command string
	Code    int
	Stderr  string
}

func (tr transcript) format() string {
	return fmt.Sprintf("command: %s\nexit: %d\n\n%s", tr.Command, tr.Code, tr.Stderr)
}

func parseTranscript(text string) (transcript, error) {
	var tr transcript
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		return tr, fmt.Errorf("no empty line")
	}
	tr.Stderr = body
	if _, err := fmt.Sscanf(head[strings.LastIndexByte(head, '\n')+1:], "exit: %d", &tr.Code); err != nil {
		return tr, err
	}
	tr.Command, _, _ = strings.Cut(strings.TrimPrefix(head, "command: "), "\n")
	return tr, nil
}

var evaluatingFile = regexp.MustCompile(`(?m)^.*"evaluating file .*\n`)

// keep writes a transcript without the names of this machine, if asked to.
func (l *lab) keep(name string, program string, args []string) {
	l.t.Helper()
	if *record == "" {
		return
	}
	cmd := exec.CommandContext(context.Background(), program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	_ = cmd.Run()
	here := strings.NewReplacer(l.dir+"/store/nix", "/nix", l.dir, "/lab")
	text := transcript{
		Command: here.Replace(filepath.Base(program) + " " + strings.Join(args, " ")),
		Code:    cmd.ProcessState.ExitCode(),
		Stderr:  here.Replace(evaluatingFile.ReplaceAllString(stderr.String(), "")),
	}.format()
	l.write(filepath.Join(l.recordFolder(), name+".txt"), text)
}

// recordFolder is named after the version of Nix without its patch level.
func (l *lab) recordFolder() string {
	return filepath.Join(*record, l.Version.Number[:strings.LastIndexByte(l.Version.Number, '.')])
}
