package nixos

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// maxVolumeID is the length of the volume identifier field (ECMA-119 §8.4.7).
const maxVolumeID = 32

// check refuses what can be evaluated but not booted.
func (s *System) check() error {
	if s.Netboot {
		if reason := nameFault(s.ImageName); reason != "" {
			return &NameError{"system.nixos.distroId or system.nixos.label", s.ImageName, reason}
		}
		if reason := nameFault(s.KernelFile); reason != "" {
			return &NameError{"system.boot.loader.kernelFile", s.KernelFile, reason}
		}
		return s.checkSources()
	}
	if err := CheckVolumeID(s.VolumeID); err != nil {
		return err
	}
	// The identifier is baked into each system, as a kernel parameter or in the
	// initrd.
	for _, c := range s.Configurations {
		if c.VolumeID != s.VolumeID {
			return &VolumeIDError{s.VolumeID, "differs from " + c.VolumeID +
				" of specialisation " + strings.Join(c.Path, ".")}
		}
	}
	if reason := nameFault(s.ImageName); reason != "" {
		return &NameError{"isoImage.isoName, image.baseName or image.fileName", s.ImageName, reason}
	}
	// /dev/root is made by the scripted stage 1 alone (NixOS/nixpkgs #327187).
	if s.SystemdInitrd && s.ISODevice == "/dev/root" {
		return &InitrdError{s.Name, s.ISODevice}
	}
	return s.checkSources()
}

// checkSources refuses files that Nix did not copy into its store, nor build there:
// text that names a file of some machine. What is no text in a store path is found out
// when its files are read.
func (s *System) checkSources() error {
	type source struct{ option, file string }
	sources := []source{
		{"isoImage.splashImage", s.SplashImage}, {"isoImage.efiSplashImage", s.EFISplashImage},
		{"isoImage.grubTheme", s.GRUBTheme}, {"pkgs.syslinux", s.Syslinux}, {"pkgs.refind", s.Refind},
	}
	if s.GRUB != nil {
		sources = append(sources, source{"pkgs.grub2_efi", s.GRUB.Package}, source{"pkgs.grub2_efi", s.GRUB.Core})
	}
	if s.Memtest != nil {
		sources = append(sources, source{"boot.loader.grub.memtest86", s.Memtest.File})
	}
	if k := s.KexecTools; k != nil {
		sources = append(sources, source{"pkgs.pkgsStatic.kexec-tools", k.Kexec}, source{"pkgs.pkgsStatic.busybox", k.Busybox},
			source{"pkgs.pkgsStatic.iproute2", k.IP})
	}
	for _, c := range s.Configurations {
		sources = append(sources, source{"system.build.toplevel", c.Toplevel.Out},
			source{"boot.kernelPackages.kernel with system.boot.loader.kernelFile", c.Kernel},
			source{"system.build.initialRamdisk with system.boot.loader.initrdFile", c.Initrd},
			source{"hardware.deviceTree.name", c.DeviceTree}, source{"hardware.deviceTree.package", c.DeviceTrees})
	}
	for _, c := range s.Contents {
		sources = append(sources, source{"the source of " + c.Target + " in isoImage.contents", c.Source})
	}
	for _, root := range s.StoreContents {
		sources = append(sources, source{"isoImage.storeContents", root})
	}
	for _, from := range sources {
		if from.file != "" && !strings.HasPrefix(path.Clean(from.file), path.Clean(s.StoreDir)+"/") {
			return &SourceError{from.option, from.file}
		}
	}
	return nil
}

// maxName is the length of a file name on the file systems of Linux (NAME_MAX in
// linux/limits.h), less what is put behind it.
const maxName = 255 - len(".sha256")

// nameFault says why nothing should be called so. A name with control characters
// could be written, and would do what it likes to the terminal that lists it.
func nameFault(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case strings.Contains(name, "/"):
		return "it has a slash"
	case strings.HasPrefix(name, "."):
		return "it begins with a dot"
	case strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return "it has a character that cannot be seen"
	case len(name) > maxName:
		return fmt.Sprintf("it is longer than %d bytes", maxName)
	}
	return ""
}

// CheckVolumeID admits what stands for itself in a kernel parameter, in a link
// of /dev/disk/by-label and in the volume descriptor. Its error is a
// *VolumeIDError.
func CheckVolumeID(id string) error {
	switch {
	case id == "":
		return &VolumeIDError{id, "is empty"}
	case len(id) > maxVolumeID:
		return &VolumeIDError{id, "is longer than 32 bytes"}
	case id == "." || id == "..":
		return &VolumeIDError{id, "cannot be a link in /dev/disk/by-label"}
	}
	for _, r := range id {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', strings.ContainsRune("._-", r):
		default:
			return &VolumeIDError{id, "has other characters than letters, digits, '.', '_' and '-'"}
		}
	}
	return nil
}
