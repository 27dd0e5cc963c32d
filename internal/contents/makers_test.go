package contents

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
)

// maker writes an image of a folder with another program.
type maker struct {
	name          string
	debianPackage string
	command       string // IMAGE and TREE stand for the two
	keeps         kept
}

// kept is what a format keeps of files beside their contents.
type kept struct {
	links  bool
	modes  bool
	owners bool
	xattrs bool
}

var (
	everything = kept{links: true, modes: true, owners: true, xattrs: true}
	rockRidge  = kept{links: true, modes: true, owners: true}
)

// makers are the programs that people make images with. newest is mksquashfs of 'make bench', which
// is newer than the distribution's.
func makers(t *testing.T) []maker {
	list := []maker{
		{"xorriso", "xorriso", "xorriso -as mkisofs -quiet -R -J -o IMAGE TREE", rockRidge},
		{"xorriso with zisofs", "xorriso", "xorriso -outdev IMAGE -map TREE / -set_filter_r --zisofs / -- -commit", rockRidge},
		{"genisoimage", "genisoimage", "genisoimage -quiet -R -J -o IMAGE TREE", rockRidge},
		{"genisoimage with Joliet alone", "genisoimage", "genisoimage -quiet -J -o IMAGE TREE", kept{}},
		{"genisoimage with UDF", "genisoimage", "genisoimage -quiet -R -udf -o IMAGE TREE", rockRidge},
		{"grub-mkrescue", "grub-common", "grub-mkrescue -d /usr/lib/grub/x86_64-efi -o IMAGE TREE", kept{links: true}},
	}
	for _, codec := range []string{"gzip", "lzo", "lz4", "xz", "zstd"} {
		list = append(list,
			maker{"mksquashfs " + codec, "squashfs-tools", "mksquashfs TREE IMAGE -quiet -no-progress -comp " + codec, everything},
			maker{"gensquashfs " + codec, "squashfs-tools-ng", "gensquashfs -q -k -x -b 131072 -D TREE -c " + codec + " IMAGE", everything},
			maker{"tar2sqfs " + codec, "squashfs-tools-ng", "sh -c tar|tar2sqfs " + codec, everything},
		)
	}
	newest := filepath.Join("..", "..", ".work", "bench", "mksquashfs")
	if _, err := os.Stat(newest); err == nil {
		for _, codec := range []string{"gzip", "lzo", "lz4", "xz", "zstd"} {
			list = append(list, maker{"newest mksquashfs " + codec, "", newest + " TREE IMAGE -quiet -no-progress -comp " + codec, everything})
		}
	} else {
		t.Log("not tried: a newer mksquashfs, which 'make bench' gets")
	}
	return list
}

// make makes the image.
func (m maker) make(t *testing.T, tree string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if strings.HasPrefix(m.command, "sh ") {
		codec := m.command[strings.LastIndexByte(m.command, ' ')+1:]
		judge.Run(t, m.debianPackage, "sh", "-c", `tar --create --xattrs --directory "$1" . | tar2sqfs --quiet --compressor "$2" "$3"`, "sh", tree, codec, image)
		return image
	}
	words := strings.Fields(m.command)
	for i, w := range words {
		switch w {
		case "TREE":
			words[i] = tree
		case "IMAGE":
			words[i] = image
		}
	}
	if m.debianPackage == "" {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return image
	}
	judge.Run(t, m.debianPackage, words[0], words[1:]...)
	return image
}

// makersTree is a folder with what formats differ in.
func makersTree(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	write := func(name, text string, mode fs.FileMode) {
		file := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("text", strings.Repeat("text that compresses well\n", 20000), 0o644)
	write("small", "small", 0o600)
	write("empty", "", 0o444)
	write("bin/tool", "#!/bin/sh\n", 0o755)
	write("deep/er/and/deeper/file", "deep", 0o640)
	write("Capital.Letters and spaces", "names", 0o644)
	write("sparse", string(make([]byte, 300000))+"end", 0o644)
	if err := os.Symlink("bin/tool", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(filepath.Join(tree, "small"), 70000, 8); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// TestMakers looks into images of other makers: all that is in the folder they were made of is there.
func TestMakers(t *testing.T) {
	tree := makersTree(t)
	err := unix.Setxattr(filepath.Join(tree, "text"), "user.mark", []byte("value"), 0)
	if err != nil {
		t.Logf("not tried: extended attributes: %v", err)
	}
	marked := err == nil
	for _, m := range makers(t) {
		t.Run(m.name, func(t *testing.T) {
			image := m.make(t, tree)
			file, err := medium.Open(t.Context(), image, medium.OpenOptions{Any: true})
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			c, err := Open(file.Medium)
			if err != nil {
				t.Fatal(err)
			}
			err = filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				below, err := filepath.Rel(tree, name)
				if err != nil || below == "." {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				return m.compare(t, c, name, "/"+below, info, marked)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// compare holds a file of the image against that of the folder.
func (m maker) compare(t *testing.T, c *Contents, name, at string, info fs.FileInfo, marked bool) error {
	if info.Mode().Type() == fs.ModeSymlink && !m.keeps.links {
		return nil
	}
	files, err := c.Find(at, false)
	if err != nil {
		return err
	}
	f := files[0]
	if f.Mode.Type() != info.Mode().Type() || m.keeps.modes && f.Mode.Perm() != info.Mode().Perm() && info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%s is %s, was %s", at, f.Mode, info.Mode())
	}
	if m.keeps.owners && at == "/small" && os.Geteuid() == 0 && (f.UID != 70000 || f.GID != 8) {
		t.Errorf("%s is owned by %d:%d", at, f.UID, f.GID)
	}
	if m.keeps.xattrs && marked && at == "/text" {
		list, err := f.Xattrs()
		if err != nil || len(list) != 1 || list[0].Name != "user.mark" || string(list[0].Value) != "value" {
			t.Errorf("%s has the attributes %v, %v", at, list, err)
		}
	}
	switch {
	case f.Mode.Type() == fs.ModeSymlink:
		if target, err := os.Readlink(name); err != nil || f.Target != target {
			t.Errorf("%s leads to %q, led to %q (%v)", at, f.Target, target, err)
		}
	case f.Mode.IsRegular():
		want, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := c.Open(f)
		if err != nil {
			return err
		}
		if got, err := io.ReadAll(r); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%s has %d bytes, %v, had %d", at, len(got), err, len(want))
		}
	}
	return nil
}
