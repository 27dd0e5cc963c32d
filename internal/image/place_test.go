package image

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOutputPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		"":            "x.iso",
		".":           "x.iso",
		"folder":      "folder/x.iso",
		"folder/":     "folder/x.iso",
		"absent/":     "absent/x.iso",
		"absent":      "absent",
		"file":        "file",
		"y.iso":       "y.iso",
		"folder/y":    "folder/y",
		"./folder/..": "x.iso",
	} {
		if got := OutputPath(output, "x.iso"); got != filepath.FromSlash(want) {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}
