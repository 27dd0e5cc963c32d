package template

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Of a run that fails in the middle, nothing is left.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hosts"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := Write(root, dir, "multi"); err == nil {
		t.Error("a file is in the place of a folder, and nobody minds")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// What is missing is written, what is there stays.
func TestWriteRest(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	first, err := Write(root, dir, "multi")
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Remove("hosts/desk.nix"); err != nil {
		t.Fatal(err)
	}
	again, err := Write(root, dir, "multi")
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("%q, then %q, %v", first, again, err)
	}
	if _, err := root.Stat("hosts/desk.nix"); err != nil {
		t.Error(err)
	}
	if err := root.WriteFile("base.nix", []byte("{ }"), 0o644); err != nil {
		t.Fatal(err)
	}
	var exists *ExistsError
	if _, err := Write(root, dir, "multi"); !errors.As(err, &exists) || !slices.Equal(exists.Files, []string{"base.nix"}) {
		t.Errorf("a changed file: %v", err)
	}
}

// Every template is listed, and every one that is listed is there.
func TestList(t *testing.T) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, template := range List() {
		names = append(names, template.Name)
		if template.Description == "" {
			t.Errorf("%s has no description", template.Name)
		}
		if from, err := Files(template.Name); err != nil {
			t.Error(err)
		} else if _, err := fs.Stat(from, "flake.nix"); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(names)
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if !slices.Equal(names, there) {
		t.Errorf("listed are %q, there are %q", names, there)
	}
}
