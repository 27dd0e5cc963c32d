package boot

import (
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

// A medium that installs systems has an entry for each, which is never the default: it starts
// a live system with the word that livebuild-install heeds, of package nixos.
const (
	installLabel = "install"
	installTitle = "Install "
)

// addInstalls adds the entries, each of the first system that can do it.
func (m *Menu) addInstalls(systems []*nixos.System, used labels) {
	seen := map[string]bool{}
	for _, s := range systems {
		for _, t := range s.Install {
			if seen[t.Name] {
				continue
			}
			seen[t.Name] = true
			e := entryOf(s, s.Shown()[0], used.add(installLabel, []string{t.Name}), []string{medium.InstallWord + t.Name})
			e.Title = installTitle + t.Name
			m.Install = append(m.Install, e)
		}
	}
}

// addCatalog adds what livebuild-install reads.
func (t *Tree) addCatalog() {
	var all []nixos.Target
	seen := map[string]bool{}
	for _, s := range t.systems.systems {
		for _, target := range s.Install {
			if !seen[target.Name] {
				seen[target.Name] = true
				all = append(all, target)
			}
		}
	}
	if len(all) > 0 {
		t.add(Graft{Target: medium.Catalog, Data: nixos.Catalog(all)})
	}
}
