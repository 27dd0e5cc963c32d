package storefs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const secret = "what the machine keeps to itself"

// lab is a store in a folder of its own, beside which lies a secret. The links are
// those of the store: names with the texts that they hold.
func lab(t *testing.T, links map[string]string) (files *FS, root string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, content string) {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("nix/store/a/dir/file", "file of a")
	put("nix/store/b/file", "file of b")
	put("nix/store/plain", "a store path that is a file")
	put("nix/store/other/key", secret)
	put("nix/secret", secret)
	put("secret", secret)
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, "nix/store", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "nix/store/a/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	paths := []string{"/nix/store/a", "/nix/store/b", "/nix/store/plain", "/nix/store/link", "/nix/store/out", "/nix/store/loop"}
	files, err = New("/nix/store", filepath.Join(root, "nix/store"), paths)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return files, root
}

func TestFind(t *testing.T) {
	const file = "/nix/store/a/dir/file"
	files, _ := lab(t, map[string]string{
		"link":       "b",
		"loop":       "loop",
		"a/relative": "dir/file",
		"a/absolute": "/nix/store/a/dir",
		"a/chain":    "/nix/store/a/absolute/file",
		"a/up":       "absolute/../dir/./file", // ".." of where the link leads
		"a/across":   "../b/file",
		"a/around":   "../../../nix/store/../store/b//file",
		"a/dangling": "/nix/store/a/none",
		"b/back":     "/nix/store/a/across",
	})
	for _, test := range []struct {
		path, want string
		err        error
	}{
		{file, file, nil},
		{"/nix/store/a/./dir//file", file, nil},
		{"/nix/store/a/dir/../dir/file", file, nil},
		{"/nix/store/a/relative", file, nil},
		{"/nix/store/a/absolute", "/nix/store/a/dir", nil},
		{"/nix/store/a/absolute/", "/nix/store/a/dir", nil},
		{"/nix/store/a/absolute/file", file, nil},
		{"/nix/store/a/chain", file, nil},
		{"/nix/store/a/up", file, nil},
		{"/nix/store/a/across", "/nix/store/b/file", nil},
		{"/nix/store/a/around", "/nix/store/b/file", nil},
		{"/nix/store/b/back", "/nix/store/b/file", nil},
		{"/nix/store/link/file", "/nix/store/b/file", nil},
		{"/nix/store/link", "/nix/store/b", nil},
		{"/nix/store/plain", "/nix/store/plain", nil},
		{"/../nix/store/plain", "/nix/store/plain", nil}, // above the root is the root
		{"/nix/store/loop", "", syscall.ELOOP},
		{"/nix/store/a/dangling", "", fs.ErrNotExist},
		{"/nix/store/a/dir/file/below", "", syscall.ENOTDIR},
		{"/nix/store/a/dir/file/..", "", syscall.ENOTDIR},
		{"/nix/store/plain/below", "", syscall.ENOTDIR},
		{"/nix/store/a/" + strings.Repeat("n", 300), "", syscall.ENAMETOOLONG},
		{"/nix/store/a/dir\x00", "", syscall.EINVAL},
	} {
		got, info, err := files.Find(test.path)
		if got != test.want || !errors.Is(err, test.err) || (err == nil) != (info != nil) {
			t.Errorf("Find(%q) = %q, %v, want %q, %v", test.path, got, err, test.want, test.err)
		}
	}
	if text, err := files.ReadFile("/nix/store/a/chain", 1<<10); err != nil || string(text) != "file of a" {
		t.Errorf("ReadFile through three links = %q, %v", text, err)
	}
	entries, err := files.ReadDir("/nix/store/a/absolute")
	if err != nil || len(entries) != 1 || entries[0].Name() != "file" || entries[0].Size() != int64(len("file of a")) {
		t.Errorf("ReadDir through a link = %v, %v", entries, err)
	}
	entries, err = files.ReadDir("/nix/store/a")
	names := map[string]fs.FileMode{}
	for _, e := range entries {
		names[e.Name()] = e.Mode().Type()
	}
	if err != nil || names["absolute"] != fs.ModeSymlink || names["dir"] != fs.ModeDir || names["pipe"] != fs.ModeNamedPipe {
		t.Errorf("ReadDir = %v, %v", names, err)
	}
	for link, want := range map[string]string{"/nix/store/link": "b", "/nix/store/a/chain": "/nix/store/a/absolute/file", "/nix/store/link/back": "/nix/store/a/across"} {
		if got, err := files.ReadLink(link); got != want || err != nil {
			t.Errorf("ReadLink(%q) = %q, %v, want %q", link, got, err, want)
		}
	}
}

