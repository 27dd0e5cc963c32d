package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/livebuild/livebuild/internal/manifest"
)

// onMedium is the manifest of an image, as isoinfo finds it.
func onMedium(t testing.TB, file string) []byte {
	t.Helper()
	return []byte(judge(t, "genisoimage", "isoinfo", "-R", "-i", file, "-x", "/livebuild.json"))
}

// readManifest holds a manifest against its schema.
func readManifest(t testing.TB, text []byte) *manifest.Manifest {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("the schema refuses the manifest: %v", err)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestManifest asks Nix whether what is on the medium is true.
func TestManifest(t *testing.T) {
	r := miniISO(t)
	text := onMedium(t, r.File)
	m := readManifest(t, text)
	if o := livebuild(t, "cat", r.File, "/livebuild.json"); o.stdout != string(text) {
		t.Errorf("cat prints\n%s\nisoinfo extracts\n%s", o.stdout, text)
	}
	if m.Toplevel != r.Toplevel || m.Platform != r.System || m.Settings.VolumeID != r.VolumeID || m.Settings.Compression != r.Compression {
		t.Errorf("the manifest has %s, %s, %+v, the result %+v", m.Toplevel, m.Platform, m.Settings, r)
	}
	if m.Configuration != "mini" || m.Flake == nil || m.Flake.Attribute != "nixosConfigurations.mini" || !m.Pure {
		t.Errorf("the configuration is %q, %+v, pure %t", m.Configuration, m.Flake, m.Pure)
	}
	if o := livebuild(t, "version"); !strings.HasPrefix(o.stdout, m.Tool.Name+" "+m.Tool.Version+"\n") {
		t.Errorf("it was made by %+v, and the program is %s", m.Tool, o.stdout)
	}
	if strings.Contains(string(text), filepath.Dir(program)) {
		t.Error("the manifest has a path of this machine")
	}
	closure := closureOf(t, m.Roots...)
	if len(m.StorePaths) != len(closure) {
		t.Errorf("%d store paths, Nix says %d", len(m.StorePaths), len(closure))
	}
	for _, p := range m.StorePaths {
		said := judge(t, "nix-bin", "nix-store", "--query", "--hash", p.Path)
		sri := judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command", "hash", "to-sri", strings.TrimSpace(said))
		if strings.TrimSpace(sri) != p.NarHash {
			t.Errorf("%s has the hash %s, Nix says %s", p.Path, p.NarHash, sri)
		}
		if size := strings.TrimSpace(judge(t, "nix-bin", "nix-store", "--query", "--size", p.Path)); size != strconv.FormatInt(p.NarSize, 10) {
			t.Errorf("%s has %d bytes, Nix says %s", p.Path, p.NarSize, size)
		}
	}
}

// TestManifestSource makes the same image from a folder, a commit and a changed work tree.
func TestManifestSource(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "flake")
	judge(t, "coreutils", "cp", "-R", miniFlake(t), folder)
	made := func(configuration string, args ...string) (string, *manifest.Manifest) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "a.iso")
		args = append([]string{"iso", configuration, "-o", file, "--compression", "none"}, args...)
		if o := livebuild(t, args...); o.status != 0 {
			t.Fatalf("status %d: %s", o.status, o.stderr)
		}
		text := onMedium(t, file)
		return string(text), readManifest(t, text)
	}
	asFolder, of := made("path:" + folder + "#mini")
	if hash := strings.TrimSpace(judge(t, "nix-bin", "nix", "--extra-experimental-features", "nix-command", "hash", "path", folder)); of.Flake.NarHash != hash {
		t.Errorf("the hash of the flake is %s, nix-hash says %s", of.Flake.NarHash, hash)
	}
	if of.Flake.Reference != "" || of.Flake.Revision != "" {
		t.Errorf("a folder has %+v", of.Flake.Source)
	}
	git := func(args ...string) string {
		t.Helper()
		return judge(t, "git", "git", append([]string{"-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "safe.directory=*"}, args...)...)
	}
	git("init", "-q")
	git("add", ".")
	if dirty, _ := made(folder + "#mini"); dirty != asFolder {
		t.Errorf("of a work tree the manifest is\n%s\nof the folder\n%s", dirty, asFolder)
	}
	git("commit", "-qm", "x")
	_, clean := made(folder + "#mini")
	if head := strings.TrimSpace(git("rev-parse", "HEAD")); clean.Flake.Revision != head || clean.Flake.Reference != "" {
		t.Errorf("the revision is %+v, git says %s", clean.Flake.Source, head)
	}
	if clean.Flake.NarHash != of.Flake.NarHash {
		t.Errorf("the hash is %s, of the same files in a folder %s", clean.Flake.NarHash, of.Flake.NarHash)
	}
	module := filepath.Join(t.TempDir(), "module.nix")
	if err := os.WriteFile(module, []byte("{ }"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, changed := made(folder+"#mini-host", "--module", module, "--kernel-param", "a=b", "--ssh-key", "ssh-ed25519 AAAA me")
	sum := strings.Fields(judge(t, "coreutils", "sha256sum", module))[0]
	want := `{"modules":[{"name":"module.nix","sha256":"` + sum + `"}],"kernel_params":["a=b"],"ssh_keys":["ssh-ed25519 AAAA me"]}`
	if got, err := json.Marshal(changed.Changes); err != nil || string(got) != want {
		t.Errorf("the changes are %s, want %s", got, want)
	}
	if changed.Pure || !changed.Settings.MadeLive {
		t.Errorf("pure: %t, made live: %t", changed.Pure, changed.Settings.MadeLive)
	}
}
