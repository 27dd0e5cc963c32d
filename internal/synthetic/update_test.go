package synthetic

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

// An update has other names and other references in programs, and shares what is none.
func TestUpdate(t *testing.T) {
	root := t.TempDir()
	const hash = "00000000000000000000000000000000"
	program := "#!/bin/sh\n" + strings.Repeat("true\n", 100_000)
	text := strings.Repeat("text\n", 100)
	for name, content := range map[string]string{"bin/tool": program, "share/text": text} {
		file := filepath.Join(root, "nix/store", hash+"-tool", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	before := "/nix/store/" + hash + "-tool"
	update := func(match string) string {
		t.Helper()
		closure := &store.Closure{Paths: []store.PathInfo{{Path: before}}}
		for range 2 { // what is there already is kept
			closure.Paths[0].Path = before
			if err := Update(closure, root, match); err != nil {
				t.Fatal(err)
			}
		}
		return closure.Paths[0].Path
	}
	changed := func(after, name string) (bytesChanged int) {
		t.Helper()
		a, err := os.ReadFile(filepath.Join(root, before, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(root, after, name))
		if err != nil || len(a) != len(b) {
			t.Fatalf("%s has %d bytes after an update and %d before: %v", name, len(b), len(a), err)
		}
		for i := range a {
			if a[i] != b[i] {
				bytesChanged++
			}
		}
		return bytesChanged
	}

	if got := update("other"); got != before {
		t.Errorf("what does not match is %s now", got)
	}
	after := update("")
	if after == before || !strings.HasSuffix(after, "-tool") || len(after) != len(before) {
		t.Fatalf("the new path is %s", after)
	}
	// A reference of 32 letters in each 256 KiB.
	if n := changed(after, "bin/tool"); n == 0 || n > 2*32 {
		t.Errorf("%d bytes of the program changed", n)
	}
	if n := changed(after, "share/text"); n != 0 {
		t.Errorf("%d bytes of the text changed", n)
	}
	all := update("tool")
	if all == after || changed(all, "share/text") == 0 {
		t.Errorf("the text is the same in %s, of which every file was to change", all)
	}
	if b, err := os.ReadFile(filepath.Join(root, before, "bin/tool")); err != nil || !bytes.Equal(b, []byte(program)) {
		t.Errorf("the program before was changed: %v", err)
	}
}
