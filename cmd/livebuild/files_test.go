package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plainFile names the file outside of flakes, and where it finds its modules.
func plainFile(t testing.TB) []string {
	return []string{"-f", filepath.Join(miniFlake(t), "iso.nix"), "-I", "nixpkgs=" + miniFlake(t)}
}

// TestPlainFile makes a compressed image of a file outside of flakes, which boots a
// specialisation and has contents that are merged with the boot loaders' own.
func TestPlainFile(t *testing.T) {
	t.Parallel()
	c := call{dir: t.TempDir()}
	o := c.livebuild(t, append([]string{"iso", "--json"}, plainFile(t)...)...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(c.dir, "mini-26.05.mini-x86_64-linux.iso.zst"); r.File != want {
		t.Errorf("the file is %s, want %s", r.File, want)
	}
	judge(t, "zstd", "zstd", "-t", "-q", r.File)
	compressed := r.File
	r.File = filepath.Join(c.dir, "image.iso")
	judge(t, "zstd", "zstd", "-d", "-q", compressed, "-o", r.File)
	if info, err := os.Stat(r.File); err != nil || info.Size() != r.ImageBytes {
		t.Errorf("zstd unpacks %v (%v), want %d bytes", info, err, r.ImageBytes)
	}

	medium := extracted(t, r.File)
	for _, name := range []string{"EFI/directory/file", "EFI/link", "isolinux/link", "a/deep/place.txt"} {
		if got := string(readFile(t, filepath.Join(medium, name))); got != "one\n" {
			t.Errorf("%s has %q", name, got)
		}
	}
	for name, want := range map[string]string{"EFI/dangling": "/run/absent", "isolinux/directory/loop": ".."} {
		if got, err := os.Readlink(filepath.Join(medium, name)); err != nil || got != want {
			t.Errorf("%s is a link to %q (%v), want %q", name, got, err, want)
		}
	}

	expanded := r
	expanded.File = compressed // by the program, which boots it
	console := boot(t, expanded, "bios-cd")
	if !strings.Contains(console, "mini.quiet") {
		t.Error("the kernel was not given mini.quiet, so the specialisation was not booted")
	}

	t.Run("same bytes", func(t *testing.T) {
		again := c.livebuild(t, append([]string{"iso", "--jobs", "7", "-o", "again.iso.zst"}, plainFile(t)...)...)
		if again.status != 0 {
			t.Fatalf("status %d\n%s", again.status, again.stderr)
		}
		judge(t, "diffutils", "cmp", compressed, filepath.Join(c.dir, "again.iso.zst"))
	})
	t.Run("from an earlier image", func(t *testing.T) {
		again := c.livebuild(t, append([]string{"iso", "--reuse", r.File, "-o", "reused.iso.zst"}, plainFile(t)...)...)
		if again.status != 0 || !strings.Contains(again.stderr, "reused 9") {
			t.Fatalf("status %d\n%s", again.status, again.stderr)
		}
		judge(t, "diffutils", "cmp", compressed, filepath.Join(c.dir, "reused.iso.zst"))
	})
	t.Run("replaced", func(t *testing.T) {
		again := c.livebuild(t, append([]string{"iso", "-o", compressed}, plainFile(t)...)...)
		if again.status != 0 {
			t.Errorf("the compressed image was not known as livebuild's:\n%s", again.stderr)
		}
	})
}

// TestFiles tries the forms of configurations outside of flakes.
func TestFiles(t *testing.T) {
	mini := miniFlake(t)
	dir := t.TempDir()
	iso := `{ modulesPath, ... }: { imports = [ (modulesPath + "/installer/cd-dvd/iso-image.nix") ]; isoImage.volumeID = "FILE"; isoImage.makeEfiBootable = true; }`
	evaluated := `import <nixpkgs/nixos/lib/eval-config.nix> { modules = [ ./iso.nix ]; }`
	for name, text := range map[string]string{
		"iso.nix":            iso,
		"set.nix":            `{ imports = [ ./iso.nix ]; networking.hostName = "set"; }`,
		"evaluated.nix":      evaluated,
		"several.nix":        `{ one = ` + evaluated + `; two = ` + evaluated + `; }`,
		"function.nix":       `{ name ? "called" }: { ${name} = ` + evaluated + `; }`,
		"flakes.nix":         `{ nixosConfigurations.inside = ` + evaluated + `; }`,
		"folder/default.nix": `{ imports = [ ../iso.nix ]; }`,
		"odd ${name}.nix":    `{ imports = [ ./iso.nix ]; }`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args []string
		want string // name of the configuration
	}{
		"path":                {[]string{"./iso.nix"}, "iso"},
		"bare name":           {[]string{"iso.nix"}, "iso"},
		"absolute":            {[]string{filepath.Join(dir, "iso.nix")}, "iso"},
		"flag":                {[]string{"-f", "iso.nix"}, "iso"},
		"set":                 {[]string{"--file", "set.nix"}, "set"},
		"evaluated":           {[]string{"-f", "evaluated.nix"}, "evaluated"},
		"one of several":      {[]string{"-f", "several.nix", "two"}, "two"},
		"one of several, '#'": {[]string{"./several.nix#one"}, "one"},
		"function":            {[]string{"-f", "function.nix"}, "called"},
		"like a flake":        {[]string{"-f", "flakes.nix"}, "inside"},
		"folder":              {[]string{"-f", "folder"}, "folder"},
		"odd name":            {[]string{"-f", "odd ${name}.nix"}, "odd ${name}"},
		"search path":         {[]string{"-f", "<nixos-config>", "-I", "nixos-config=" + filepath.Join(dir, "iso.nix")}, "nixos-config"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := call{dir: dir, env: []string{"NIX_PATH=nixpkgs=" + mini}}.plan(t, test.args...)
			if p.Configuration != test.want || p.VolumeID != "FILE" {
				t.Errorf("the plan is of %q, labelled %s, want %q", p.Configuration, p.VolumeID, test.want)
			}
		})
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"several":           {[]string{"-f", "several.nix"}, 1, []string{`"one", "two"`, "--file FILE one"}},
		"misspelt":          {[]string{"-f", "several.nix", "tow"}, 1, []string{`no configuration "tow"`, "two"}},
		"absent":            {[]string{"-f", "absent.nix"}, 2, []string{"absent.nix", "does not exist"}},
		"absent, by path":   {[]string{"./absent.nix"}, 2, []string{"absent.nix", "does not exist"}},
		"without a channel": {[]string{"-f", "iso.nix"}, 1, []string{"nixpkgs", "-I nixpkgs="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := "NIX_PATH=nixpkgs=" + mini
			if name == "without a channel" {
				env = "NIX_PATH="
			}
			checkRefusal(t, call{dir: dir, env: []string{env}}.livebuild(t, append([]string{"plan"}, test.args...)...), test.status, test.texts...)
		})
	}
}
