package nix

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/store"
)

// TestDaemon talks to the store through a daemon, as most installations do:
// its log lacks what only the process has that makes an error.
func TestDaemon(t *testing.T) {
	l := newLab(t, Options{})
	socket := filepath.Join(l.dir, "s")
	daemon := exec.Command("nix-daemon", "--option", "store", l.store)
	daemon.Env = append(os.Environ(), "NIX_DAEMON_SOCKET_PATH="+socket)
	if err := daemon.Start(); err != nil {
		t.Fatalf("%v: install the Debian package nix-bin", err)
	}
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	for deadline := time.Now().Add(time.Minute); !exists(socket); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nix-daemon does not listen")
		}
	}
	flags, _, err := ParseFlags([]string{"--store", "unix://" + socket + "?root=" + l.store})
	if err != nil {
		t.Fatal(err)
	}
	l.options.Flags = flags

	folder := l.flake("f", `{ good = sh "good" "echo fine >$out"; `+failingBuilds[0].body[2:])
	paths, err := l.Realise(t.Context(), l.targets(folder, "good"), filepath.Join(l.dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := l.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(files.PhysicalPath(paths[0])); err != nil || string(data) != "fine\n" {
		t.Errorf("contents of %s = %q, %v", paths[0], data, err)
	}
	if closure, err := l.Closure(t.Context(), paths); err != nil || len(closure.Paths) != 1 {
		t.Errorf("Closure = %+v, %v", closure, err)
	}

	targets := l.targets(folder, "a")
	_, err = l.Realise(t.Context(), targets, filepath.Join(l.dir, "root"))
	var failed *BuildError
	if !errors.As(err, &failed) || store.DerivationName(failed.Derivation) != "leaf" ||
		failed.Reason != failingBuilds[0].reason || !slices.Contains(failed.Log, failingBuilds[0].log) {
		t.Errorf("Realise = %#v, want the failure of leaf and its log", err)
	}
	l.keep("daemon-build", l.nixStore, slices.Concat(flags.Store, []string{"--realise", "--log-format", "internal-json", targets[0].arg()}))

	log, err := exec.Command(failed.LogCommand[0], failed.LogCommand[1:]...).Output()
	if err != nil || !strings.Contains(string(log), failingBuilds[0].log+"\n") {
		t.Errorf("%q = %q, %v, want the whole log", failed.LogCommand, log, err)
	}
}
