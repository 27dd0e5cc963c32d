package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkRefusal checks how a run failed: with a status, one line for the error,
// one for advice, the given texts among them, and nothing on standard output.
func checkRefusal(t testing.TB, o outcome, status int, texts ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d, want %d", o.status, status)
	}
	if o.stdout != "" {
		t.Errorf("standard output is %q, want nothing", o.stdout)
	}
	count := map[string]int{}
	for line := range strings.Lines(o.stderr) {
		if label, rest, ok := strings.Cut(line, ": "); ok && strings.TrimSpace(rest) != "" {
			count[label]++
		}
	}
	for _, label := range []string{"error", "hint"} {
		if count[label] != 1 {
			t.Errorf("%d lines begin with %q, want 1", count[label], label+": ")
		}
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("standard error lacks %q", text)
		}
	}
	if t.Failed() {
		t.Logf("standard error is\n%s", o.stderr)
	}
}

// flakeOf writes a flake with configurations made by the test flake's own
// function.
func flakeOf(t testing.TB, configurations string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	text := fmt.Sprintf(`{
  inputs.mini.url = "path:%s";
  outputs = { self, mini }:
    let
      nixosSystem = import "${mini}/config.nix";
      numbers = builtins.genList (n: n) 100000;
    in
    { nixosConfigurations = %s; };
}
`, miniFlake(t), configurations)
	if err := os.WriteFile(filepath.Join(folder, "flake.nix"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}
