package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nix"
)

func TestCoverage(t *testing.T) {
	paths := func(n int) []string { return make([]string, n) }
	for want, missing := range map[string]nix.Missing{
		"everything is in the store": {},
		"312 of 2,410 paths that are missing must be built here, 2,098 can be downloaded: 1.2 GB": {Build: paths(312), Fetch: paths(2098), DownloadSize: 1_200_000_000},
		"all 1,000 paths that are missing can be downloaded: 5.0 MB":                              {Fetch: paths(1000), DownloadSize: 5_000_000},
		"3 of 3 paths that are missing must be built here":                                        {Build: paths(3)},
	} {
		if got := coverage(missing); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestLockAge reads lock files, which are anyone's.
func TestLockAge(t *testing.T) {
	const fits = "flake.lock fits the flake"
	for text, want := range map[string]string{
		`{"root":"r","nodes":{"r":{"inputs":{"nixpkgs":"n","b":["nixpkgs"],"none":"x"}},"n":{"locked":{"lastModified":1717000000}}},"version":7}`: fits + "; nixpkgs is of 2024-05-29",
		`{"root":"r","nodes":{}}`: fits,
		`{"root":7}`:              fits,
		`[`:                       fits,
		``:                        fits,
		`{"root":"r","nodes":{"r":{"inputs":{"r":"r"}}}}`: fits,
	} {
		file := filepath.Join(t.TempDir(), "flake.lock")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := lockAge(file); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := lockAge(filepath.Join(t.TempDir(), "absent")); got != "the flake needs none" {
		t.Errorf("without a file: %q", got)
	}
}

func TestUntrackedError(t *testing.T) {
	e := &UntrackedError{"/r", []string{"a", "b", "c", "d", "e"}}
	if got := e.Error(); !strings.HasPrefix(got, "a, b, c and 2 more: ") {
		t.Error(got)
	}
}
