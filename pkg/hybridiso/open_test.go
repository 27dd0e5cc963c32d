package hybridiso

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

// hostTree makes a directory for other people's writers. Its names fit Joliet,
// and in capitals also ISO 9660 of level 4.
func hostTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	deep := strings.Repeat("deep/", 10)
	for name, content := range map[string]string{
		"boot/kernel":           strings.Repeat("kernel", 5000),
		"boot/initrd.img":       "initrd",
		"empty":                 "",
		"a name with spaces":    "x",
		deep + "file":           "far down",
		"text.with.many.dots":   strings.Repeat("text that compresses ", 500),
		"many/of/them/together": "y",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("many/file %03d", i)), []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := errors.Join(
		os.Symlink("boot/kernel", filepath.Join(dir, "link")),
		os.Symlink("/many/of/../of/them", filepath.Join(dir, "boot", "absolute")),
		os.Mkdir(filepath.Join(dir, "void"), 0o755),
		os.Chmod(filepath.Join(dir, "boot/kernel"), 0o751),
		os.Chtimes(filepath.Join(dir, "boot/initrd.img"), when, when),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

// smallTree is what the tests look at of hostTree.
func smallTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"boot/kernel":           strings.Repeat("kernel", 5000),
		"many/of/them/together": "y",
		"void/x":                "",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openFile opens an image, which stays open until the test ends.
func openFile(t testing.TB, image string, wanted ...Naming) *Reader {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := openAs(f, info.Size(), wanted...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOpenWhatOthersWrote reads images of other makers, by the hierarchy that
// Linux takes, and compares all files with those of the host.
func TestOpenWhatOthersWrote(t *testing.T) {
	dir := hostTree(t)
	for _, test := range []struct {
		name   string
		pkg    string
		args   string
		naming Naming
		udf    bool
	}{
		{"Rock Ridge", "genisoimage", "genisoimage -quiet -R", RockRidge, false},
		{"Rock Ridge and Joliet", "genisoimage", "genisoimage -quiet -r -J", RockRidge, false},
		{"Joliet", "genisoimage", "genisoimage -quiet -D -J -joliet-long", Joliet, false},
		{"UDF bridge", "genisoimage", "genisoimage -quiet -R -udf -allow-limited-size", RockRidge, true},
		{"HFS hybrid", "genisoimage", "genisoimage -quiet -R -hfs -hfs-volid MAC", RockRidge, false},
		{"XA", "genisoimage", "genisoimage -quiet -R -XA", RockRidge, false},
		{"level 4", "genisoimage", "genisoimage -quiet -R -iso-level 4", RockRidge, false},
		{"xorriso", "xorriso", "xorriso -as mkisofs -quiet -R -J", RockRidge, false},
		{"xorriso, HFS+", "xorriso", "xorriso -as mkisofs -quiet -R -hfsplus", RockRidge, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, image := dir, filepath.Join(t.TempDir(), "image.iso")
			if test.name == "HFS hybrid" {
				dir = smallTree(t) // more than genisoimage 1.1.11 can count
			}
			args := append(strings.Fields(test.args), "-o", image, dir)
			judge.Run(t, test.pkg, args[0], args[1:]...)
			r := openFile(t, image, RockRidge, Joliet)
			if r.Naming() != test.naming || r.UDF() != test.udf {
				t.Errorf("names by %v, UDF %t, want %v, %t", r.Naming(), r.UDF(), test.naming, test.udf)
			}
			compareWithHost(t, r.FS(), dir, test.naming == RockRidge)
			checkPieces(t, r)
			if err := fstest.TestFS(r.FS(), "boot/kernel", "void", "many/of/them/together"); err != nil {
				t.Error(err)
			}
		})
	}
}

// compareWithHost compares a file system with the directory that it was made of.
func compareWithHost(t *testing.T, fsys fs.FS, dir string, posix bool) {
	t.Helper()
	found := map[string]fs.FileInfo{}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			found[path], err = d.Info()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, ok := found[path]
		delete(found, path)
		want, err := d.Info()
		if err != nil || !posix && want.Mode().Type() == fs.ModeSymlink {
			return err
		}
		if !ok || info.Mode().Type() != want.Mode().Type() {
			t.Errorf("%s is %v, want %v", path, info, want.Mode())
			return nil
		}
		if want.Mode().IsRegular() {
			content, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				return err
			}
			if got, err := fs.ReadFile(fsys, path); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s has %d bytes (%v), want %d", path, len(got), err, len(content))
			}
		}
		if path == "boot/initrd.img" && !info.ModTime().Equal(want.ModTime()) {
			t.Errorf("%s is of %v, want %v", path, info.ModTime(), want.ModTime())
		}
		if !posix {
			return nil
		}
		if path == "boot/kernel" && info.Mode()&0o111 == 0 {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want.Mode())
		}
		if want.Mode().Type() == fs.ModeSymlink {
			host, err := os.Readlink(filepath.Join(dir, path))
			if got, gotErr := fs.ReadLink(fsys, path); got != host || err != nil || gotErr != nil {
				t.Errorf("%s leads to %q (%v), want %q (%v)", path, got, gotErr, host, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range found {
		// Where relocated directories were put.
		if path != "rr_moved" && !strings.HasPrefix(path, "rr_moved/") {
			t.Errorf("%s is in the image only", path)
		}
	}
}

// checkPieces compares what entries say of places with the contents of files.
func checkPieces(t *testing.T, r *Reader) {
	t.Helper()
	e, err := r.Lookup("boot/kernel")
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, x := range e.Extents {
		part, err := io.ReadAll(io.NewSectionReader(r.src, x.Offset, x.Size))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
	}
	if want := strings.Repeat("kernel", 5000); string(got) != want || e.Size != int64(len(want)) {
		t.Errorf("the extents %v hold something else", e.Extents)
	}
}

// TestOpenPlain reads the plain names of an image, which isoinfo lists, too.
func TestOpenPlain(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image.iso")
	judge.Run(t, "genisoimage", "genisoimage", "-quiet", "-o", image, hostTree(t))
	r := openFile(t, image, RockRidge, Joliet)
	if r.Naming() != Plain {
		t.Fatalf("names by %v", r.Naming())
	}
	var got []string
	err := fs.WalkDir(r.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(judge.Run(t, "genisoimage", "isoinfo", "-f", "-i", image)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		want = append(want, strings.TrimSuffix(strings.TrimPrefix(name, "/"), "."))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files %q, isoinfo lists %q", got, want)
	}
	for _, name := range []string{"boot/kernel", "BOOT/INITRD.IMG", "Boot/Initrd.img"} {
		if _, err := fs.Stat(r.FS(), name); err != nil {
			t.Error(err)
		}
	}
	if err := fstest.TestFS(r.FS(), "BOOT/KERNEL"); err != nil {
		t.Error(err)
	}
}

// TestOpenSessions reads a disc of two sessions: what the last one has.
func TestOpenSessions(t *testing.T) {
	dir := hostTree(t)
	image := filepath.Join(t.TempDir(), "image.iso")
	judge.Run(t, "xorriso", "xorriso", "-report_about", "FAILURE", "-outdev", image, "-map", dir, "/")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "new"), []byte("second session"), 0o644), os.Remove(filepath.Join(dir, "empty"))); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "xorriso", "xorriso", "-report_about", "FAILURE", "-dev", image, "-update_r", dir, "/")
	compareWithHost(t, openFile(t, image, RockRidge, Joliet).FS(), dir, true)
}

