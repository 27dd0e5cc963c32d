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
	Menu *Menu
	// Grafts are sorted by target. Those of the user may share one.
	Grafts []Graft

	// BIOSImage and EFIImage are the targets of the boot images, or empty.
	BIOSImage string
	EFIImage  string
	// MBRCode is the file with the boot code of the master boot record, empty
	// without BIOS boot.
	MBRCode string

	system *nixos.System
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

// NewTree returns the tree of a configuration, of which nothing need be built
// yet.
func NewTree(s *nixos.System) (*Tree, error) {
	menu, err := NewMenu(s)
	if err != nil {
		return nil, err
	}
	// Two things with one label would take turns in /dev/disk/by-label, where
	// stage 1 looks for the medium.
	if s.MakeEFIBootable && s.VolumeID == espLabel {
		return nil, &nixos.VolumeIDError{VolumeID: s.VolumeID, Reason: "is what the EFI system partition of the image is called"}
	}
	t := &Tree{Menu: menu, system: s}
	t.add(Graft{Target: versionPath, Data: []byte(s.Label)})
	t.add(Graft{Target: medium.Manifest, Pending: true})
	t.addKernels()
	if s.MakeBIOSBootable {
		t.addBIOS()
	}
	if s.MakeEFIBootable {
		t.addEFI()
	}
	if menu.Memtest != nil {
		t.add(Graft{Target: memtestPath, Source: s.Memtest.File, What: "the memory test"})
	}
	if menu.Check != nil {
		t.add(Graft{Target: medium.Sums, Late: true})
		t.add(Graft{Target: wrongSums, Data: wrongSumsList()})
	}
	if s.StampArea > 0 {
		t.add(Graft{Target: medium.StampArea, Data: make([]byte, s.StampArea)})
	}
	own := t.Grafts
	for _, c := range s.Contents {
		target, err := contentTarget(own, c.Target)
		if err != nil {
			return nil, err
		}
		t.add(Graft{Target: target, Source: c.Source, What: "the source of /" + target + " on the medium,"})
	}
	slices.SortStableFunc(t.Grafts, func(a, b Graft) int { return cmp.Compare(a.Target, b.Target) })
	return t, nil
}

func (t *Tree) add(g Graft) { t.Grafts = append(t.Grafts, g) }

// addKernels adds every kernel and initrd once, and with GRUB the device trees.
func (t *Tree) addKernels() {
	seen := map[string]bool{"": true}
	add := func(what, file string) {
		if !seen[file] {
			seen[file] = true
			t.add(Graft{Target: kernelTarget(file), Source: file, What: what})
		}
	}
	for _, c := range t.system.Shown() {
		add("the kernel", c.Kernel)
		add("the initrd", c.Initrd)
	}
	if !t.system.MakeEFIBootable {
		return
	}
	for _, c := range t.system.Shown() {
		add(deviceTreesWhat, c.DeviceTrees)
	}
	for _, c := range t.system.Shown() {
		whole := func(other nixos.Configuration) bool {
			return other.DeviceTrees != "" && strings.HasPrefix(c.DeviceTree, other.DeviceTrees+"/")
		}
		if !slices.ContainsFunc(t.system.Shown(), whole) {
			add("the device tree", c.DeviceTree)
		}
	}
}

func (t *Tree) addBIOS() {
	syslinux := path.Join(t.system.Syslinux, syslinuxDir)
	t.BIOSImage = isolinuxBin
	t.MBRCode = path.Join(syslinux, "isohdpfx.bin")
	t.add(Graft{Target: isolinuxDir, Source: syslinux, What: "the folder of isolinux"})
	t.add(Graft{Target: isolinuxConfig, Data: t.Menu.Isolinux()})
	if t.Menu.SyslinuxBackground {
		t.add(Graft{Target: isolinuxSplash, Source: t.system.SplashImage, What: "the splash image"})
	}
}

func (t *Tree) addEFI() {
	s := t.system
	t.EFIImage = espPath
	t.add(Graft{Target: espPath, Pending: true})
	t.add(Graft{Target: loaderPath(s.EFIArch), Pending: true})
	t.add(Graft{Target: grubConfig, Pending: true})
	t.add(Graft{Target: markerPath, Data: []byte{}})
	t.add(Graft{Target: fontPath, Source: path.Join(s.GRUB.Package, "share/grub/unicode.pf2"), What: "the font of GRUB"})
	if s.Refind != "" {
		t.add(Graft{Target: efiDir + "/" + t.Menu.Refind, Source: s.Refind, What: refindWhat})
	}
	if s.EFISplashImage != "" {
		t.add(Graft{Target: splashPath, Source: s.EFISplashImage, What: "the splash image for EFI"})
	}
	if s.GRUBTheme != "" {
		t.add(Graft{Target: themeDir, Source: s.GRUBTheme, What: themeWhat})
	}
	if t.Menu.FindISO {
		t.add(Graft{Target: loopbackPath, Data: []byte("source /" + grubConfig + "\n")})
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
