// Package nixos reads what a NixOS configuration says about its live image.
//
// One evaluation of an embedded Nix function (eval.nix) gives every fact that
// planning, building and writing an image needs, as a [System]. The function
// reads configurations of every release since 22.05, of flakes and of files. One
// that does not import nixpkgs' iso-image.nix is extended with it (live.nix), and
// [Changes] can be made to any. It builds nothing.
//
// Fields carry the names of the NixOS options that they come from.
package nixos

import (
	"encoding/json"

	"github.com/livebuild/livebuild/internal/nix"
)

// System is what a configuration says about its live image. Paths are in the
// Nix store; most exist only after Realise has been built. An empty path means
// that the image has no such part.
type System struct {
	StoreDir string `json:"storeDir"` // what the store is called: "/nix/store"

	// Name is the attribute below nixosConfigurations, or comes from the file.
	Name     string `json:"name"`
	HostName string `json:"hostName"`
	// Extended tells that the configuration lacked the ISO module.
	Extended bool `json:"extended"`

	// Platform is what the image runs on, BuildPlatform what its packages are
	// built on, both as Nix writes them: "x86_64-linux".
	Platform      string `json:"platform"`
	BuildPlatform string `json:"buildPlatform"`
	// EFIArch is the architecture of the firmware as in the name of the default
	// loader: "x64", "aa64", "ia32" (also on x86_64 with forcei686).
	EFIArch string `json:"efiArch"`
	IsX86   bool   `json:"isX86"`

	DistroID   string `json:"distroID"`   // "nixos"
	DistroName string `json:"distroName"` // "NixOS"
	Label      string `json:"label"`      // system.nixos.label
	Release    string `json:"release"`    // "24.05"

	// ImageName is the file name that nixpkgs would give the image, its
	// extension (.iso, .iso.zst) included.
	ImageName string `json:"imageName"`
	// VolumeID labels the medium, and stage 1 finds it by this label.
	VolumeID string `json:"volumeID"`
	// SquashfsCompression is text for mksquashfs -comp; nil means uncompressed.
	SquashfsCompression            *string `json:"squashfsCompression"`
	CompressImage                  bool    `json:"compressImage"`
	IncludeSystemBuildDependencies bool    `json:"includeSystemBuildDependencies"`

	MakeBIOSBootable bool `json:"makeBiosBootable"`
	MakeEFIBootable  bool `json:"makeEfiBootable"`
	MakeUSBBootable  bool `json:"makeUsbBootable"`

	ForceTextMode bool `json:"forceTextMode"`
	// Timeout is boot.loader.timeout in seconds: nil waits for the user, 0 boots
	// at once.
	Timeout        *int   `json:"timeout"`
	SyslinuxTheme  string `json:"syslinuxTheme"` // directives for isolinux.cfg
	SplashImage    string `json:"splashImage"`
	EFISplashImage string `json:"efiSplashImage"`
	GRUBTheme      string `json:"grubTheme"` // directory with theme.txt

	// Syslinux is the package with share/syslinux; with BIOS boot only.
	Syslinux string `json:"syslinux"`
	// GRUB is nil without EFI boot.
	GRUB *GRUB `json:"grub"`
	// Refind is rEFInd's program for EFIArch.
	Refind  string   `json:"refind"`
	Memtest *Memtest `json:"memtest86"`

	// MediaCheck says that the medium can be checked before anything is started from
	// it: GRUB's program has the commands, stage 1 heeds livebuild.check.
	MediaCheck bool `json:"mediaCheck"`

	// Persistent says that the live system keeps its files on the stick, as
	// Changes.Persistent.
	Persistent string `json:"persistent"`

	// StampUnit says that a stage 1 of systemd copies what a further initrd brings, as the
	// scripted one always does.
	StampUnit bool `json:"stampUnit"`
	// StampArea is how many bytes the medium has for what is stamped onto it later.
	StampArea int64 `json:"-"`
	// StampParams says that what is stamped can have words for the kernel's command line.
	StampParams bool `json:"-"`

	// SecureBoot says how GRUB verifies what it reads; nil if it does not.
	SecureBoot *SecureBoot `json:"secureBoot"`

	// SystemdInitrd tells the two kinds of stage 1 apart; ISODevice is the
	// device that it mounts on /iso.
	SystemdInitrd bool   `json:"systemdInitrd"`
	ISODevice     string `json:"isoDevice"`
	// LoopbackUnit says that a stage 1 of systemd finds a medium that is a file on a disk, by
	// findiso= on the kernel's command line or by what Ventoy says. The scripted one knows
	// findiso= itself.
	LoopbackUnit bool `json:"loopbackUnit"`

	// Netboot tells that the system starts from memory, without a medium. The image then has
	// a part of the below alone: no volume, no boot loaders, no specialisations.
	Netboot bool `json:"netboot"`
	// KernelFile is what the kernel is called, "bzImage".
	KernelFile string `json:"kernelFile"`
	// VariantID is system.nixos.variant_id: "installer".
	VariantID string `json:"variantID"`
	// KexecTools are nil unless asked for.
	KexecTools *KexecTools `json:"kexecTools"`
	// SSHServer tells that services.openssh is enabled; of a system that starts from memory.
	SSHServer bool `json:"sshServer"`

	// Configurations are the configuration itself, then its specialisations,
	// depth first, each level in the order of the names.
	Configurations []Configuration `json:"configurations"`

	// Contents are the user's own files of the medium, outside the store image,
	// in the order of their targets without regard to case.
	Contents []Content `json:"contents"`
	// StoreContents are the roots of the store image. With
	// IncludeSystemBuildDependencies one of them is a derivation.
	StoreContents []string `json:"storeContents"`

	// Realise is what must be built: the outputs of each derivation, an empty
	// list standing for all of them. Sources are further store paths that are
	// needed; they exist already.
	Realise map[string][]string `json:"realise"`
	Sources []string            `json:"sources"`

	// Install are systems that the medium can install. What they need is in StoreContents, behind
	// the OwnContents first ones, which are the live system's own.
	Install     []Target `json:"install"`
	OwnContents int      `json:"-"`

	Warnings []string `json:"warnings"`

	// Known tells that an earlier evaluation said all this.
	Known bool `json:"-"`

	// Metadata are those of the flake that was evaluated, as "nix flake metadata" has them; nil if
	// nobody knows, or there is none.
	Metadata json.RawMessage `json:"-"`

	// FlakeConfig is with which settings its flake wants to be built.
	FlakeConfig nix.FlakeConfig `json:"-"`
}

