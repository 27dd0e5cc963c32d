package fat

import (
	"strings"
	"testing"
)

// FuzzImage lets fsck.vfat judge trees made of arbitrary names: a tree is
// refused, or its image is clean.
func FuzzImage(f *testing.F) {
	f.Add("EFI/BOOT/BOOTX64.EFI\nEFI/BOOT/grub.cfg\nEFI/BOOT/refind_x64.efi", uint16(6144), uint16(3000))
	f.Add("thirteen.text\ntwenty-six-characters.text\nTHIRTE~1.TEX\n.a\na b/c", uint16(200), uint16(1))
	f.Add("größe\n日本語/𝄞\n"+strings.Repeat("y", 255), uint16(65535), uint16(0))
	f.Add("a/b/c/d/e/f/g/h\n+.+\n=\n~1\nA~1", uint16(40), uint16(511))
	f.Fuzz(func(t *testing.T, names string, sectors, length uint16) {
		image := Image{Size: int64(sectors) * sectorSize, Time: millennium, Label: "FUZZ", Serial: uint32(length)}
		if length%2 == 1 {
			image.ClusterSize = sectorSize
		}
		for i, name := range strings.Split(names, "\n") {
			image.Files = append(image.Files, File{Path: name, Data: make([]byte, int(length)*i)})
		}
		if _, err := image.Layout(); err != nil {
			return
		}
		check(t, image)
	})
}
