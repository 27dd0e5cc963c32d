package contents

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

type memory struct{ bytes.Buffer }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > m.Len() {
		m.Write(make([]byte, end-m.Len()))
	}
	return copy(m.Bytes()[offset:], p), nil
}

var sometime = time.Unix(1e9, 0)

func file(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), Mode: 0o444, ModTime: sometime}
}

func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777, ModTime: sometime}
}

func squashed(t testing.TB, files fstest.MapFS) []byte {
	t.Helper()
	var b memory
	if _, err := squashfs.Write(t.Context(), &b, files, squashfs.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sample is a medium with a volume, an EFI system partition, a Nix store and the root of
// another system.
func sample(t testing.TB) *Contents {
	t.Helper()
	return opened(t, sampleBytes(t))
}

// sampleBytes is the image of sample.
func sampleBytes(t testing.TB) []byte {
	t.Helper()
	esp, err := fat.Image{Label: "EFIBOOT", Size: 1 << 20, Files: []fat.File{{Path: "EFI/BOOT/grub.cfg", Data: []byte("of the ESP")}}}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var partition bytes.Buffer
	if err := esp.Write(t.Context(), &partition); err != nil {
		t.Fatal(err)
	}
	layout, err := hybridiso.Image{
		VolumeID: "SAMPLE",
		Files: []hybridiso.File{
			{Path: "boot/efi.img", Data: partition.Bytes()},
			{Path: "boot/menu", Data: []byte("of the volume")},
			{Path: "up", Link: "boot/../boot/menu"},
			{Path: "tool", Link: "/nix/store/bbb-tool/bin/tool"},
			{Path: "nix-store.squashfs", Data: squashed(t, fstest.MapFS{
				"aaa-lib/lib.so":    file("of the library"),
				"bbb-tool/bin/tool": file("of the tool"),
				"bbb-tool/lib":      link("/nix/store/aaa-lib"),
				"bbb-tool/near":     link("../aaa-lib/lib.so"),
				"bbb-tool/around":   link("../../store/aaa-lib/lib.so"),
				"bbb-tool/etc":      link("/etc/passwd"),
				"bbb-tool/climb":    link("../../../etc/passwd"),
			})},
			{Path: "live/root.squashfs", Data: squashed(t, fstest.MapFS{
				"etc/name":    file("of the root"),
				"etc/.hidden": file("hidden"),
				"etc/odd[1]":  file("odd"),
				"bin":         link("usr/bin"),
				"usr/bin/sh":  link("/etc/name"),
				"top":         link("../../../etc/name"),
				"one":         link("two"),
				"two":         link("one"),
			})},
		},
		Boot: hybridiso.Boot{Hybrid: true, EFI: &hybridiso.EFIBoot{Path: "boot/efi.img"}},
	}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var image memory
	if _, err := layout.Write(t.Context(), &image, func(context.Context, io.WriterAt) (int64, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	return image.Bytes()
}

// opened is an image in memory.
func opened(t testing.TB, image []byte) *Contents {
	t.Helper()
	m, err := medium.ReadAny(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	c := sample(t)
	for path, want := range map[string]string{
		"/boot/menu":                                      "of the volume",
		"boot//./menu":                                    "of the volume",
		"/../boot/menu":                                   "of the volume",
		"/up":                                             "of the volume",
		"/tool":                                           "of the tool",
		"esp:/efi/boot/GRUB.CFG":                          "of the ESP",
		"/boot/efi.img/EFI/BOOT/grub.cfg":                 "of the ESP",
		"/nix/store/bbb-tool/bin/tool":                    "of the tool",
		"/nix/store/bbb-tool/lib/lib.so":                  "of the library",
		"/nix/store/bbb-tool/near":                        "of the library",
		"/nix/store/bbb-tool/around":                      "of the library",
		"/nix-store.squashfs/bbb-tool/lib/lib.so":         "of the library",
		"/nix/store/*-tool/bin/*":                         "of the tool",
		"/*.squashfs/aaa-*/lib.??":                        "of the library",
		"/live/root.squashfs/etc/name":                    "of the root",
		"/live/root.squashfs/bin/sh":                      "of the root",
		"/live/root.squashfs/top":                         "of the root",
		"/live/root.squashfs/etc/*":                       "of the root", // the first
		"/live/root.squashfs/etc/odd[1]":                  "odd",
		`/live/root.squashfs/etc/odd\[1\]`:                "odd",
		"/live/root.squashfs/etc/.h*":                     "hidden",
		"/l[!a-h]ve/*/etc/[m-o]ame":                       "of the root",
		"/*/root.squashfs/bin/s?":                         "of the root",
		"/live/root.squashfs/usr/../../root.squashfs/top": "of the root",
	} {
		files, err := c.Find(path, true)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		r, err := c.Open(files[0])
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := io.ReadAll(r); string(got) != want || err != nil {
			t.Errorf("%s is %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestFindNothing(t *testing.T) {
	c := sample(t)
	for path, want := range map[string]string{
		"/absent":                     "/absent is not on the medium",
		"/boot/menu/x":                "/boot/menu is no folder, and no image",
		"esp2:/EFI":                   "esp2:/EFI is not on the medium",
		"/nix/store/ccc":              "/nix/store/ccc is not on the medium",
		"/nix/store/c*":               "/nix/store/c* is not on the medium",
		"/nix/store/bbb-tool/etc":     "/nix/store/bbb-tool/etc leads to /etc/passwd, which is not on the medium",
		"/nix/store/bbb-tool/climb":   "/nix/store/bbb-tool/climb leads to ../../../etc/passwd",
		"/live/root.squashfs/one":     "/live/root.squashfs/one leads through too many symbolic links",
		"/live/root.squashfs/etc/ab*": "is not on the medium",
	} {
		files, err := c.Find(path, true)
		var absent *NotFoundError
		if !errors.As(err, &absent) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want a NotFoundError: %s", path, files, err, want)
		}
	}
	if _, err := c.Find("/boot/[", true); err == nil || !strings.Contains(err.Error(), "pattern") {
		t.Errorf("a bad pattern: %v", err)
	}
}

func TestList(t *testing.T) {
	c := sample(t)
	for path, want := range map[string]string{
		"/":                           "boot live nix-store.squashfs tool up",
		"esp:/":                       "EFI",
		"/live/root.squashfs/":        "bin etc one top two usr",
		"/nix/store":                  "aaa-lib bbb-tool",
		"/live/root.squashfs/bin/":    "sh",
		"/live/root.squashfs/usr/bin": "sh",
	} {
		files, err := c.Find(path, true)
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v", path, files, err)
			continue
		}
		var names []string
		for f, err := range c.List(files[0]) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, f.Name())
			if again, err := c.Find(f.Path, false); err != nil || again[0].Path != f.Path {
				t.Errorf("%s is found as %v, %v", f.Path, again, err)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %s, want %s", path, got, want)
		}
	}
}

// extract takes paths out to a new folder.
func extract(t *testing.T, c *Contents, opts ExtractOptions, paths ...string) (string, Extraction, error) {
	t.Helper()
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var files []File
	for _, p := range paths {
		found, err := c.Find(p, true)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	done, err := c.Extract(t.Context(), files, root, opts)
	return folder, done, err
}

func names(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err == nil && file != folder {
			names = append(names, strings.TrimPrefix(file, folder+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestExtract(t *testing.T) {
	c := sample(t)
	folder, done, err := extract(t, c, ExtractOptions{}, "/nix/store/*", "/up", "esp:/")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"EFI", "EFI/BOOT", "EFI/BOOT/grub.cfg", "aaa-lib", "aaa-lib/lib.so", "bbb-tool", "bbb-tool/bin", "bbb-tool/bin/tool", "bbb-tool/near", "up"}
	if got := names(t, folder); !slices.Equal(got, want) {
		t.Errorf("taken were %q, want %q", got, want)
	}
	if want := (Extraction{Files: 4, Folders: 5, Links: 1, Bytes: 48, LeftOut: 4}); done != want {
		t.Errorf("it is said to be %+v, want %+v", done, want)
	}
	info, err := os.Stat(filepath.Join(folder, "bbb-tool/near"))
	if err != nil || info.Mode() != 0o444 || !info.ModTime().Equal(sometime) {
		t.Errorf("the file is %v, %v", info, err)
	}

	folder, _, err = extract(t, c, ExtractOptions{AllLinks: true}, "/nix/store/bbb-tool/")
	if target, _ := os.Readlink(filepath.Join(folder, "etc")); err != nil || target != "/etc/passwd" {
		t.Errorf("with all links: %q, %v", target, err)
	}
}

func TestExtractRefuses(t *testing.T) {
	c := sample(t)
	folder, _, err := extract(t, c, ExtractOptions{}, "/boot/menu", "/live/root.squashfs/etc", "/up", "/nix/store/bbb-tool/bin", "/live/root.squashfs/usr/bin")
	var clash *ClashError
	if !errors.As(err, &clash) || len(names(t, folder)) > 0 {
		t.Errorf("two files of one name: %v, left %q", err, names(t, folder))
	}

	folder = t.TempDir()
	if err := os.Symlink("/tmp", filepath.Join(folder, "boot")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files, err := c.Find("/boot", true)
	if err != nil {
		t.Fatal(err)
	}
	var exists *ExistsError
	if _, err := c.Extract(t.Context(), files, root, ExtractOptions{}); !errors.As(err, &exists) || len(names(t, folder)) != 1 {
		t.Errorf("a name that is a link of somebody's: %v, left %q", err, names(t, folder))
	}

	for _, name := range []string{"..", ".", "a\x00b"} {
		if err := checkName(File{Path: "/x", entry: entry{path: "dir/" + name}}); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

// TestStaysInside makes links of each other, as long as they are said to stay inside, and
// lets the system follow them.
func TestStaysInside(t *testing.T) {
	outer := t.TempDir()
	folder := filepath.Join(outer, "in")
	for _, dir := range []string{"a/b/c", "d"} {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	parts := []string{"..", "a", "b", "d", ".", "l0", "l3", "/"}
	kept := 0
	for n := range 300 {
		var target []string
		for i := n * 37 % 512; len(target) < 3; i /= len(parts) {
			target = append(target, parts[i%len(parts)])
		}
		for i, dir := range []string{"", "a/", "a/b/", "d/"} {
			name := dir + "l" + string(rune('0'+(n+i)%8))
			text := strings.Join(target, "/")
			if !staysInside(name, text) {
				continue
			}
			kept++
			file := filepath.Join(folder, name)
			_ = os.Remove(file)
			if err := os.Symlink(text, file); err != nil {
				t.Fatal(err)
			}
			for _, end := range []string{"", "/a", "/l0/l3"} {
				if at, err := filepath.EvalSymlinks(file + end); err == nil && at != folder && !strings.HasPrefix(at, folder+"/") {
					t.Fatalf("%s -> %s leads to %s", name+end, text, at)
				}
			}
		}
	}
	if kept < 100 {
		t.Errorf("%d links were kept", kept)
	}
	for _, bad := range []string{"", "/", "/etc", "..", "x/../..", "./../x"} {
		if staysInside("link", bad) {
			t.Errorf("%q is said to stay inside", bad)
		}
	}
}