// Configuration is one bootable system of the image.
type Configuration struct {
	// Path has the names of the specialisations that lead here from the root;
	// it is empty for the configuration itself.
	Path     []string  `json:"path"`
	Toplevel StorePath `json:"toplevel"`
	Kernel   string    `json:"kernel"` // file
	Initrd   string    `json:"initrd"` // file

	// KernelVersion is that of the kernel's package, "6.12.5"; empty if it does not tell.
	KernelVersion string `json:"kernelVersion"`

	// KernelParams are pieces of the kernel's command line, without init=.
	KernelParams []string `json:"kernelParams"`

	PrependToMenuLabel string  `json:"prependToMenuLabel"`
	DistroName         string  `json:"distroName"`
	Label              string  `json:"label"`
	AppendToMenuLabel  string  `json:"appendToMenuLabel"`
	ConfigurationName  *string `json:"configurationName"`
	ShowConfiguration  bool    `json:"showConfiguration"`

	VolumeID string `json:"volumeID"`

	// DeviceTree is the file that the kernel is given instead of the firmware's,
	// DeviceTrees a directory of which one can be chosen at boot. At most one is set.
	DeviceTree  string `json:"deviceTree"`
	DeviceTrees string `json:"deviceTrees"`
}

// StorePath is a store path and the derivation that makes it.
type StorePath struct {
	Drv string `json:"drv"`
	Out string `json:"out"`
}

// GRUB says where the EFI loader comes from.
type GRUB struct {
	// Package has lib/grub/<Target> and share/grub, for the image's platform.
	Package string `json:"package"`
	Target  string `json:"target"`  // "x86_64-efi"
	Version string `json:"version"` // "2.12"; empty if the package does not tell
	// Core is GRUB's program, a file, with the modules that the menu needs in it. It
	// looks for its menu in /EFI/BOOT of the device that it is loaded from.
	Core string `json:"core"`
}

// KexecTools are programs for the system that is replaced by kexec, files that need no
// others.
type KexecTools struct {
	Kexec   string `json:"kexec"`
	Busybox string `json:"busybox"`
	IP      string `json:"ip"` // of iproute2; empty if the nixpkgs has none that is static
}

// Memtest is the memory test of the boot menus.
type Memtest struct {
	File   string   `json:"file"`
	Params []string `json:"params"`
	// EFI is false for releases that run on BIOS only.
	EFI bool `json:"efi"`
}

// Content is an entry of isoImage.contents: Source, a file or a directory,
// appears on the medium as Target.
type Content struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// Root returns the configuration that the image is made of.
func (s *System) Root() Configuration { return s.Configurations[0] }

// Shown returns the configurations that the boot menus offer.
func (s *System) Shown() []Configuration {
	var shown []Configuration
	for _, c := range s.Configurations {
		if c.ShowConfiguration {
			shown = append(shown, c)
		}
	}
	return shown
}

// FindsFile reports whether stage 1 finds a medium that is a file on a disk, by findiso=.
func (s *System) FindsFile() bool { return !s.SystemdInitrd || s.LoopbackUnit }
