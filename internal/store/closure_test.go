package store

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestBase32(t *testing.T) {
	for _, hash := range []string{
		"10551daed7fa467d0b58826e7eb9a0f2af7d693de319f2ef775fffcda244b9f6",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"0123456789abcdef00112233445566778899aabbccddeeffdeadbeefcafe0001",
	} {
		info, err := ParseDump(strings.NewReader("/nix/store/x\n" + hash + "\n1\n\n0\n"))
		if err != nil {
			t.Fatal(err)
		}
		output := judge.Run(t, "nix-bin", "nix-hash", "--type", "sha256", "--to-base32", hash)
		if got, want := base32(info[0].NarHash[:]), strings.TrimSpace(output); got != want {
			t.Errorf("base32(%s) = %s, want %s", hash, got, want)
		}
	}
}

func TestWriteRegistration(t *testing.T) {
	closure := Closure{Paths: []PathInfo{
		{Path: "/nix/store/a-x", NarSize: 120, References: []string{"/nix/store/a-x", "/nix/store/b-y"}},
		{Path: "/nix/store/b-y", NarSize: 8},
	}}
	const zero = "0000000000000000000000000000000000000000000000000000"
	want := "/nix/store/a-x\nsha256:" + zero + "\n120\n\n2\n/nix/store/a-x\n/nix/store/b-y\n" +
		"/nix/store/b-y\nsha256:" + zero + "\n8\n\n0\n"
	var got strings.Builder
	if err := closure.WriteRegistration(&got); err != nil || got.String() != want {
		t.Errorf("WriteRegistration = %q, %v, want %q", &got, err, want)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := closure.WriteRegistration(full); err == nil {
		t.Error("WriteRegistration on a full disk succeeded")
	}
}

const dumpHash = "10551daed7fa467d0b58826e7eb9a0f2af7d693de319f2ef775fffcda244b9f6"

func TestParseDumpErrors(t *testing.T) {
	good := "/nix/store/a-x\n" + dumpHash + "\n120\n\n1\n/nix/store/a-x\n"
	if paths, err := ParseDump(strings.NewReader(good + good)); err != nil || len(paths) != 2 {
		t.Errorf("ParseDump of two records = %v, %v", paths, err)
	}
	for n := 1; n < len(good); n++ {
		if _, err := ParseDump(strings.NewReader(good[:n])); err == nil {
			t.Errorf("ParseDump of the first %d bytes succeeded", n)
		}
	}
	for _, change := range [][2]string{
		{"/nix/store/a-x\n" + dumpHash, "nix/store/a-x\n" + dumpHash},
		{"/nix/store/a-x\n" + dumpHash, "/nix/store/../a\n" + dumpHash},
		{dumpHash, dumpHash + "00"},
		{dumpHash, dumpHash[2:]},
		{dumpHash, "sha256:" + dumpHash},
		{"120", "-1"},
		{"120", "9223372036854775808"},
		{"\n1\n", "\n99999999999\n"},
		{"\n1\n", "\nx\n"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("change %q does nothing", change)
		}
		if _, err := ParseDump(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseDump(%q) succeeded", bad)
		}
	}
}

func FuzzParseDump(f *testing.F) {
	// The output of nix-store --dump-db for a path with references.
	data, err := os.ReadFile("../../testdata/nix/2.8/dump-db.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("/nix/store/a-x\n" + dumpHash + "\n120\n/nix/store/b-x.drv\n0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		paths, err := ParseDump(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range paths {
			if p.Path[0] != '/' || p.NarSize < 0 || !slices.IsSorted(p.References) {
				t.Errorf("ParseDump returned %+v", p)
			}
		}
	})
}

func TestRoots(t *testing.T) {
	c := Closure{Paths: []PathInfo{
		{Path: "/nix/store/a", References: []string{"/nix/store/a", "/nix/store/b"}},
		{Path: "/nix/store/b", References: []string{"/nix/store/c"}},
		{Path: "/nix/store/c"}, {Path: "/nix/store/d", References: []string{"/nix/store/c"}},
	}}
	if got, want := c.Roots(), []string{"/nix/store/a", "/nix/store/d"}; !slices.Equal(got, want) {
		t.Errorf("Roots = %q, want %q", got, want)
	}
}
