package verify

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
)

// menus checks that the files are there which the boot menus name: kernels and initrds.
func (v *verifier) menus() error {
	found := map[loader.Loader]bool{}
	seen := map[string]bool{}
	for _, t := range v.medium.Trees() {
		for _, kind := range []loader.Loader{loader.SYSLINUX, loader.GRUB, loader.SystemdBoot} {
			all, err := loader.Find(t, kind)
			if err != nil {
				if err := v.wrong("boot menu", -1, "", "in the %s: %w", t.Name, err); err != nil {
					return err
				}
				continue
			}
			for _, menus := range all {
				found[kind] = found[kind] || menus.StartsKernel()
				for _, name := range menus.Needed() {
					if seen[name] {
						continue
					}
					seen[name] = true
					if err := v.named(t, menus, name); err != nil {
						return err
					}
				}
			}
		}
	}
	modes := v.medium.Volume.BootModes()
	for _, needed := range []struct {
		kind   loader.Loader
		name   string
		starts bool
	}{{loader.SYSLINUX, "isolinux", modes.BIOSDisc || modes.BIOSDisk}, {loader.GRUB, "GRUB", modes.EFIDisc || modes.EFIDisk}} {
		if needed.starts && !found[needed.kind] && v.medium.MadeHere() {
			if err := v.wrong("boot menu", -1, "", "there is none of %s that starts a kernel", needed.name); err != nil {
				return err
			}
		}
	}
	if len(found) == 0 && !v.medium.MadeHere() {
		v.gap("boot menus: none was found that is understood")
	}
	return nil
}

// named checks that a file is there which a menu in a tree names.
func (v *verifier) named(t *medium.Tree, menus loader.Menus, name string) error {
	menu := menus.Files[0].Path
	at := int64(-1)
	if f, err := t.Find(menu); err == nil {
		at = f.At(0)
	}
	size, err := v.lookUp(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !menus.Sure && !v.medium.MadeHere():
		v.gap("boot menu %s: it names %s, which is not there; conditions decide whether the entry is shown", menu, name)
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return v.wrong("boot menu", at, menu, "it names %s, which is not there", name)
	case err != nil:
		return v.wrong("boot menu", at, menu, "it names %s: %w", name, err)
	case size == 0:
		return v.wrong("boot menu", at, menu, "it names %s, which is empty", name)
	}
	return nil
}

// lookUp returns the size of a file in whichever tree has it, whose links are followed. Loaders
// search the devices for it.
func (v *verifier) lookUp(name string) (int64, error) {
	err := error(fs.ErrNotExist)
	for _, t := range v.medium.Trees() {
		f, findErr := t.Find(name)
		if findErr == nil {
			return f.Size, nil
		}
		if info, statErr := fs.Stat(t.FS(), path.Clean(name)); statErr == nil && info.Mode().IsRegular() {
			return info.Size(), nil
		}
		if !errors.Is(findErr, fs.ErrNotExist) {
			err = findErr
		}
	}
	return 0, err
}

// espFiles holds the files of EFI system partitions against those of the volume by the same path,
// and returns the paths of those that are equal. Images of other makers may have different ones.
func (v *verifier) espFiles(files map[string]entry) (map[string]bool, error) {
	equal := map[string]bool{}
	for _, t := range v.medium.Trees() {
		if !t.EFI {
			continue
		}
		err := fs.WalkDir(t.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // a finding already
			}
			e, ok := files[name]
			if !ok || d.IsDir() {
				return v.ctx.Err()
			}
			f, err := t.Find(name)
			if err != nil {
				return nil
			}
			at, err := firstDifference(v.contents(e), t.Open(f))
			if at < 0 && err == nil {
				equal[name] = true
				return nil
			}
			if !v.medium.MadeHere() {
				return v.ctx.Err()
			}
			if err != nil {
				return v.find(Finding{Structure: "EFI system partition", Offset: f.At(0), File: name, Err: err})
			}
			return v.wrong("EFI system partition", f.At(at), name, "the file differs from that of the volume")
		})
		if err != nil {
			return nil, err
		}
	}
	return equal, nil
}

// firstDifference returns where two contents differ first, or -1.
func firstDifference(a, b io.Reader) (int64, error) {
	const size = 256 << 10
	p, q := make([]byte, size), make([]byte, size)
	for at := int64(0); ; {
		n, errA := io.ReadFull(a, p)
		m, errB := io.ReadFull(b, q)
		for i := range min(n, m) {
			if p[i] != q[i] {
				return at + int64(i), nil
			}
		}
		at += int64(min(n, m))
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return -1, err
			}
		}
		switch {
		case n != m:
			return at, nil
		case n < size:
			return -1, nil
		}
	}
}
