package nix

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

var installables = []struct {
	text      string
	ref, name string
}{
	{".#exampleIso", ".", "exampleIso"},
	{"path:dir#x", "path:dir", "x"},
	{"github:owner/repo#x", "github:owner/repo", "x"},
	{"git+file:///a?ref=main&dir=b#x", "git+file:///a?ref=main&dir=b", "x"},
	{".", ".", ""},
	{"", ".", ""},
	{".#", ".", ""},
	{"#x", ".", "x"},
	{"/abs/flake.nix#x", "/abs", "x"},
	{"flake.nix#x", ".", "x"},
	{"./sub/flake.nix#x", "./sub", "x"},
	{"sub/flake.nix#x", "./sub", "x"},
	{".hidden/flake.nix#x", ".hidden", "x"},
	{"/flake.nix", "/", ""},
	{"../a/flake.nix?dir=b#x", "../a?dir=b", "x"},
	{"path:/a/flake.nix#x", "path:/a/flake.nix", "x"},
	{".#a.b-c d", ".", "a.b-c d"},
	{`.#"a.b"`, ".", "a.b"},
	{".#nixosConfigurations.x", ".", "x"},
	{".#.nixosConfigurations.x", ".", "x"},
	{`.#nixosConfigurations."a.b"`, ".", "a.b"},
	{".#nixosConfigurations", ".", ""},
	{".#nixosConfigurations.a.b", ".", "a.b"},
	{".#nixosConfigurationsX", ".", "nixosConfigurationsX"},
	{".#a%20b%23", ".", "a b#"},
	{".#a#b", ".", "a#b"},
	{".#my.config.x", ".", "my.config.x"},
	{".#naïve", ".", "naïve"},
	{".#it's", ".", "it's"},
	{`.#a"b`, ".", `a"b`},
}

func TestParseInstallable(t *testing.T) {
	for _, test := range installables {
		got, err := ParseInstallable(test.text)
		if want := (Installable{Ref: test.ref, Name: test.name}); err != nil || got != want {
			t.Errorf("ParseInstallable(%q) = %+v, %v, want %+v", test.text, got, err, want)
		}
	}
}

// TestInstallableFolder tells references to folders from others.
func TestInstallableFolder(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for ref, want := range map[string]string{
		".":                            here,
		"./sub?dir=x":                  here + "/sub",
		"..":                           filepath.Dir(here),
		"/abs":                         "/abs",
		"path:sub":                     here + "/sub",
		"path:/a%20b":                  "/a b",
		"path:///abs":                  "/abs",
		"git+file:///a?ref=main&dir=b": "/a",
		"sub":                          "", // a registry entry
		"nixpkgs/nixos-24.05":          "",
		"github:owner/repo":            "",
		"git+https://host/a":           "",
	} {
		if got, ok := (Installable{Ref: ref}).Folder(); got != want || ok != (want != "") {
			t.Errorf("folder of %q = %q, %t, want %q", ref, got, ok, want)
		}
	}
}

var badInstallables = []struct{ text, reason string }{
	{"--impure", "cannot start with"},
	{"-x#a", `write "./-x"`},
	{".\n#a", "control character at byte 1"},
	{".#a%zz", "percent-encoding"},
	{".#a%00", "NUL"},
	{".#nixosConfigurations.", "no name"},
	{`.#"a`, "missing closing quote"},
	{`.#""`, "empty name"},
	{`.#"a".config`, `"config" goes beyond the configuration "a"`},
	{".#nixosConfigurations.iso.config.system.build.isoImage", `write ".#iso"`},
	{".#nixosConfigurations.iso.config", `write ".#iso"`},
}

func TestParseInstallableErrors(t *testing.T) {
	for _, test := range badInstallables {
		_, err := ParseInstallable(test.text)
		var bad *InstallableError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseInstallable(%q) = %v, want a line with %q", test.text, err, test.reason)
		}
	}
}

func FuzzParseInstallable(f *testing.F) {
	for _, test := range installables {
		f.Add(test.text)
	}
	for _, test := range badInstallables {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := ParseInstallable(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("ParseInstallable(%q): error of several lines: %q", text, err)
			}
			return
		}
		// What goes to Nix is one argument that is no flag and has one '#'.
		if i.Ref == "" || i.Ref[0] == '-' || strings.ContainsAny(i.Ref, "#\x00") || strings.Contains(i.Name, "\x00") {
			t.Errorf("ParseInstallable(%q) = %+v", text, i)
		}
	})
}
