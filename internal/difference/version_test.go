package difference

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// evaluate has Nix say what an expression is, as JSON.
func evaluate(t *testing.T, expression string, into any) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(judge.Path(t, "nix-bin", "nix-instantiate"), "--eval", "--strict", "--json", "--read-write-mode", "-E", expression)
	cmd.Env = append(os.Environ(), "NIX_STATE_DIR="+dir, "NIX_STORE_DIR="+dir+"/store", "NIX_LOG_DIR="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// TestCompareVersions holds the order of versions against Nix's own.
func TestCompareVersions(t *testing.T) {
	list := []string{"", "1", "1.0", "1.0.0", "1.00", "1.10", "1.9", "1.9pre1", "1.9pre", "1.9a", "1.9-1", "1.9-a", "2024-01-01", "unstable-2024-01-01", "20240101",
		"99999999", "0.0.1", "1..2", "1.-2", "6.1.192-2", "2.39-52", "5.15.0rc1", "5.15.0-rc1", "5.15", "a", "b", "pre", "0", "00", "1.é", "1_2"}
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		var b strings.Builder
		for range 1 + random.IntN(6) {
			b.WriteString([]string{"1", "2", "10", "009", "pre", "a", "rc", "b", ".", "-", "."}[random.IntN(11)])
		}
		list = append(list, b.String())
	}
	quoted, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]int
	evaluate(t, fmt.Sprintf("let l = builtins.fromJSON %q; in map (a: map (b: builtins.compareVersions a b) l) l", quoted), &want)
	for i, a := range list {
		for j, b := range list {
			got := CompareVersions(a, b)
			if got = min(1, max(-1, got)); got != want[i][j] {
				t.Errorf("%q and %q compare as %d, Nix says %d", a, b, got, want[i][j])
			}
		}
	}
}

// TestSplitName holds names and versions against Nix's, and takes outputs apart as nixpkgs has them.
func TestSplitName(t *testing.T) {
	list := []string{"hello-2.12.1", "glibc-2.40-66", "etc", "nixos-system-mini-26.05.19800101.mini", "unit-a-b.service", "python3.11-numpy-1.26", "x-", "x-1", "-1", "a--1"}
	quoted, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var want []struct{ Name, Version string }
	evaluate(t, fmt.Sprintf("map builtins.parseDrvName (builtins.fromJSON %q)", quoted), &want)
	const hash = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-"
	for i, text := range list {
		if name, version, output := splitName(hash + text); name != want[i].Name || version != want[i].Version || output != "" {
			t.Errorf("%q is %q, %q, %q; Nix says %+v", text, name, version, output, want[i])
		}
	}
	for text, want := range map[string][3]string{
		"glibc-2.40-66-bin":              {"glibc", "2.40-66", "bin"},
		"openssl-3.0.14-man":             {"openssl", "3.0.14", "man"},
		"foo-unstable-2024-01-01":        {"foo-unstable", "2024-01-01", ""},
		"foo-0-unstable":                 {"foo", "0-unstable", ""}, // no output that there is
		"mini-data":                      {"mini-data", "", ""},     // no version, no output
		"linux-6.6.63-modules":           {"linux", "6.6.63", "modules"},
		"firmware-iwlwifi-20230210-5":    {"firmware-iwlwifi", "20230210-5", ""},
		"python3.11-doc-3.11.2-6+deb12u": {"python3.11-doc", "3.11.2-6+deb12u", ""},
	} {
		if name, version, output := splitName(hash + text); [3]string{name, version, output} != want {
			t.Errorf("%q is %q, %q, %q, want %q", text, name, version, output, want)
		}
	}
}
