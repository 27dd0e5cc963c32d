package nix

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoots(t *testing.T) {
	cache := t.TempDir()
	// Another process of this test holds a folder, until it is killed.
	other := exec.Command(os.Args[0], "-test.run=^TestRootsHolder$")
	other.Env = append(os.Environ(), "ROOTS_CACHE="+cache)
	if _, err := other.StdinPipe(); err != nil { // it ends with this process
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.TrimSpace(line)

	first, err := NewRoots(cache)
	if err != nil {
		t.Fatal(err)
	}
	if !exists(theirs) {
		t.Error("the folder of a living process was removed")
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()

	second, err := NewRoots(cache)
	if err != nil {
		t.Fatal(err)
	}
	if exists(theirs) {
		t.Error("the folder of a dead process was not removed")
	}
	if filepath.Dir(first.Link("x")) == filepath.Dir(second.Link("x")) {
		t.Error("two Roots share a folder")
	}
	for _, r := range []*Roots{first, second} {
		if !exists(filepath.Dir(r.Link("x"))) {
			t.Error("the folder of this process is gone")
		}
		if err := os.Symlink("/nix/store/x", r.Link("x")); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(cache, "roots")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRootsHolder is the other process of TestRoots.
func TestRootsHolder(t *testing.T) {
	cache := os.Getenv("ROOTS_CACHE")
	if cache == "" {
		return
	}
	r, err := NewRoots(cache)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nix/store/x", r.Link("x")); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString(filepath.Dir(r.Link("x")) + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
