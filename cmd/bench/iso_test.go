package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseISORow(t *testing.T) {
	for word, want := range map[string]string{
		"x86_64:zstd:19": "zstd -Xcompression-level 19", "aarch64:lz4": "lz4", "x86_64:lz4:hc": "lz4 -Xhc", "x86_64:xz": "xz -Xdict-size 100%",
	} {
		r, err := parseISORow(word)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.words(); got != want || err != nil {
			t.Errorf("%s is %q, want %q: %v", word, got, want, err)
		}
	}
	for _, word := range []string{"zstd:19", "m88k:lz4", "x86_64", "x86_64:none", "x86_64:zstd:99", "x86_64:xz -Xbcj x86"} {
		if _, err := parseISORow(word); err == nil {
			t.Errorf("%q is taken for a row", word)
		}
	}
}

// A file system without a device of its own counts nothing, and is full as it is.
func TestOnDisk(t *testing.T) {
	folder := t.TempDir()
	use, err := onDisk(folder, func() error {
		return os.WriteFile(filepath.Join(folder, "file"), make([]byte, 1<<20), 0o644)
	})
	if err != nil || use.Written < 0 {
		t.Errorf("%+v, %v", use, err)
	}
	if _, err := onDisk(filepath.Join(folder, "absent"), func() error { return nil }); err == nil {
		t.Error("a folder that is not there was measured")
	}
}
