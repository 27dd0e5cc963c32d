package boot

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

const (
	isolinuxDir    = "isolinux"
	isolinuxConfig = isolinuxDir + "/isolinux.cfg"
	isolinuxSplash = isolinuxDir + "/background.png"
	isolinuxBin    = isolinuxDir + "/isolinux.bin"
	versionPath    = "version.txt"
	grubConfig     = efiDir + "/grub.cfg"
)

// What the sources are called in errors.
const (
	isolinuxWhat    = "the file of isolinux"
	themeWhat       = "the theme of GRUB"
	refindWhat      = "the program of rEFInd"
	deviceTreesWhat = "the folder of device trees"
)

// syslinuxDir is where the package syslinux has its files.
const syslinuxDir = "share/syslinux"

// Tree is the medium outside the store image. The zero value has nothing.
type Tree struct {
	// Menus are one for each kind of machine that the medium starts.
	Menus []*Menu
	// Grafts are sorted by target. Those of the user may share one.
	Grafts []Graft

	// BIOSImage and EFIImage are the targets of the boot images, or empty.
	BIOSImage string
	EFIImage  string
	// MBRCode is the file with the boot code of the master boot record, empty
	// without BIOS boot.
	MBRCode string

	systems   choice
	platforms []platform // of the menus
}

// TargetError reports an entry of isoImage.contents that has no place on the
// medium.
type TargetError struct {
	Target string
	Reason string
}

func (e *TargetError) Error() string {
	return fmt.Sprintf("isoImage.contents: target %q %s", e.Target, e.Reason)
}

// NewTree returns the tree of a medium with some systems, of which nothing need be built
// yet. Chosen is the index of the one that starts by itself.
func NewTree(chosen int, systems ...*nixos.System) (*Tree, error) {
	t := &Tree{systems: choice{systems, chosen}}
	t.platforms = t.systems.platforms()
	for _, p := range t.platforms {
		menu, err := p.newMenu(t.systems)
		if err != nil {
			return nil, err
		}
		t.Menus = append(t.Menus, menu)
	}
	// Two things with one label would take turns in /dev/disk/by-label, where
	// stage 1 looks for the medium.
	first := t.systems.chosen()
	if t.systems.efi().MakeEFIBootable && first.VolumeID == espLabel {
		return nil, &nixos.VolumeIDError{VolumeID: first.VolumeID, Reason: "is what the EFI system partition of the image is called"}
	}
	t.add(Graft{Target: versionPath, Data: []byte(first.Label)})
	t.add(Graft{Target: medium.Manifest, Pending: true})
	t.addKernels()
	if t.systems.bios().MakeBIOSBootable {
		t.addBIOS()
	}
	if t.systems.efi().MakeEFIBootable {
		t.addEFI()
	}
	t.addLoopback()
	if err := t.addSecureBoot(); err != nil {
		return nil, err
	}
	t.addMemtest()
	if t.HasSums() {
		t.add(Graft{Target: medium.Sums, Late: true})
		t.add(Graft{Target: wrongSums, Data: wrongSumsList()})
	}
	if first.StampArea > 0 {
		t.add(Graft{Target: medium.StampArea, Data: make([]byte, first.StampArea)})
	}
	if first.StampParams {
		t.add(Graft{Target: medium.StampParams, Data: medium.EnvironmentOf("", t.stampRoom())})
	}
	t.addCatalog()
	if err := t.addContents(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.Grafts, func(a, b Graft) int { return cmp.Compare(a.Target, b.Target) })
	return t, nil
}

func (t *Tree) add(g Graft) { t.Grafts = append(t.Grafts, g) }

// addContents adds the user's own files. What two systems have from one place of the store, to
// one place of the medium, is there once.
func (t *Tree) addContents() error {
	own := t.Grafts
	for i, s := range t.systems.systems {
		for _, c := range s.Contents {
			target, err := contentTarget(own, c.Target)
			if err != nil {
				return err
			}
			g := Graft{Target: target, Source: c.Source, What: "the source of /" + target + " on the medium,"}
			if len(t.systems.systems) > 1 {
				g.Of = s.Name
			}
			same := func(other Graft) bool { return other.Of != g.Of && other.Target == target && other.Source == c.Source }
			if i == 0 || !slices.ContainsFunc(t.Grafts, same) {
				t.add(g)
			}
		}
	}
	return nil
}

func (t *Tree) addMemtest() {
	for i, menu := range t.Menus {
		if menu.Memtest != nil {
			t.add(Graft{Target: memtestPath, Source: t.platforms[i].memtest().Memtest.File, What: "the memory test"})
			return
		}
	}
}

