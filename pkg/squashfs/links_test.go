//go:build linux

package squashfs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// TestLinksAreNotFollowed swaps files and folders for links after they were scanned:
// what those lead to is not what was to be packed.
func TestLinksAreNotFollowed(t *testing.T) {
	c, err := codec.New(codec.Settings{Name: codec.None}, codec.DefaultBlockSize)
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.Repeat([]byte("secret\n"), 1<<16)
	for name, swap := range map[string]struct{ what, to string }{
		"small file":       {"entry/a/small", "secret/small"},
		"large file":       {"entry/a/large", "secret/large"},
		"sparse file":      {"entry/a/sparse", "secret/large"},
		"folder":           {"entry/a", "secret"},
		"entry":            {"entry", "secret"},
		"entry of a file":  {"file", "secret/small"},
		"relative":         {"entry/a/small", "../../secret/small"},
		"one of two equal": {"entry/a/twin", "secret/large"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(name string, content []byte) {
				file := filepath.Join(root, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			const small = 700
			for _, name := range []string{"entry/a/small", "file"} {
				write(name, bytes.Repeat([]byte("a"), small))
			}
			for _, name := range []string{"entry/a/large", "entry/a/twin"} {
				write(name, bytes.Repeat([]byte("a"), len(secret)))
			}
			write("entry/a/sparse", nil)
			if err := os.Truncate(filepath.Join(root, "entry/a/sparse"), int64(len(secret))); err != nil {
				t.Fatal(err)
			}
			write("secret/small", secret[:small])
			for _, name := range []string{"large", "twin", "sparse"} {
				write("secret/"+name, secret)
			}
			tree, err := Scan(context.Background(), []Entry{
				{Name: "entry", Path: filepath.Join(root, "entry")},
				{Name: "file", Path: filepath.Join(root, "file")},
			}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			what, to := filepath.Join(root, swap.what), swap.to
			if name != "relative" {
				to = filepath.Join(root, to)
			}
			if err := errors.Join(os.RemoveAll(what), os.Symlink(to, what)); err != nil {
				t.Fatal(err)
			}
			image := &memoryImage{}
			_, err = tree.Write(context.Background(), image, Options{Codec: c, MkfsTime: time.Unix(1, 0), ModTime: time.Unix(1, 0)})
			if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
				t.Errorf("Write: %v, want that a link is in the way", err)
			}
			if bytes.Contains(image.p, []byte("secret")) {
				t.Error("the image has what the link leads to")
			}
		})
	}
}

// TestEntriesThatAreLinks scans entries that lead out: they are links in the image.
func TestEntriesThatAreLinks(t *testing.T) {
	root := t.TempDir()
	link := filepath.Join(root, "link")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	tree, err := Scan(context.Background(), []Entry{{Name: "link", Path: link}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := tree.entries[0].branch.Top(nil); n.Kind != disk.TypeSymlink || n.Target != "/etc/passwd" {
		t.Errorf("the entry is %+v", n)
	}
	// A folder by its own name, and by others.
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for _, path := range []string{root, root + "/", root + "/.", ".", "./", "../" + filepath.Base(root)} {
		tree, err := Scan(context.Background(), []Entry{{Name: "all", Path: path}}, nil, nil)
		if err != nil || tree.Files != 1 || tree.Inodes != 4 {
			t.Errorf("%s: %v", path, err)
		}
	}
}
