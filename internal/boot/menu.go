// Package boot makes everything on the medium outside the store image: the
// menus of isolinux and GRUB, kernels and initrds, the EFI loader and its FAT
// file system, and the user's own files.
//
// It writes the layout of nixpkgs' ISO module of 2026 for every NixOS release:
// upper-case /EFI/BOOT, kernels below /boot/nix/store, one entry for each
// specialisation, variants in an "Options" menu. It differs from that module
// where the module's behaviour is a known fault; each place says so.
//
// A [Menu] and a [Tree] are values that exist before anything is built. What
// needs built files is added by [Tree.Complete]. Not supported: firmware
// other than PC BIOS and UEFI.
package boot

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

// Menu is what the user can boot on one kind of machine. If all systems of the medium
// start there, it is the same for isolinux and GRUB.
type Menu struct {
	// BIOS says that isolinux shows it. EFIArch is the architecture of the firmware whose
	// GRUB does, as in a System; empty: none. CPU is what GRUB calls it.
	BIOS    bool
	EFIArch string
	CPU     string

	// Timeout is in seconds: nil waits for the user, 0 boots at once.
	Timeout *int

	// Systems are what can be started. The entries of one are in the first menu, several
	// have a submenu each.
	Systems []Section
	// Default is the index of the system that starts by itself.
	Default int
	// Install start one of them, and have it install a system.
	Install []Entry
	// Check compares the medium with its list of sums, and then starts the first
	// entry of the default; nil for a medium without a list.
	Check *Entry
	// Memtest is the memory test, or nil.
	Memtest *Entry

	// SyslinuxTheme is text for isolinux.cfg, SyslinuxBackground tells whether
	// there is /isolinux/background.png.
	SyslinuxTheme      string
	SyslinuxBackground bool

	// TextMode starts GRUB without graphics. Theme and Background tell which
	// of the two looks the medium has files for; the theme wins.
	TextMode   bool
	Theme      bool
	Background bool

	// Refind is the file name of rEFInd in /EFI/BOOT, or empty.
	Refind string
	// MemtestEFI tells whether Memtest starts from GRUB.
	MemtestEFI bool
	// FindISO tells that stage 1 looks for the image file named by findiso=, so
	// that another GRUB can start it from a file.
	FindISO bool
	// StampParams tells that entries take words that are stamped onto the medium.
	StampParams bool

	// Verified says that GRUB verifies what it reads, and Closed that nobody can edit
	// its entries or type commands.
	Verified, Closed bool
}

// Section is the menu of one system.
type Section struct {
	Name  string // of the configuration
	Title string // of the submenu, if there is one
	// Entries are the configuration and its specialisations, the default first.
	Entries []Entry
	// Options repeat the entries with further kernel parameters.
	Options []Group
}

// first is the entry that starts by itself.
func (m *Menu) first() Entry { return m.Systems[m.Default].Entries[0] }

// Entry starts one kernel.
type Entry struct {
	Label  string // of isolinux: one word, unique
	Title  string
	Class  string   // of GRUB's themes
	Kernel string   // path on the medium, with leading slash
	Params []string // pieces of the command line, in order

	// Initrds are paths like Kernel, which the kernel unpacks one over the other
	// (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
	Initrds []string

	// FindISO tells that its stage 1 looks for the image file named by findiso=.
	FindISO bool

	// StampParams tells that it takes words that are stamped onto the medium.
	StampParams bool

	// DeviceTree is the file for the kernel, DeviceTrees the directory of those that
	// can be chosen for it. Both are paths like Kernel, or empty.
	DeviceTree, DeviceTrees string
}

// CommandLine returns what the kernel is given.
func (e Entry) CommandLine() string { return strings.Join(e.Params, " ") }

// Group is a submenu of Options.
type Group struct {
	Title   string
	Class   string
	Entries []Entry
}

// variant is a submenu of Options and what it adds to the command line.
type variant struct {
	title  string
	class  string
	params []string
}