// addKernels adds every kernel and initrd once, and with GRUB the device trees.
func (t *Tree) addKernels() {
	seen := map[string]bool{"": true}
	add := func(what, file string) {
		if !seen[file] {
			seen[file] = true
			t.add(Graft{Target: kernelTarget(file), Source: file, What: what})
		}
	}
	var shown, efi []nixos.Configuration
	for _, s := range t.systems.systems {
		shown = append(shown, s.Shown()...)
		if s.MakeEFIBootable {
			efi = append(efi, s.Shown()...)
		}
	}
	for _, c := range shown {
		add("the kernel", c.Kernel)
		add("the initrd", c.Initrd)
	}
	for _, c := range efi {
		add(deviceTreesWhat, c.DeviceTrees)
	}
	for _, c := range efi {
		whole := func(other nixos.Configuration) bool {
			return other.DeviceTrees != "" && strings.HasPrefix(c.DeviceTree, other.DeviceTrees+"/")
		}
		if !slices.ContainsFunc(efi, whole) {
			add("the device tree", c.DeviceTree)
		}
	}
}

func (t *Tree) addBIOS() {
	syslinux := t.syslinux()
	t.BIOSImage = isolinuxBin
	t.MBRCode = path.Join(syslinux, "isohdpfx.bin")
	t.add(Graft{Target: isolinuxDir, Source: syslinux, What: "the folder of isolinux"})
	for _, menu := range t.Menus {
		if !menu.BIOS {
			continue
		}
		t.add(Graft{Target: isolinuxConfig, Data: menu.Isolinux()})
		if menu.SyslinuxBackground {
			t.add(Graft{Target: isolinuxSplash, Source: t.systems.bios().SplashImage, What: "the splash image"})
		}
	}
}

// syslinux is the folder of isolinux' files.
func (t *Tree) syslinux() string { return path.Join(t.systems.bios().Syslinux, syslinuxDir) }

func (t *Tree) addEFI() {
	t.EFIImage = espPath
	t.add(Graft{Target: espPath, Pending: true})
	for _, p := range t.platforms {
		if p.efiArch == "" {
			continue
		}
		t.add(Graft{Target: loaderPath(p.efiArch), Pending: true})
		if refind := p.refind(); refind != "" {
			t.add(Graft{Target: efiDir + "/" + path.Base(refind), Source: refind, What: refindWhat})
		}
	}
	for _, script := range t.scripts() {
		t.add(Graft{Target: script, Pending: true})
	}
	t.add(Graft{Target: markerPath, Data: []byte{}})
	s := t.systems.efi()
	t.add(Graft{Target: fontPath, Source: path.Join(s.GRUB.Package, "share/grub/unicode.pf2"), What: "the font of GRUB"})
	if s.EFISplashImage != "" {
		t.add(Graft{Target: splashPath, Source: s.EFISplashImage, What: "the splash image for EFI"})
	}
	if s.GRUBTheme != "" {
		t.add(Graft{Target: themeDir, Source: s.GRUBTheme, What: themeWhat})
	}
}

// loaderPath is the default loader of removable media (UEFI 2.10 §3.5.1.1).
func loaderPath(arch string) string {
	return efiDir + "/BOOT" + strings.ToUpper(arch) + ".EFI"
}

// contentTarget returns where the user's entry goes among our own grafts.
func contentTarget(own []Graft, target string) (string, error) {
	clean, err := cleanTarget(target)
	if err != nil {
		return "", err
	}
	if strings.EqualFold(clean, medium.StoreImage) {
		return "", &TargetError{target, "is the store image"}
	}
	for _, g := range own {
		if !strings.EqualFold(g.Target, clean) {
			continue
		}
		if g.Target != isolinuxDir && g.Target != themeDir {
			return "", &TargetError{target, "is taken"}
		}
		return g.Target, nil // a directory, to be merged with
	}
	return clean, nil
}

// cleanTarget returns a target without empty elements. /EFI/boot, as releases up
// to 24.05 have it, becomes /EFI/BOOT.
func cleanTarget(target string) (string, error) {
	if strings.IndexFunc(target, unicode.IsControl) >= 0 {
		return "", &TargetError{target, "has a control character"}
	}
	var elements []string
	for element := range strings.SplitSeq(target, "/") {
		switch {
		case element == "" || element == ".":
		case element == "..":
			return "", &TargetError{target, `has ".." in it`}
		default:
			elements = append(elements, element)
		}
	}
	for i, element := range strings.Split(efiDir, "/") {
		if i >= len(elements) || !strings.EqualFold(elements[i], element) {
			break
		}
		elements[i] = element
	}
	return strings.Join(elements, "/"), nil
}