// leadsOut are names that lead out of the store, or to a path of it that is not to
// be read, each with where to.
var leadsOut = []struct{ path, leads string }{
	{"/secret", "/secret"},
	{"secret", "secret"},
	{"", ""},
	{"/", "/"},
	{"/nix", "/nix"},
	{"/nix/secret", "/nix/secret"},
	{"/nix/storeother/key", "/nix/storeother/key"},
	{"/nix/store", "/nix/store"},
	{"/nix/store/", "/nix/store"},
	{"/nix/store/..", "/nix"},
	{"/nix/store/../../secret", "/secret"},
	{"/nix/store/../secret", "/nix/secret"},
	{"/nix/store/a/../../../secret", "/secret"},
	{"/nix/store/a/dir/../../../secret", "/nix/secret"},
	{"/nix/store/a/../../../../../../../secret", "/secret"},
	{"/dev/stdin", "/dev/stdin"},
	{"/dev/null", "/dev/null"},
	{"/proc/self/environ", "/proc/self/environ"},
	{"/proc/self/fd/3", "/proc/self/fd/3"},
	{"/nix/store/other", "/nix/store/other"},
	{"/nix/store/other/key", "/nix/store/other/key"},
	{"/nix/store/a/../other/key", "/nix/store/other/key"},
	{"/nix/store/.links", "/nix/store/.links"},
	{"/nix/store/absent/x", "/nix/store/absent/x"},
	{"/nix/store/out", "/secret"},
	{"/nix/store/out/below", "/secret/below"},
	{"/nix/store/a/absolute", "/secret"},
	{"/nix/store/a/climbs", "/secret"},
	{"/nix/store/a/climbs-far", "/secret"},
	{"/nix/store/a/half", "/nix/secret"},
	{"/nix/store/a/root", "/"},
	{"/nix/store/a/root/secret", "/secret"},
	{"/nix/store/a/root/nix/store/other/key", "/nix/store/other/key"},
	{"/nix/store/a/chain", "/secret"},
	{"/nix/store/a/through/secret", "/secret"},
	{"/nix/store/a/other", "/nix/store/other/key"},
	{"/nix/store/a/process", "/proc/self/environ"},
	{"/nix/store/a/stdin", "/dev/stdin"},
	{"/nix/store/b/there", "/secret"},
}

var outward = map[string]string{
	"out":          "/secret",
	"a/absolute":   "/secret",
	"a/climbs":     "../../../secret",
	"a/climbs-far": "../../../../../../../../../../../../secret",
	"a/half":       "../../secret",
	"a/root":       "/",
	"a/chain":      "climbs",
	"a/folder":     "../../..",
	"a/through":    "folder",
	"a/other":      "../other/key",
	"a/process":    "/proc/self/environ",
	"a/stdin":      "/dev/stdin",
	"b/there":      "../a/chain",
}

