package installable

import (
	"errors"
	"os"
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

func TestParse(t *testing.T) {
	for _, test := range installables {
		got, err := Parse(test.text)
		if want := (Installable{Ref: test.ref, Name: test.name}); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", test.text, got, err, want)
		}
	}
}

// TestFolder tells references to folders from others.
func TestFolder(t *testing.T) {
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
	{`.#"a".config`, `"config" goes beyond the configuration; write ".#a"`},
	{".#nixosConfigurations.iso.config.system.build.isoImage", `write ".#iso"`},
	{".#nixosConfigurations.iso.config", `write ".#iso"`},
	{".#host.config.system.build.isoImage", `"config.system.build.isoImage" goes beyond the configuration; write ".#host"`},
	{`.#"my host".config.system.build.isoImage`, `write ".#my host"`},
	{".#a.b.config.system.build", `write ".#a.b"`},
	{"github:o/r#host.config.system.build.images.iso-installer", `write "github:o/r#host" --image-variant iso-installer`},
	{".#nixosConfigurations.host.config.system.build.images.iso", `write ".#host" --image-variant iso`},
}

func TestParseErrors(t *testing.T) {
	for _, test := range badInstallables {
		_, err := Parse(test.text)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q) = %v, want a line with %q", test.text, err, test.reason)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range installables {
		f.Add(test.text)
	}
	for _, test := range badInstallables {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Parse(%q): error of several lines: %q", text, err)
			}
			return
		}
		// What goes to Nix is one argument that is no flag and has one '#'.
		if i.Ref == "" || i.Ref[0] == '-' || strings.ContainsAny(i.Ref, "#\x00") || strings.Contains(i.Name, "\x00") {
			t.Errorf("Parse(%q) = %+v", text, i)
		}
	})
}

func TestOfFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"iso.nix", "folder/default.nix", "odd name.nix", "flake.nix"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, test := range []struct {
		file, name string
		path       string // in the folder
		called     string
	}{
		{"iso.nix", "", "/iso.nix", "iso"},
		{"./iso.nix", "x", "/iso.nix", "iso"},
		{dir + "/odd name.nix", "", "/odd name.nix", "odd name"},
		{"folder", "", "/folder/default.nix", "folder"},
		{"folder/default.nix", "", "/folder/default.nix", "folder"},
	} {
		got, err := OfFile(test.file, test.name)
		if want := (Installable{File: dir + test.path, Name: test.name}); err != nil || got != want || got.FileName() != test.called {
			t.Errorf("OfFile(%q) = %+v (%s), %v, want %+v (%s)", test.file, got, got.FileName(), err, want, test.called)
		}
	}
	if got, err := OfFile("<nixos-config>", ""); err != nil || got.File != "<nixos-config>" || got.FileName() != "nixos-config" {
		t.Errorf("OfFile of a name = %+v, %v", got, err)
	}
	for _, file := range []string{"absent.nix", "<a b>", "<x> + <y>", "<>"} {
		var refused *Error
		if got, err := OfFile(file, ""); !errors.As(err, &refused) {
			t.Errorf("OfFile(%q) = %+v, %v, want an *Error", file, got, err)
		}
	}
	for text, want := range map[string]Installable{
		"iso.nix":          {File: dir + "/iso.nix"},
		"./iso.nix#a.b":    {File: dir + "/iso.nix", Name: "a.b"},
		`iso.nix#"a b"`:    {File: dir + "/iso.nix", Name: "a b"},
		"./flake.nix#a":    {Ref: ".", Name: "a"},
		"github:o/r.nix#a": {Ref: "github:o/r.nix", Name: "a"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}
