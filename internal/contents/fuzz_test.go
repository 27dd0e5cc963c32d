package contents

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
)

// FuzzFind: whatever the path, it is found or not; what is found is found again under the path that it
// has, and has no more than the image holds.
func FuzzFind(f *testing.F) {
	c := sample(f)
	for _, p := range []string{
		"/", "boot//./menu", "/../boot/menu", "/tool", "esp:/efi/boot/GRUB.CFG", "/boot/efi.img/EFI/BOOT/grub.cfg", "/nix/store/*-tool/bin/*",
		"/nix/store/bbb-tool/climb", "/live/root.squashfs/etc/odd[1]", `/live/root.squashfs/etc/odd\[1\]`, "/l[!a-h]ve/*/etc/[m-o]ame", "/live/root.squashfs/one",
		"esp2:/", "esp:", "/nix/store/../../boot", "/boot/[", "/live/root.squashfs/", "/*/*/*/*/*", "/\xff/\x00", strings.Repeat("a/", 3000),
	} {
		f.Add(p, true)
		f.Add(p, false)
	}
	f.Fuzz(func(t *testing.T, p string, follow bool) {
		files, err := c.Find(p, follow)
		if err != nil {
			if len(files) != 0 {
				t.Errorf("%d files with an error: %v", len(files), err)
			}
			return
		}
		for _, found := range files {
			again, err := c.Find(found.Path, follow)
			if err != nil || len(again) != 1 || again[0].Mode != found.Mode || again[0].Size != found.Size {
				t.Errorf("%q is found as %q, which is %v, %v", p, found.Path, again, err)
			}
			if r, err := c.Open(found); err == nil {
				if n, err := io.Copy(io.Discard, r); n != found.Size || err != nil {
					t.Errorf("%q has %d of %d bytes, %v", found.Path, n, found.Size, err)
				}
			}
		}
	})
}

// damaged is an image with parts written over, as bytes say: a block of 512 bytes, an offset in
// units of 8, a length, and what is written there.
func damaged(image, patches []byte) []byte {
	image = bytes.Clone(image)
	for len(patches) > 4 {
		at := (int(patches[0])<<8|int(patches[1]))*512 + int(patches[2])*8
		n := min(int(patches[3]), len(patches)-4)
		copy(image[at%len(image):], patches[4:4+n])
		patches = patches[4+n:]
	}
	return image
}

// FuzzDamaged: whatever is written over an image, or behind it in one of its file systems, it is opened
// or refused, walked through, read and extracted, and nothing is outside of the folder that it is
// extracted to.
func FuzzDamaged(f *testing.F) {
	whole := sampleBytes(f)
	for block := 32; block < 200; block += 8 {
		f.Add([]byte{byte(block >> 8), byte(block), 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	// The name of a file of the volume becomes one that leads out of it.
	for _, name := range []string{"menu", "MENU", "root.squashfs", "grub", "GRUB"} {
		for at := 0; ; {
			i := bytes.Index(whole[at:], []byte(name))
			if i < 0 {
				break
			}
			at += i + 1
			block, rest := (at-1)/512, (at-1)%512
			if rest%8 == 0 {
				f.Add([]byte{byte(block >> 8), byte(block), byte(rest / 8), 4, '.', '.', '/', 'x'})
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, patches []byte) {
		image := damaged(whole, patches)
		m, err := medium.ReadAny(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			return
		}
		c, err := Open(m)
		if err != nil {
			return
		}
		above := t.TempDir()
		folder := filepath.Join(above, "folder")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		for n, p := range append(c.Roots(), "/live/root.squashfs/", "/nix/store/") {
			files, err := c.Find(p, true)
			if err != nil {
				continue
			}
			size := int64(0)
			err = c.Walk(files[0], func(f File) error {
				if size += f.Size; size > 64<<20 {
					return errTooLarge // a hole of any size takes no room in an image
				}
				_, err := f.Xattrs()
				return err
			})
			if errors.Is(err, errTooLarge) {
				continue
			}
			to := string(rune('a' + n))
			if err := root.Mkdir(to, 0o755); err != nil {
				t.Fatal(err)
			}
			into, err := root.OpenRoot(to)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Extract(context.Background(), files, into, ExtractOptions{AllLinks: len(patches)%2 == 0})
			into.Close()
		}
		list, err := os.ReadDir(above)
		if err != nil || len(list) != 1 {
			t.Errorf("beside the folder there is %v, %v", list, err)
		}
		err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
				t.Errorf("%s is of type %s", path.Base(name), d.Type())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

var errTooLarge = errors.New("too large")
