package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/pkg/fat"
)

// File is a file of the medium, a symbolic link, or an empty directory.
type File struct {
	Path string // without leading slash
	// Source is a regular file, or where a link or directory comes from. Without
	// it, Data is the content.
	Source     string
	Data       []byte
	Size       int64
	Executable bool
	Dir        bool
	Link       string // target of a symbolic link, as it is in the source
}

// CollisionError reports two things that want the same place on the medium.
type CollisionError struct {
	Path string
	// Sources are the files, or "" for what is generated.
	Sources [2]string
}

func (e *CollisionError) Error() string {
	name := func(source string) string { return cmp.Or(source, "livebuild's own file") }
	return fmt.Sprintf("%s on the medium is both %s and %s", e.Path, name(e.Sources[0]), name(e.Sources[1]))
}

// isolinuxFiles are what isolinux needs for a graphical menu.
var isolinuxFiles = []string{"isolinux.bin", "ldlinux.c32", "vesamenu.c32", "libcom32.c32", "libutil.c32"}

// Store says where on this machine the files of the Nix store are: the paths of
// a configuration begin with /nix/store even if the store is elsewhere.
type Store interface {
	PhysicalPath(path string) string
}

// Complete returns the files of the medium, sorted by path, after everything in
// the system's Realise has been built. It makes what was pending: GRUB's
// program, its menu and the EFI system partition. Sources of the returned files
// are where the store is.
//
// Errors are of type *MissingFileError, *ToolError and *CollisionError where
// packages or the user's contents are at fault.
func (t *Tree) Complete(ctx context.Context, store Store) ([]File, error) {
	made, err := t.makePending(ctx, store)
	if err != nil {
		return nil, err
	}
	files := map[string]File{}
	for _, g := range t.Grafts {
		if g.Pending {
			g.Data = made[g.Target]
		}
		if err := expand(files, store, g); err != nil {
			return nil, t.explain(err, g)
		}
	}
	if t.BIOSImage != "" {
		for _, name := range isolinuxFiles {
			if _, ok := files[isolinuxDir+"/"+name]; !ok {
				return nil, &MissingFileError{"isolinux file", path.Join(t.system.Syslinux, "share/syslinux", name)}
			}
		}
	}
	sorted := make([]File, 0, len(files))
	for _, f := range files {
		sorted = append(sorted, f)
	}
	slices.SortFunc(sorted, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return sorted, checkParents(sorted)
}

// explain says what a missing source was to be.
func (t *Tree) explain(err error, g Graft) error {
	var missing *MissingFileError
	if !errors.As(err, &missing) || missing.Path != g.Source {
		return err
	}
	missing.What = "the source of /" + g.Target + " on the medium,"
	for _, c := range t.system.Shown() {
		switch g.Source {
		case c.Kernel:
			missing.What = "the kernel"
		case c.Initrd:
			missing.What = "the initrd"
		case c.DeviceTree:
			missing.What = "the device tree"
		}
	}
	return err
}

// makePending returns the contents of the pending grafts by target.
func (t *Tree) makePending(ctx context.Context, store Store) (map[string][]byte, error) {
	s := t.system
	if s == nil || !s.MakeEFIBootable {
		return nil, nil
	}
	fonts, err := filesBelow(store, s.GRUBTheme, ".pf2")
	if err != nil {
		return nil, err
	}
	trees, err := deviceTreeFiles(store, s.Shown())
	if err != nil {
		return nil, err
	}
	core, err := coreImage(ctx, store, *s.GRUB, t.Menu.modules())
	if err != nil {
		return nil, err
	}
	loader, menu := loaderPath(s.EFIArch), t.Menu.Grub(fonts, trees)
	// GRUB reads its menu from the device that the firmware loaded it from: the
	// medium, or this file system.
	content := []fat.File{{Path: loader, Data: core}, {Path: grubConfig, Data: menu}}
	if s.Refind != "" {
		program, err := os.ReadFile(store.PhysicalPath(s.Refind))
		if err != nil {
			return nil, missing(err, "rEFInd's program", s.Refind)
		}
		content = append(content, fat.File{Path: efiDir + "/" + t.Menu.Refind, Data: program})
	}
	esp, err := espImage(ctx, content)
	if err != nil {
		return nil, fmt.Errorf("making the EFI system partition: %w", err)
	}
	return map[string][]byte{loader: core, grubConfig: menu, espPath: esp}, nil
}

// filesBelow returns the files of a directory with an extension, whatever its case,
// sorted and relative to it. Without a directory there are none.
func filesBelow(store Store, directory, extension string) ([]string, error) {
	if directory == "" {
		return nil, nil
	}
	files := map[string]File{}
	if err := expand(files, store, Graft{Source: directory}); err != nil {
		return nil, err
	}
	var found []string
	for name := range files {
		if strings.EqualFold(path.Ext(name), extension) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// deviceTreeFiles returns the device trees that can be chosen for any of the
// configurations.
func deviceTreeFiles(store Store, shown []nixos.Configuration) ([]string, error) {
	var all []string
	for _, c := range shown {
		files, err := filesBelow(store, c.DeviceTrees, ".dtb")
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// expand adds the files of a graft.
func expand(files map[string]File, store Store, g Graft) error {
	if g.Source == "" {
		return addFile(files, File{Path: g.Target, Data: g.Data, Size: int64(len(g.Data))})
	}
	return walk(files, store, g.Target, g.Source, nil)
}

// walk adds a file, or what is below a directory. Parents are the real paths of
// the directories that led there.
func walk(files map[string]File, store Store, target, source string, parents []string) error {
	real, err := resolve(store, source)
	if err != nil {
		return missing(err, "the source of "+target+" on the medium,", source)
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("looking at the source of %s: %w", target, err)
	}
	switch {
	case info.Mode().IsRegular():
		return addFile(files, File{Path: target, Source: real, Size: info.Size(), Executable: info.Mode()&0o111 != 0})
	case !info.IsDir():
		return &fs.PathError{Op: "graft", Path: source, Err: errors.New("neither a file nor a directory")}
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return fmt.Errorf("listing the source of %s: %w", target, err)
	}
	if len(entries) == 0 && target != "" {
		return addFile(files, File{Path: target, Source: real, Dir: true})
	}
	parents = append(slices.Clone(parents), real)
	for _, entry := range entries {
		inside, file := path.Join(target, entry.Name()), filepath.Join(real, entry.Name())
		if entry.Type()&fs.ModeSymlink != 0 && !leadsOn(store, file, parents) {
			link, err := os.Readlink(file)
			if err == nil {
				err = addFile(files, File{Path: inside, Source: file, Link: link})
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := walk(files, store, inside, file, parents); err != nil {
			return err
		}
	}
	return nil
}

// leadsOn reports whether a link can be replaced by what it leads to. One that
// leads nowhere, or back to a directory that it is in, stays a link.
func leadsOn(store Store, link string, parents []string) bool {
	real, err := resolve(store, link)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
		return false
	}
	return err != nil || !slices.Contains(parents, real)
}

// missing returns a *MissingFileError if that is what err says.
func missing(err error, what, path string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &MissingFileError{what, path}
	}
	return fmt.Errorf("reading %s %w", what, err)
}

func addFile(files map[string]File, f File) error {
	if old, ok := files[f.Path]; ok {
		if old.Dir && f.Dir {
			return nil
		}
		return &CollisionError{f.Path, [2]string{old.Source, f.Source}}
	}
	if f.Path == "" || strings.EqualFold(f.Path, StoreImage) {
		return &TargetError{f.Path, "is not for files"}
	}
	files[f.Path] = f
	return nil
}

// checkParents refuses a file below a file. An empty directory is no harm.
func checkParents(sorted []File) error {
	regular := map[string]File{}
	for _, f := range sorted {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if parent, ok := regular[dir]; ok {
				return &CollisionError{dir, [2]string{parent.Source, f.Source}}
			}
		}
		if !f.Dir {
			regular[f.Path] = f
		}
	}
	return nil
}