var variants = []variant{
	{"Copy ISO Files to RAM", "copytoram", []string{"copytoram"}},
	{"No modesetting", "nomodeset", []string{"nomodeset"}},
	{"Debug Console Output", "debug", []string{"debug"}},
	{"Disable display-manager", "quirk-disable-displaymanager",
		[]string{"systemd.mask=display-manager.service", "plymouth.enable=0"}},
	{"Rotate framebuffer Clockwise", "rotate-90cw", []string{"fbcon=rotate:1"}},
	{"Rotate framebuffer Upside-Down", "rotate-180", []string{"fbcon=rotate:2"}},
	{"Rotate framebuffer Counter-Clockwise", "rotate-90ccw", []string{"fbcon=rotate:3"}},
}

// serialVariants are those for serial consoles. Servers with ARM processors have a
// PL011 (SBSA, "Generic UART"), which Linux calls ttyAMA0, most boards one as PCs.
func serialVariants(s *nixos.System) []variant {
	devices := []string{"ttyS0"}
	if s.EFIArch == "aa64" || s.EFIArch == "arm" {
		devices = []string{"ttyAMA0", "ttyS0"}
	}
	var all []variant
	for _, device := range devices {
		console := "console=" + device + ",115200n8"
		all = append(all, variant{"Serial " + console, "serial", []string{console}})
	}
	return all
}

// allVariants are those of a configuration.
func allVariants(s *nixos.System) []variant {
	all := slices.Clone(variants)
	if s.Persistent != "" {
		all = append(all, variant{"Without Saved Data", "no-persist", []string{"livebuild.persist=no"}})
	}
	return append(all, serialVariants(s)...)
}

// OptionsTitle is what the submenu with the Options is called.
const OptionsTitle = "Options"

const (
	bootLabel    = "boot"
	memtestLabel = "memtest"
	memtestTitle = "Memtest86+"
	memtestPath  = "boot/memtest.bin"
)

// ErrNoEntries reports a configuration that shows neither itself nor any
// specialisation in the boot menu.
var ErrNoEntries = errors.New("the boot menu has no entries: isoImage.showConfiguration is false everywhere")

// newMenu returns the menu of the platform's systems. Texts that a loader cannot carry
// are refused with a *TextError.
func (p platform) newMenu(all choice) (*Menu, error) {
	m := &Menu{
		BIOS: p.bios, EFIArch: p.efiArch, CPU: p.cpu(),
		Timeout:            all.chosen().Timeout,
		TextMode:           all.chosen().ForceTextMode,
		SyslinuxTheme:      all.bios().SyslinuxTheme,
		SyslinuxBackground: all.bios().SplashImage != "",
		Theme:              all.efi().GRUBTheme != "",
		Background:         all.efi().EFISplashImage != "",
		Default:            max(0, slices.Index(p.systems, all.chosen())),
	}
	if how := all.efi().SecureBoot; how != nil {
		m.Verified, m.Closed = true, !how.Edit
	}
	if refind := p.refind(); refind != "" {
		m.Refind = path.Base(refind)
	}
	used := labels{}
	for _, s := range p.systems {
		m.FindISO = m.FindISO || s.FindsFile()
		m.StampParams = m.StampParams || s.StampParams
		section, err := newSection(s, used, len(p.systems) > 1)
		if err != nil {
			return nil, err
		}
		m.Systems = append(m.Systems, section)
	}
	m.addInstalls(p.systems, used)
	if first := p.systems[m.Default]; first.MediaCheck {
		check := entryOf(first, first.Shown()[0], used.add(checkLabel, nil), nil)
		check.Title = checkTitle
		m.Check = &check
	}
	if s := p.memtest(); s != nil {
		m.MemtestEFI = s.Memtest.EFI
		m.Memtest = &Entry{Label: used.add(memtestLabel, nil), Title: memtestTitle, Class: "debug",
			Kernel: "/" + memtestPath, Params: s.Memtest.Params}
	}
	return m, m.check(p.systems)
}

