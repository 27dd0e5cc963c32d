package boot

import (
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

// An image can also be a file on a disk, from which another boot loader starts it: a GRUB by
// its loopback command, which reads loopback.cfg, and Ventoy. Stage 1 then has to find the
// file; see nixos.System.LoopbackUnit.
const (
	// ventoyPath is in the root of a medium that finds its file by what Ventoy says, so that
	// Ventoy leaves the initrd as it is (ventoy.net/en/compatible.html).
	ventoyPath = "ventoy.dat"
)

// ventoyText is for people: the file is looked for, and not read.
const ventoyText = "This medium finds the file that Ventoy started it from by itself.\n"

// addLoopback adds what tells other boot loaders how to start the image from a file.
func (t *Tree) addLoopback() {
	if slices.ContainsFunc(t.Menus, func(m *Menu) bool { return m.EFIArch != "" && m.FindISO }) {
		t.add(Graft{Target: medium.LoopbackMenu, Data: []byte("source /" + grubConfig + "\n")})
	}
	if t.knowsVentoy() {
		t.add(Graft{Target: ventoyPath, Data: []byte(ventoyText)})
	}
}

// FromFile tells whether another GRUB can start the image from a file.
func (t *Tree) FromFile() bool {
	return slices.ContainsFunc(t.Grafts, func(g Graft) bool { return g.Target == medium.LoopbackMenu })
}

// knowsVentoy tells whether every stage 1 reads what Ventoy says. A scripted one does not, and
// Ventoy's change to its initrd mostly works.
func (t *Tree) knowsVentoy() bool {
	return !slices.ContainsFunc(t.systems.systems, func(s *nixos.System) bool { return !s.SystemdInitrd || !s.LoopbackUnit })
}
