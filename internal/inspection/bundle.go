package inspection

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/kernel"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/netboot"
)

// bundledMenu is what a folder for network boots, or an archive for kexec, starts: as its manifest has it, by the
// script that it is said in, too. Of a manifest that is of no use, it is nothing.
func (i *Image) bundledMenu(m *medium.Medium) {
	paper, err := m.Manifest()
	if err != nil {
		return
	}
	i.Label = paper.Label
	menu := Menu{Loader: "iPXE", Files: []string{"/" + netboot.Script}, Timeout: new(int), Sure: true}
	if m.Form == medium.Archive {
		menu.Loader, menu.Files = "kexec", []string{"/" + m.Beside(kexec.Run)}
	}
	at := func(name string) string { return "/" + m.Beside(name) }
	entry := Entry{
		Title: paper.Label, Default: true,
		Line: strings.TrimSpace(at(paper.Boot.Kernel) + " " + paper.Boot.CommandLine),
	}
	initrds := slices.Clone(paper.Boot.Initrds)
	if _, err := m.Files().Find(m.Beside(netboot.Stamp)); err == nil && !slices.Contains(initrds, netboot.Stamp) {
		initrds = append(initrds, netboot.Stamp)
	}
	for _, name := range initrds {
		entry.Initrds = append(entry.Initrds, at(name))
	}
	menu.Entries = []Entry{entry}
	i.Menus = append(i.Menus, menu)
	if f, err := m.Files().Find(m.Beside(paper.Boot.Kernel)); err == nil {
		i.Kernels = append(i.Kernels, Kernel{at(paper.Boot.Kernel), kernel.Version(m.Files().Open(f), f.Size)})
	}
}
