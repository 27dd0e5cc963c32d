package medium

import (
	"crypto/sha512"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSums has sha512sum(1) read a list.
func TestSums(t *testing.T) {
	folder := t.TempDir()
	var list []byte
	size := int64(0)
	for _, name := range []string{"a", "with space", "  two", "*star"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		s := Sum{Path: strings.TrimPrefix(filepath.Join(folder, name), "/"), SHA512: sha512.Sum512([]byte(name))}
		list, size = s.AppendTo(list), size+s.Size()
	}
	if int64(len(list)) != size {
		t.Errorf("the list has %d bytes, its lines say %d", len(list), size)
	}
	check := exec.Command("sha512sum", "--check", "--strict", "--quiet")
	check.Stdin = strings.NewReader(string(list))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha512sum: %v\n%s", err, out)
	}
	read, err := ParseSums(list)
	if err != nil || len(read) != 4 || !strings.HasSuffix(read[2].Path, "/  two") {
		t.Fatalf("ParseSums = %v, %v", read, err)
	}
	for _, s := range read {
		if s.SHA512 != sha512.Sum512([]byte(filepath.Base(s.Path))) {
			t.Errorf("%s has another sum", s.Path)
		}
	}
}

func TestParseSumsRefuses(t *testing.T) {
	good := string(Sum{Path: "a"}.AppendTo(nil))
	for text, want := range map[string]string{
		good[:len(good)-1]:                        "cut off",
		good + good[1:]:                           "line 2",
		good + "\n":                               "line 2",
		strings.Replace(good, "0", "g", 1):        "line 1",
		strings.Replace(good, "  /", " */", 1):    "line 1",
		strings.Replace(good, "  /a", "  /", 1):   "line 1",
		"0" + good:                                "line 1",
		strings.Repeat(good, maxSums/len(good)+1): "more than",
	} {
		if _, err := ParseSums([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.150q: error %v, want one with %q", text, err, want)
		}
	}
	if all, err := ParseSums(nil); err != nil || len(all) != 0 {
		t.Errorf("an empty list: %v, %v", all, err)
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add(Sum{Path: "nix-store.squashfs"}.AppendTo(Sum{Path: "boot/kernel"}.AppendTo(nil)))
	f.Add([]byte("00  /a\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		sums, err := ParseSums(list)
		if err != nil {
			return
		}
		var again []byte
		for _, s := range sums {
			again = s.AppendTo(again)
		}
		if !strings.EqualFold(string(again), string(list)) {
			t.Errorf("%q was read as %q", list, again)
		}
	})
}
