package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPublishing runs the commands of docs/publishing.md one after the other, on another
// flake and another stick.
func TestPublishing(t *testing.T) {
	stick := newStick(t, 64<<20)
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "livebuild")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer(
		".#exampleIso", miniFlake(t)+"#mini",
		"livebuild write exampleIso.iso /dev/sdX", "livebuild write exampleIso.iso "+stick.name+" --yes", // nobody is asked
		"/dev/sdX", stick.path,
	)
	ran := 0
	for line := range strings.Lines(string(readFile(t, "../../docs/publishing.md"))) {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		ran++
		cmd := exec.Command("sh", "-euc", here.Replace(command))
		cmd.Dir = dir
		cmd.Env = append(environment(t), "PATH="+bin+":"+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader("correct horse\ncorrect horse\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		for begin, want := range map[string][]string{
			"ls":                              {"exampleIso.iso\n", "iso.cdx.json", "iso.manifest.json", "iso.minisig", "iso.sha256", "iso.spdx.json"},
			"sha256sum":                       {"exampleIso.iso: OK"},
			"minisign -V":                     {"Signature and comment signature verified"},
			"livebuild verify exampleIso.iso": {"is good"},
			"livebuild verify /dev/sdX":       {"is good", "signed by key "},
			"livebuild write":                 {"verified", "SHA-256 "},
			"livebuild cat":                   {`"kind": "livebuild manifest"`},
			"livebuild verify --rebuild":      {"byte for byte"},
		} {
			for _, text := range want {
				if strings.HasPrefix(command, begin) && !strings.Contains(string(out), text) {
					t.Errorf("%sprints without %q\n%s", command, text, out)
				}
			}
		}
	}
	if ran < 11 {
		t.Errorf("%d commands", ran)
	}
	checkBills(t, filepath.Join(dir, "exampleIso.iso"))
}

// checkBills wants a component for each store path in bills of materials.
func checkBills(t *testing.T, image string) {
	t.Helper()
	for _, p := range readManifest(t, onMedium(t, image)).StorePaths {
		for suffix, key := range map[string]string{".cdx.json": `"bom-ref": "` + filepath.Base(p.Path) + `"`, ".spdx.json": p.Path + ", NAR hash " + p.NarHash} {
			if !strings.Contains(string(readFile(t, image+suffix)), key) {
				t.Errorf("%s does not have %s", suffix, key)
			}
		}
	}
	if got := names(t, filepath.Dir(image)); !slices.Contains(got, "exampleIso.iso.cdx.json") {
		t.Errorf("the folder has %q", got)
	}
}
