package inspection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/livebuild/livebuild/internal/kernel"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
)

// BootFile is a kernel or an initrd that a menu names.
type BootFile struct {
	Size    int64
	Version string // of a kernel; "" if it does not tell
	SHA256  string // in hex
}

// ReadBoot reads the kernels and initrds that the menus of an image name, by the paths by which they
// do. Those that are not there are left out.
func ReadBoot(ctx context.Context, m *medium.Medium, menus []Menu) (map[string]BootFile, error) {
	files := map[string]BootFile{}
	var read func(entries []Entry) error
	read = func(entries []Entry) error {
		for _, e := range entries {
			kernel, _, _ := strings.Cut(e.Line, " ")
			for n, name := range append([]string{kernel}, e.Initrds...) {
				if _, known := files[name]; known || name == "" {
					continue
				}
				file, err := readBootFile(ctx, m, name, n == 0)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				files[name] = file
			}
			if err := read(e.Entries); err != nil {
				return err
			}
		}
		return nil
	}
	for _, menu := range menus {
		if err := read(menu.Entries); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// readBootFile reads a file, on the volume or else in an EFI system partition.
func readBootFile(ctx context.Context, m *medium.Medium, name string, isKernel bool) (BootFile, error) {
	if strings.HasPrefix(name, "(") { // the device, of GRUB
		_, name, _ = strings.Cut(name, ")")
	}
	for _, t := range m.Trees() {
		f, err := t.Find(strings.Trim(name, "/"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return BootFile{}, err
		}
		file := BootFile{Size: f.Size}
		if isKernel {
			file.Version = kernel.Version(t.Open(f), f.Size)
		}
		h := sha256.New()
		if _, err := io.Copy(h, progress.NewReader(ctx, t.Open(f), nil)); err != nil {
			return BootFile{}, err
		}
		file.SHA256 = hex.EncodeToString(h.Sum(nil))
		return file, nil
	}
	return BootFile{}, fs.ErrNotExist
}

// fromFile tells what can start an image that is a file on a disk, as far as its files promise: a
// GRUB that reads its loopback.cfg, and Ventoy without a change of the initrd.
func fromFile(m *medium.Medium) []string {
	by := []string{}
	for _, file := range []struct{ path, by string }{{medium.LoopbackMenu, "loopback.cfg"}, {"ventoy.dat", "Ventoy"}} {
		if _, err := m.Files().Find(file.path); err == nil {
			by = append(by, file.by)
		}
	}
	return by
}