// newSection returns the menu of a system, which may be one of several.
func newSection(s *nixos.System, used labels, several bool) (Section, error) {
	section := Section{Name: s.Name}
	shown := s.Shown()
	label := bootLabel
	switch {
	case len(shown) == 0 && several:
		return section, fmt.Errorf("configuration %q: %w", s.Name, ErrNoEntries)
	case len(shown) == 0:
		return section, ErrNoEntries
	case several:
		label += "-" + s.Name
	}
	section.Title = s.Name + ": " + title(shown[0])
	for _, c := range shown {
		section.Entries = append(section.Entries, entryOf(s, c, used.add(label, c.Path), nil))
	}
	for _, v := range allVariants(s) {
		group := Group{Title: v.title, Class: v.class}
		for _, c := range shown {
			group.Entries = append(group.Entries, entryOf(s, c, used.add(label+"-"+v.class, c.Path), v.params))
		}
		section.Options = append(section.Options, group)
	}
	return section, nil
}

// entryOf returns an entry of a system, with what the system's stage 1 takes.
func entryOf(s *nixos.System, c nixos.Configuration, label string, extra []string) Entry {
	e := newEntry(c, label, extra)
	e.FindISO = s.FindsFile()
	if s.StampArea > 0 {
		// The last, over all that the others bring.
		e.Initrds = append(e.Initrds, "/"+medium.StampArea)
		e.StampParams = s.StampParams
	}
	return e
}

func newEntry(c nixos.Configuration, label string, extra []string) Entry {
	params := []string{"init=" + path.Join(c.Toplevel.Out, "init")}
	params = append(params, c.KernelParams...)
	e := Entry{
		Label:   label,
		Title:   title(c),
		Class:   "installer",
		Kernel:  "/" + kernelTarget(c.Kernel),
		Initrds: []string{"/" + kernelTarget(c.Initrd)},
		Params:  append(params, extra...),
	}
	if c.DeviceTree != "" {
		e.DeviceTree = "/" + kernelTarget(c.DeviceTree)
	}
	if c.DeviceTrees != "" {
		e.DeviceTrees = "/" + kernelTarget(c.DeviceTrees)
	}
	return e
}

// kernelTarget is where something of the store that is loaded with a kernel, or is
// one, lies on the medium.
func kernelTarget(file string) string {
	return path.Join("boot", file)
}

// title follows nixpkgs, but for a specialisation without a configurationName:
// there its title is that of its parent, so it gets its own name instead.
func title(c nixos.Configuration) string {
	t := c.PrependToMenuLabel + c.DistroName + " " + c.Label + c.AppendToMenuLabel
	switch {
	case c.ConfigurationName != nil:
		t += " " + *c.ConfigurationName
	case len(c.Path) > 0:
		t += " (" + strings.Join(c.Path, ".") + ")"
	}
	return t
}

// labels are the labels of isolinux.cfg so far.
type labels map[string]bool

// add returns a label for the configuration at path: the names joined by
// hyphens, whatever a label cannot have replaced. A number tells labels apart
// that would be equal.
func (l labels) add(base string, path []string) string {
	label := strings.Join(append([]string{base}, path...), "-")
	label = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7F {
			return r
		}
		return '_'
	}, label)
	unique := label
	for i := 2; l[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", label, i)
	}
	l[unique] = true
	return unique
}

// entries returns all entries of the menu.
func (m *Menu) entries() []Entry {
	all := slices.Clone(m.Install)
	for _, section := range m.Systems {
		all = append(all, section.all()...)
	}
	if m.Check != nil {
		all = append(all, m.isolinuxCheck())
	}
	if m.Memtest != nil {
		all = append(all, *m.Memtest)
	}
	return all
}

// all returns all entries of the system.
func (s Section) all() []Entry {
	all := slices.Clone(s.Entries)
	for _, g := range s.Options {
		all = append(all, g.Entries...)
	}
	return all
}
