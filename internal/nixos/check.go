package nixos

import "strings"

// maxVolumeID is the length of the volume identifier field (ECMA-119 §8.4.7).
const maxVolumeID = 32

// check refuses what can be evaluated but not booted.
func (s *System) check() error {
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
	if s.ImageName == "" || strings.ContainsAny(s.ImageName, "/\x00\n") || strings.HasPrefix(s.ImageName, ".") {
		return &NameError{"isoImage.isoName or image.baseName", s.ImageName}
	}
	// /dev/root is made by the scripted stage 1 alone (NixOS/nixpkgs #327187).
	if s.SystemdInitrd && s.ISODevice == "/dev/root" {
		return &InitrdError{s.Name, s.ISODevice}
	}
	return nil
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