func TestOutside(t *testing.T) {
	files, root := lab(t, outward)
	check := func(what, path, leads string, err error) {
		t.Helper()
		var out *OutsideError
		if !errors.As(err, &out) || out.Path != path || out.Leads != leads {
			t.Errorf("%s(%q): %v, want that it leads to %s", what, path, err, leads)
			return
		}
		if in := strings.HasPrefix(leads, "/nix/store/"); out.InStore != in {
			t.Errorf("%s(%q) is in the store: %t", what, path, out.InStore)
		}
	}
	tests := append(slices.Clone(leadsOut), struct{ path, leads string }{filepath.Join(root, "nix/store/a/dir/file"), filepath.Join(root, "nix/store/a/dir/file")})
	for _, test := range tests {
		_, _, err := files.Find(test.path)
		check("Find", test.path, test.leads, err)
		_, err = files.Open(test.path)
		check("Open", test.path, test.leads, err)
		_, err = files.ReadFile(test.path, 1<<10)
		check("ReadFile", test.path, test.leads, err)
		_, err = files.ReadDir(test.path)
		check("ReadDir", test.path, test.leads, err)
	}
	for _, p := range []string{"/nix/store/other", "/nix/store/a/dir", "/secret", "/nix/store/..", "/nix/store"} {
		var out *OutsideError
		if host, err := files.HostPath(p); !errors.As(err, &out) {
			t.Errorf("HostPath(%q) = %q, %v", p, host, err)
		}
	}
	for _, p := range []string{"/nix/store/a", "/nix/store/plain"} {
		if host, err := files.HostPath(p); host != filepath.Join(root, p) || err != nil {
			t.Errorf("HostPath(%q) = %q, %v", p, host, err)
		}
	}
}

// TestMechanism swaps what was found for a link that leads out, which no store path
// does: even then nothing beyond it is opened.
func TestMechanism(t *testing.T) {
	files, root := lab(t, nil)
	for name, target := range map[string]string{"file": "../../../../secret", "across": "../../other/key", "absolute": filepath.Join(root, "secret")} {
		file := filepath.Join(root, "nix/store/a/dir", name)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		found, _, err := files.Find("/nix/store/a/dir/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(file), os.Symlink(target, file)); err != nil {
			t.Fatal(err)
		}
		if f, _, err := files.open(found); err == nil {
			t.Errorf("%s was opened: %s", target, f.Name())
		}
	}
}

func TestOpenKinds(t *testing.T) {
	files, _ := lab(t, nil)
	for _, p := range []string{"/nix/store/a/pipe", "/nix/store/a/dir", "/nix/store/a"} {
		if f, err := files.Open(p); err == nil || f != nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("Open(%q) = %v, %v", p, f, err)
		}
	}
}

func TestReadFileLimit(t *testing.T) {
	files, _ := lab(t, nil)
	const file, size = "/nix/store/b/file", int64(len("file of b"))
	if text, err := files.ReadFile(file, size); err != nil || int64(len(text)) != size {
		t.Errorf("ReadFile of as many bytes as it may have = %q, %v", text, err)
	}
	if _, err := files.ReadFile(file, size-1); err == nil || !strings.Contains(err.Error(), "more than 8 bytes") {
		t.Errorf("ReadFile of more than it may have: %v", err)
	}
}

func TestNew(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"/etc", "/nix/store", "/nix/store/", "/nix/store/..", "/nix/store/a/b", "/nix/store/.", "/nix/store/a/", "a", ""} {
		var out *OutsideError
		if files, err := New("/nix/store", dir, []string{"/nix/store/x", p}); files != nil || !errors.As(err, &out) {
			t.Errorf("New with the path %q: %v", p, err)
		}
	}
	if _, err := New("/nix/store", filepath.Join(dir, "absent"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("New without a store: %v", err)
	}
}

// TestStoreBehindLinks has a store that is reached by a link of the machine, and
// another name for it.
func TestStoreBehindLinks(t *testing.T) {
	_, root := lab(t, map[string]string{"a/mine": "/my/store/b/file", "a/out": "/nix/store/b/file"})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(root, "nix"), link); err != nil {
		t.Fatal(err)
	}
	files, err := New("/my/store", filepath.Join(link, "store"), []string{"/my/store/a", "/my/store/b"})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if text, err := files.ReadFile("/my/store/a/mine", 1<<10); err != nil || string(text) != "file of b" {
		t.Errorf("ReadFile = %q, %v", text, err)
	}
	var out *OutsideError
	if _, err := files.ReadFile("/my/store/a/out", 1<<10); !errors.As(err, &out) {
		t.Errorf("a link to another store: %v", err)
	}
}
