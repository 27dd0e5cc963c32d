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
	for _, fault := range refusalFaults(o, status, texts) {
		t.Error(fault)
	}
	if t.Failed() {
		t.Logf("standard error is\n%s", o.stderr)
	}
}

// refusalFaults says what is wrong with a refusal.
func refusalFaults(o outcome, status int, texts []string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if o.status != status {
		fault("status %d, want %d", o.status, status)
	}
	if o.stdout != "" {
		fault("standard output is %q, want nothing", o.stdout)
	}
	count := map[string]int{}
	for line := range strings.Lines(o.stderr) {
		if label, rest, ok := strings.Cut(line, ": "); ok && strings.TrimSpace(rest) != "" {
			count[label]++
		}
	}
	for _, label := range []string{"error", "hint"} {
		if count[label] != 1 {
			fault("%d lines begin with %q, want 1", count[label], label+": ")
		}
	}
	if strings.Contains(o.stderr, "warning: error") {
		fault("a warning calls itself an error")
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			fault("standard error lacks %q", text)
		}
	}
	return faults
}

// rawFlake writes a flake.
func rawFlake(t testing.TB, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "flake.nix"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// flakeOf writes a flake, with a lock file, whose configurations are made by
// the test flake's own function.
func flakeOf(t testing.TB, configurations string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	writeFlake(t, folder, configurations)
	return folder
}

func writeFlake(t testing.TB, folder, configurations string) {
	t.Helper()
	writeFile(t, filepath.Join(folder, "flake.nix"), fmt.Appendf(nil, `{
  inputs.mini.url = "path:%s";
  outputs = { self, mini }:
    let
      nixosSystem = import "${mini}/config.nix";
      numbers = builtins.genList (n: n) 100000;
    in
    { nixosConfigurations = %s; };
}
`, miniFlake(t), configurations))
	judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock", "path:"+folder)
}