// TestOpenZisofs finds a file that is compressed, and says so.
func TestOpenZisofs(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image.iso")
	judge.Run(t, "xorriso", "xorriso", "-report_about", "FAILURE", "-outdev", image, "-zisofs", "level=9",
		"-map", hostTree(t), "/", "-set_filter", "--zisofs", "/text.with.many.dots", "--")
	r := openFile(t, image, RockRidge)
	for name, want := range map[string]bool{"text.with.many.dots": true, "boot/kernel": false} {
		e, err := r.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if e.Zisofs != want {
			t.Errorf("Zisofs of %s = %t", name, e.Zisofs)
		}
		p, err := fs.ReadFile(r.FS(), name)
		if err != nil || bytes.HasPrefix(p, []byte{0x37, 0xE4, 0x53, 0x96}) != want || int64(len(p)) != e.Size {
			t.Errorf("%s: %d bytes beginning with %x (%v)", name, len(p), p[:4], err)
		}
	}
}

// TestOpenOurs reads what this package writes by each of its hierarchies, as a
// whole and as a partition. Linux is content with names that no fs.FS has.
func TestOpenOurs(t *testing.T) {
	for name, img := range variants(t) {
		img.Files = slices.DeleteFunc(slices.Clone(img.Files), func(f File) bool { return f.Link != "" || !fs.ValidPath(f.Path) })
		l, err := img.Layout()
		if err != nil {
			t.Fatal(err)
		}
		var medium recorder
		if _, err := l.Write(t.Context(), &medium, streamOf(sampleStream)); err != nil {
			t.Fatal(err)
		}
		v, err := ReadVolume(bytes.NewReader(medium.bytes))
		if err != nil {
			t.Fatal(err)
		}
		for part, volume := range volumesOf(img, medium.bytes, v) {
			want := img
			if part == "partition" {
				want = withoutESP(img)
			}
			for _, naming := range []Naming{RockRidge, Joliet, Plain} {
				r, err := openAs(bytes.NewReader(volume), int64(len(volume)), naming)
				if err != nil || r.Naming() != naming {
					t.Fatalf("%s, %s: %v", name, part, err)
				}
				files := 0
				err = fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
					if err == nil && d.Type().IsRegular() {
						files++
						_, err = fs.ReadFile(r.FS(), path)
					}
					return err
				})
				if most := len(wantTree(t, want, sampleStream)); err != nil || files == 0 || files > most {
					t.Errorf("%s, %s, %v: %d files of %d and %v", name, part, naming, files, most, err)
				}
			}
			r, err := Open(bytes.NewReader(volume), int64(len(volume)))
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for path := range wantTree(t, want, sampleStream) {
				paths = append(paths, path)
			}
			if err := fstest.TestFS(r.FS(), paths...); err != nil {
				t.Errorf("%s, %s: %v", name, part, err)
			}
		}
	}
}
