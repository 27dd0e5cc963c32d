package image

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put makes a file.
func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func namesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestCommitBeside puts an image in the place of another one.
func TestCommitBeside(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.iso")
	sum := strings.Repeat("0a", 32)
	earlier := map[string]string{
		".sha256": sum + "  a.iso\n", ".manifest.json": `{"kind": "livebuild manifest"}`, ".spdx.json": `{"spdxVersion": "SPDX-2.3"}`,
		".cdx.json": `{"bomFormat": "CycloneDX"}`, ".minisig": "untrusted comment: x\n", ".sig": "-----BEGIN SSH SIGNATURE-----\n",
	}
	putFile(t, path, "old")
	for suffix, text := range earlier {
		putFile(t, path+suffix, text)
	}
	putFile(t, filepath.Join(folder, "b.iso.sha256"), sum) // of another
	putFile(t, path+".sha512", "the user's own")
	out, err := CreateOutput(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteAt([]byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(out.Checksum(sum), Beside{ManifestSuffix, []byte("manifest")}); err != nil {
		t.Fatal(err)
	}
	if err := out.Abort(); err != nil {
		t.Error(err)
	}
	want := []string{"a.iso", "a.iso.manifest.json", "a.iso.sha256", "a.iso.sha512", "b.iso.sha256"}
	if got := namesIn(t, folder); !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
	if got, err := os.ReadFile(path + ".sha256"); string(got) != sum+"  a.iso\n" {
		t.Errorf("the checksum is %q (%v)", got, err)
	}
}

// TestCommitBesideFails has each step fail: whatever stands beside an image then is about it.
func TestCommitBesideFails(t *testing.T) {
	for name, hinder := range map[string]func(path string) error{
		"the new image has no place": func(path string) error { return errors.Join(os.Remove(path), os.MkdirAll(path+"/x", 0o777)) },
		"the checksum has none":      func(path string) error { return os.MkdirAll(path+".sha256/x", 0o777) },
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "a.iso")
		putFile(t, path, "old")
		putFile(t, path+".sig", "untrusted comment: of the old one\n")
		out, err := CreateOutput(path, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := hinder(path); err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(out.Checksum("sum")); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := out.Abort(); err != nil {
			t.Error(err)
		}
		for _, file := range namesIn(t, folder) {
			if info, err := os.Stat(filepath.Join(folder, file)); err != nil || file != "a.iso" && info.Mode().IsRegular() {
				t.Errorf("%s: %s is left (%v)", name, file, err)
			}
		}
	}
}

// TestRemoveSums leaves what is true of an image that is stamped.
func TestRemoveSums(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.iso")
	for suffix, text := range map[string]string{
		"": "image", ".sha256": strings.Repeat("0", 64), ".sig": "untrusted comment: x\n", ".minisig": "my own", ".manifest.json": `"livebuild manifest"`,
	} {
		putFile(t, path+suffix, text)
	}
	if err := RemoveSums(path); err != nil {
		t.Fatal(err)
	}
	if got, want := namesIn(t, folder), []string{"a.iso", "a.iso.manifest.json", "a.iso.minisig"}; !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

func TestChecksumName(t *testing.T) {
	for name, want := range map[string]string{
		"a.iso": "sum  a.iso\n", "a b.iso": "sum  a b.iso\n", "a\\b\nc\rd": `\sum  a\\b\nc\rd` + "\n",
	} {
		if got := string((&Output{path: "/folder/" + name}).Checksum("sum").Data); got != want {
			t.Errorf("of %q it is %q, want %q", name, got, want)
		}
	}
}

func TestCheckBeside(t *testing.T) {
	folder := t.TempDir()
	o := &Output{path: filepath.Join(folder, "a.iso")}
	check := func(force bool) error { return o.CheckBeside([]string{ChecksumSuffix}, force) }
	if err := check(false); err != nil {
		t.Error(err)
	}
	putFile(t, o.path+".manifest.json", "of somebody") // not asked about
	putFile(t, o.path+".sha256", strings.Repeat("A", 64)+" *a.iso")
	if err := check(false); err != nil {
		t.Errorf("an earlier sum: %v", err)
	}
	putFile(t, o.path+".sha256", "my diary")
	var occupied *OccupiedError
	if err := check(false); !errors.As(err, &occupied) {
		t.Errorf("a file of somebody: %v", err)
	}
	if err := check(true); err != nil {
		t.Errorf("with force: %v", err)
	}
	if err := errors.Join(os.Remove(o.path+".sha256"), os.Mkdir(o.path+".sha256", 0o777)); err != nil {
		t.Fatal(err)
	}
	var place *PlaceError
	if err := check(true); !errors.As(err, &place) {
		t.Errorf("a folder: %v", err)
	}
}
