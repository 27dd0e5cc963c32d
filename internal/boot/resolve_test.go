package boot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// elsewhere is a store below another folder.
type elsewhere string

func (root elsewhere) PhysicalPath(path string) string {
	if strings.HasPrefix(path, "/nix/store/") {
		return string(root) + path
	}
	return path
}

func TestResolve(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(root, "nix/store")
	if err := os.MkdirAll(filepath.Join(store, "a/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store, "a/dir/file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"relative": "a/dir/file",
		"absolute": "/nix/store/a/dir",
		"chain":    "/nix/store/absolute/file",
		"up":       "absolute/../dir/./file", // ".." of where the link leads
		"loop":     "/nix/store/loop",
		"dangling": "/nix/store/none",
	} {
		if err := os.Symlink(target, filepath.Join(store, name)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(store, "a/dir/file")
	tests := []struct {
		path, want string
		err        error
	}{
		{"/nix/store/a/dir/file", file, nil},
		{"/nix/store/a/./dir//file", file, nil},
		{"/nix/store/relative", file, nil},
		{"/nix/store/absolute", filepath.Dir(file), nil},
		{"/nix/store/absolute/file", file, nil},
		{"/nix/store/chain", file, nil},
		{"/nix/store/up", file, nil},
		{file, file, nil},
		{"/nix/store/loop", "", syscall.ELOOP},
		{"/nix/store/dangling", "", fs.ErrNotExist},
		{"/nix/store/a/dir/file/below", "", syscall.ENOTDIR},
	}
	for _, test := range tests {
		got, err := resolve(elsewhere(root), test.path)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("resolve(%q) = %q, %v, want %q, %v", test.path, got, err, test.want, test.err)
		}
	}
}
