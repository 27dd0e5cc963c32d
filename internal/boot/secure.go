package boot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/fat"
)

// Where Secure Boot is on, the firmware starts what is signed, and GRUB verifies the rest:
// beside each file that it reads lies a signature. The package secureboot knows how.

// SecureBootError says that an image cannot be made for Secure Boot.
type SecureBootError struct{ Reason string }

func (e *SecureBootError) Error() string { return "Secure Boot: " + e.Reason }

// UnsignableError says that something which the firmware would have to start cannot be
// signed.
type UnsignableError struct {
	What string // "the kernel"
	Path string
	Err  error
}

func (e *UnsignableError) Error() string {
	return fmt.Sprintf("%s %s cannot be signed: %v", e.What, e.Path, e.Err)
}

func (e *UnsignableError) Unwrap() error { return e.Err }

// shimmed tells whether a shim starts GRUB.
func (t *Tree) shimmed() bool {
	how := t.systems.efi().SecureBoot
	return how != nil && how.Shim
}

// grubPath is where the program of GRUB lies: where firmware looks, or where a shim does
// (DEFAULT_LOADER in its Makefile).
func (t *Tree) grubPath(arch string) string {
	if t.shimmed() {
		return efiDir + "/grub" + arch + ".efi"
	}
	return loaderPath(arch)
}

// mokManagerPath is where a shim looks for MokManager.
func mokManagerPath(arch string) string { return efiDir + "/mm" + arch + ".efi" }

// efiArchs are the processors of the firmware that starts the medium.
func (t *Tree) efiArchs() (all []string) {
	_, platforms := t.efiMenus()
	for _, p := range platforms {
		all = append(all, p.efiArch)
	}
	return all
}

// addSecureBoot adds what the medium has for Secure Boot, but for signatures of files.
func (t *Tree) addSecureBoot() error {
	if t.systems.chosen().SecureBoot == nil {
		return nil
	}
	if !t.systems.efi().MakeEFIBootable {
		return &SecureBootError{"isoImage.makeEfiBootable is false, and no other firmware has it"}
	}
	t.add(Graft{Target: medium.Certificate, Pending: true})
	if t.shimmed() {
		for _, arch := range t.efiArchs() {
			t.add(Graft{Target: t.grubPath(arch), Pending: true})
			t.add(Graft{Target: mokManagerPath(arch), Pending: true})
		}
	}
	return nil
}

// seal makes what is pending, signed: what the firmware starts, kernels among it, the
// certificate, and the EFI system partition, which has signatures of its own.
func (t *Tree) seal(ctx context.Context, store *storefs.FS, seal *secureboot.Seal, made map[string][]byte, content []fat.File) error {
	made[medium.Certificate] = seal.Certificate().Raw
	first := []string{medium.Certificate}
	versions := map[string]string{} // of GRUB, by where it lies
	_, platforms := t.efiMenus()
	for _, p := range platforms {
		versions[t.grubPath(p.efiArch)] = p.grub().GRUB.Version
		if shim := seal.Shim(p.efiArch); shim != nil {
			made[loaderPath(p.efiArch)], made[mokManagerPath(p.efiArch)] = shim.Program, shim.MokManager
			first = append(first, loaderPath(p.efiArch), mokManagerPath(p.efiArch))
		}
	}
	for _, program := range slices.Concat(t.programs(), t.kernels()) {
		if _, known := made[program.Target]; known {
			continue
		}
		data, err := store.ReadFile(program.Source, programMax)
		if err != nil {
			return unreadable(err, program.What, program.Source)
		}
		if version, isGRUB := versions[program.Target]; isGRUB {
			data, err = seal.GRUB(program.Target, data, version)
		} else {
			data, err = seal.Program(program.Target, data)
		}
		if err != nil {
			return &UnsignableError{program.What, program.Source, err}
		}
		made[program.Target] = data
	}
	for _, program := range t.programs() {
		first = append(first, program.Target)
	}
	for _, path := range first {
		content = append(content, fat.File{Path: path, Data: made[path]})
	}
	for _, f := range content {
		if t.verified(f.Path) {
			signature, err := seal.File(f.Path, bytes.NewReader(f.Data))
			if err != nil {
				return err
			}
			content = append(content, fat.File{Path: f.Path + medium.SignatureSuffix, Data: signature})
		}
	}
	return t.makeESP(ctx, made, content)
}

// kernels are what GRUB starts. From 2.12 on it has the firmware load them, which wants them
// signed, and a shim always does.
func (t *Tree) kernels() []Graft {
	var all []Graft
	for _, s := range t.systems.systems {
		for _, c := range s.Shown() {
			if s.MakeEFIBootable {
				all = append(all, Graft{Target: kernelTarget(c.Kernel), Source: c.Kernel, What: "the kernel"})
			}
		}
	}
	menus, platforms := t.efiMenus()
	for i, menu := range menus {
		if menu.Memtest != nil && menu.MemtestEFI {
			all = append(all, Graft{Target: memtestPath, Source: platforms[i].memtest().Memtest.File, What: "the memory test"})
		}
	}
	return all
}

// verified tells whether GRUB may read a file of the medium: all that it does lies below
// these two folders. What the firmware starts before GRUB, it does not.
func (t *Tree) verified(path string) bool {
	for _, arch := range t.efiArchs() {
		switch path {
		case espPath, loaderPath(arch), t.grubPath(arch), mokManagerPath(arch):
			return false
		}
	}
	return strings.HasPrefix(path, "EFI/") || strings.HasPrefix(path, "boot/")
}

// signFiles adds the signatures of the files that GRUB reads.
func (t *Tree) signFiles(files []File, store *storefs.FS, seal *secureboot.Seal) ([]File, error) {
	present := map[string]File{}
	for _, f := range files {
		present[f.Path] = f
	}
	signed := slices.Clone(files)
	for _, f := range files {
		if f.Dir || f.Link != "" || f.Late || !t.verified(f.Path) {
			continue
		}
		target := f.Path + medium.SignatureSuffix
		if other, taken := present[target]; taken {
			return nil, &CollisionError{Path: target, Sources: [2]string{other.Source, ""}}
		}
		data, err := signFile(f, store, seal)
		if err != nil {
			return nil, fmt.Errorf("signing /%s: %w", f.Path, err)
		}
		signed = append(signed, File{Path: target, Data: data, Size: int64(len(data))})
	}
	slices.SortFunc(signed, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return signed, nil
}

// signFile is the signature of a file.
func signFile(f File, store *storefs.FS, seal *secureboot.Seal) (signature []byte, err error) {
	var content io.Reader = bytes.NewReader(f.Data)
	if f.Source != "" {
		file, err := store.Open(f.Source)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		content = file
	}
	return seal.File(f.Path, content)
}
