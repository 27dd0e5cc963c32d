package ask

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/installable"
)

// TestImages lists the images of a folder, the newest first.
func TestImages(t *testing.T) {
	folder := t.TempDir()
	now := time.Now()
	for i, name := range []string{"a.iso", "B.ISO.ZST", "-c.img", "d.iso.sha256", "e.txt", "f.raw", "iso", "g\x1b[2J.iso"} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, make([]byte, 2000), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now, now.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link.iso": "a.iso", "broken.iso": "absent"} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.iso"), 0o755); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, c := range images(folder) {
		words = append(words, c.word)
		if !strings.HasPrefix(c.item.Detail, "2.0 kB, ") {
			t.Errorf("%s: %q", c.word, c.item.Detail)
		}
	}
	if want := []string{"f.raw", "./-c.img", "B.ISO.ZST", "a.iso", "link.iso"}; !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
	if got := images(filepath.Join(folder, "absent")); got != nil {
		t.Errorf("no folder has %v", got)
	}
}

// TestInstallableOf writes names so that they are read as they are.
func TestInstallableOf(t *testing.T) {
	for _, name := range []string{"a", "a.b", "my host", "100%", "a#b", "naïve", "nixosConfigurations.x", "x.config.system.build.y", ".dot"} {
		text, ok := installableOf("path:/f?dir=x", name)
		of, err := installable.Parse(text)
		if !ok || err != nil || of.Name != name || of.Ref != "path:/f?dir=x" {
			t.Errorf("%q is written %q, which is %+v, %v", name, text, of, err)
		}
	}
	if text, _ := installableOf(".", "laptop"); text != ".#laptop" {
		t.Errorf("a plain name is written %q", text)
	}
	// Some cannot be.
	for _, name := range []string{`"`, "a\nb"} {
		if text, ok := installableOf(".", name); ok {
			if of, err := installable.Parse(text); err != nil || of.Name != name {
				t.Errorf("%q is written %q", name, text)
			}
		}
	}
}

// TestFlakeHere looks for a flake as Nix does.
func TestFlakeHere(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{"flake/sub/sub", "flake/repository/.git", "flake/repository/sub", "empty/.git"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "flake/flake.nix"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]bool{
		"flake": true, "flake/sub/sub": true, "flake/repository": false, "flake/repository/sub": false, "empty": false,
	} {
		t.Chdir(filepath.Join(root, folder))
		if got := flakeHere(); got != want {
			t.Errorf("%s: %t, want %t", folder, got, want)
		}
	}
}
