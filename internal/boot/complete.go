package boot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/fat"
)

// isolinuxFiles are what isolinux needs for a graphical menu.
var isolinuxFiles = []string{"isolinux.bin", "ldlinux.c32", "vesamenu.c32", "libcom32.c32", "libutil.c32"}

// programMax bounds a program that the firmware starts, in bytes; those of GRUB and
// rEFInd have less than 2 MB.
const programMax = 64 << 20

// Options change what Complete makes. The zero value changes nothing.
type Options struct {
	// Seal signs what is started and read where Secure Boot is on. Systems with
	// SecureBoot need one, and no others take one.
	Seal *secureboot.Seal

	// Manifest is what medium.Manifest holds; if it is nil, there is no such file.
	Manifest []byte
}

// Complete returns the files of the medium, sorted by path, after everything in
// the system's Realise has been built. It makes what was pending: GRUB's
// program, its menu and the EFI system partition. Store has the files of what was
// built: sources are read from there, and nothing else of this machine is.
//
// Errors are of type *MissingFileError, *storefs.OutsideError and *CollisionError
// where packages or the user's contents are at fault.
func (t *Tree) Complete(ctx context.Context, store *storefs.FS, opts Options) ([]File, error) {
	made, err := t.makePending(ctx, store, opts)
	if err != nil {
		return nil, err
	}
	m := newMerger(store)
	for _, g := range t.Grafts {
		if g.Target == medium.Manifest && g.Pending {
			if opts.Manifest == nil {
				continue
			}
			g.Data = opts.Manifest
		}
		if data, ok := made[g.Target]; ok && (g.Pending || opts.Seal != nil) {
			g.Source, g.Data = "", data
		}
		if err := m.graft(g); err != nil {
			return nil, err
		}
	}
	if t.BIOSImage != "" {
		for _, name := range isolinuxFiles {
			if f, ok := m.files[isolinuxDir+"/"+name]; !ok || f.Dir || f.Link != "" {
				return nil, t.noIsolinux(store, name)
			}
		}
	}
	files, err := m.sorted()
	if err != nil || opts.Seal == nil {
		return files, err
	}
	return t.signFiles(files, store, opts.Seal)
}

// noIsolinux says why a file of isolinux is none.
func (t *Tree) noIsolinux(store *storefs.FS, name string) error {
	file := path.Join(t.syslinux(), name)
	if f, err := store.Open(file); err != nil {
		return unreadable(err, isolinuxWhat, file)
	} else if err := f.Close(); err != nil {
		return err
	}
	return &MissingFileError{isolinuxWhat, file}
}

// mbrMax bounds the boot code of a master boot record, in bytes: more has no place.
const mbrMax = 512

// ReadMBRCode returns the boot code that MBRCode names.
func (t *Tree) ReadMBRCode(store *storefs.FS) ([]byte, error) {
	code, err := store.ReadFile(t.MBRCode, mbrMax)
	if err != nil {
		return nil, unreadable(err, "the boot code for disks,", t.MBRCode)
	}
	return code, nil
}

// makePending returns the contents of grafts by target: of the pending ones, and of
// programs.
func (t *Tree) makePending(ctx context.Context, store *storefs.FS, opts Options) (map[string][]byte, error) {
	if t.EFIImage == "" {
		return nil, nil
	}
	if (t.systems.efi().SecureBoot != nil) != (opts.Seal != nil) {
		return nil, errors.New("systems for Secure Boot, and no others, take a seal")
	}
	fonts, err := filesBelow(store, Graft{Source: t.systems.efi().GRUBTheme, What: themeWhat}, ".pf2")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	// GRUB reads its menu from the device that the firmware loaded it from: the
	// medium, or this file system.
	var content []fat.File
	trees := func(p platform) ([]string, error) { return deviceTreeFiles(store, p.systems) }
	for _, script := range t.scripts() {
		if made[script], err = t.script(script, fonts, trees); err != nil {
			return nil, err
		}
		content = append(content, fat.File{Path: script, Data: made[script]})
	}
	if t.knowsVentoy() {
		content = append(content, fat.File{Path: ventoyPath, Data: []byte(ventoyText)})
	}
	if opts.Seal != nil {
		return made, t.seal(ctx, store, opts.Seal, made, content)
	}
	for _, program := range t.programs() {
		data, err := store.ReadFile(program.Source, programMax)
		if err != nil {
			return nil, unreadable(err, program.What, program.Source)
		}
		made[program.Target] = data
		content = append(content, fat.File{Path: program.Target, Data: data})
	}
	return made, t.makeESP(ctx, made, content)
}

// makeESP adds the EFI system partition to what was made.
func (t *Tree) makeESP(ctx context.Context, made map[string][]byte, content []fat.File) (err error) {
	if made[espPath], err = espImage(ctx, content); err != nil {
		return fmt.Errorf("making the EFI system partition: %w", err)
	}
	return nil
}

// programs are those that the firmware starts. Both the medium and the EFI system
// partition have them.
func (t *Tree) programs() (all []Graft) {
	for _, p := range t.platforms {
		if p.efiArch == "" {
			continue
		}
		all = append(all, Graft{Target: t.grubPath(p.efiArch), Source: p.grub().GRUB.Core, What: "GRUB's program"})
		if refind := p.refind(); refind != "" {
			all = append(all, Graft{Target: efiDir + "/" + path.Base(refind), Source: refind, What: refindWhat})
		}
	}
	return all
}

// filesBelow returns the files of a directory with an extension, whatever its case,
// sorted and relative to it. Without a directory there are none.
func filesBelow(store *storefs.FS, directory Graft, extension string) ([]string, error) {
	if directory.Source == "" {
		return nil, nil
	}
	m := newMerger(store)
	if err := m.graft(directory); err != nil {
		return nil, err
	}
	var found []string
	for name, f := range m.files {
		if strings.EqualFold(path.Ext(name), extension) && f.Link == "" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// deviceTreeFiles returns the device trees that can be chosen for any of the
// systems' configurations.
func deviceTreeFiles(store *storefs.FS, systems []*nixos.System) ([]string, error) {
	var all []string
	for _, s := range systems {
		for _, c := range s.Shown() {
			files, err := filesBelow(store, Graft{Source: c.DeviceTrees, What: deviceTreesWhat}, ".dtb")
			if err != nil {
				return nil, err
			}
			all = append(all, files...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
