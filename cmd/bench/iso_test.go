package main

import "testing"

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
	r, err := parseISORow("x86_64:zstd:19@512M")
	if err != nil || r.bytes != 512<<20 || r.row().name != "iso:x86_64:zstd:19@512M" || r.packerMemory() != "-mem 128M" {
		t.Errorf("a row with little memory is %+v, %v", r, err)
	}
	for _, word := range []string{"x86_64:lz4@", "x86_64:lz4@512", "x86_64:lz4@0M", "x86_64:lz4@-1G", "zstd:19", "m88k:lz4", "x86_64", "x86_64:none", "x86_64:zstd:99", "x86_64:xz -Xbcj x86"} {
		if _, err := parseISORow(word); err == nil {
			t.Errorf("%q is taken for a row", word)
		}
	}
}
