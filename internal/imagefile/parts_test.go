package imagefile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// cut writes an image of 10 sectors in three parts by those names, and a file of their checksums.
func cut(t *testing.T, names ...string) (folder string, image []byte) {
	t.Helper()
	folder = t.TempDir()
	image = make([]byte, 10*2048)
	for i := range image {
		image[i] = byte(rand.Uint32())
	}
	copy(image, make([]byte, 16)) // no magic of anything
	var sums strings.Builder
	fmt.Fprintf(&sums, "%x  x.iso\n", sha256.Sum256(image))
	for i, name := range names {
		part := image[i*4*2048 : min(len(image), (i+1)*4*2048)]
		write(t, filepath.Join(folder, name), part)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(part), name)
	}
	write(t, filepath.Join(folder, "x.iso.sha256"), []byte(sums.String()))
	return folder, image
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestParts(t *testing.T) {
	for _, names := range [][]string{
		{"x.iso.part00", "x.iso.part01", "x.iso.part02"}, // ours
		{"x.iso.00", "x.iso.01", "x.iso.02"},             // split --numeric-suffixes
		{"x.iso.001", "x.iso.002", "x.iso.003"},          // 7-Zip
	} {
		folder, image := cut(t, names...)
		file, err := Open(filepath.Join(folder, names[0]))
		if err != nil {
			t.Fatal(err)
		}
		if file.Parts() != 3 || file.FileSize != int64(len(image)) || file.Format != Plain {
			t.Errorf("%+v", file)
		}
		r, err := file.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, image); err != nil {
			t.Errorf("%s: %v", names[0], err)
		}
		if err := iotest.TestReader(io.NewSectionReader(file.Plain(), 0, file.FileSize), image); err != nil {
			t.Errorf("%s: %v", names[0], err)
		}
		sum, err := file.FindSum()
		if err != nil || sum == nil {
			t.Fatalf("%v, %v", sum, err)
		}
		if _, err := file.Check(t.Context(), CheckOptions{Sum: sum, Any: true}); err != nil {
			t.Error(err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Open(filepath.Join(folder, names[1])); !isPart(err, names[1]+" is not the first part") {
			t.Errorf("the second part: %v", err)
		}
	}
}

func isPart(err error, text string) bool {
	_, ok := errors.AsType[*PartError](err)
	return ok && strings.Contains(err.Error(), text)
}

// TestPartsWrong damages a set in every way, and wants one error that names the part.
func TestPartsWrong(t *testing.T) {
	const first, second, third = "x.iso.part00", "x.iso.part01", "x.iso.part02"
	rename := func(folder, from, to string) error {
		return os.Rename(filepath.Join(folder, from), filepath.Join(folder, to))
	}
	for name, test := range map[string]struct {
		damage func(folder string) error
		open   string
		want   string
	}{
		"first missing":  {func(f string) error { return os.Remove(filepath.Join(f, first)) }, second, first + " is missing: " + second},
		"middle missing": {func(f string) error { return os.Remove(filepath.Join(f, second)) }, first, second + " is missing: " + third},
		"last missing":   {func(f string) error { return os.Remove(filepath.Join(f, third)) }, first, third + " is missing: "},
		"middle short":   {func(f string) error { return os.Truncate(filepath.Join(f, second), 2048) }, first, second + " has 2048 bytes, where the parts before it have 8192"},
		"last too long":  {func(f string) error { return os.Truncate(filepath.Join(f, third), 8193) }, first, third + " has 8193 bytes"},
		"one too many":   {func(f string) error { return os.WriteFile(filepath.Join(f, "x.iso.part03"), []byte("x"), 0o600) }, first, ""},
		"left over": {func(f string) error {
			return errors.Join(os.Truncate(filepath.Join(f, third), 8192), os.WriteFile(filepath.Join(f, "x.iso.part03"), []byte("x"), 0o600))
		}, first, "x.iso.part03 is none of the 3 parts that "},
		"reordered": {func(f string) error {
			return errors.Join(rename(f, first, "x"), rename(f, second, first), rename(f, "x", second))
		}, first, first + " is in the wrong place: by "},
		"damaged": {func(f string) error {
			return os.WriteFile(filepath.Join(f, second), bytes.Repeat([]byte("x"), 8192), 0o600)
		}, first, second + " is damaged, or of another image"},
		"last short": {func(f string) error { return os.Truncate(filepath.Join(f, third), 2048) }, first, third + " is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, _ := cut(t, first, second, third)
			if err := test.damage(folder); err != nil {
				t.Fatal(err)
			}
			file, err := Open(filepath.Join(folder, test.open))
			if err == nil {
				defer file.Close()
				var sum *Checksum
				if sum, err = file.FindSum(); err == nil {
					_, err = file.Check(t.Context(), CheckOptions{Sum: sum, Any: true})
				}
			}
			if !isPart(err, test.want) {
				t.Errorf("%v, want a *PartError with %q", err, test.want)
			}
		})
	}
}

// Names end in numbers for other reasons, too.
func TestNoParts(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"nixos-24.05", "x.iso.00", "disk.img.2024", "live.01", "live.02"} {
		write(t, filepath.Join(folder, name), []byte("some image"))
		file, err := Open(filepath.Join(folder, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if file.Parts() != 1 || file.FileSize != 10 {
			t.Errorf("%s: %+v", name, file)
		}
		file.Close()
	}
	if _, err := Open(filepath.Join(folder, "y.iso.part00")); err == nil || isPart(err, "") {
		t.Errorf("an absent file: %v", err)
	}
	// A single part is one.
	write(t, filepath.Join(folder, "z.iso.part00"), []byte("some image"))
	file, err := Open(filepath.Join(folder, "z.iso.part00"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Parts() != 1 || WholeName(file.Path) != filepath.Join(folder, "z.iso") {
		t.Errorf("%+v", file)
	}
}

func TestPartName(t *testing.T) {
	for _, test := range []struct {
		part, count int
		want        string
	}{{0, 1, "x.iso.part00"}, {99, 100, "x.iso.part99"}, {99, 101, "x.iso.part099"}, {1000, 1001, "x.iso.part1000"}} {
		got := PartName("x.iso", test.part, test.count)
		if got != test.want || WholeName(got) != "x.iso" {
			t.Errorf("%d of %d: %s, whole %s", test.part, test.count, got, WholeName(got))
		}
	}
}
