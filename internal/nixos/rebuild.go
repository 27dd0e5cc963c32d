package nixos

import (
	"context"
	"maps"
	"slices"

	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/store"
)

// kit is what an installed system is rebuilt of after a small change: outputs that are built, or
// fetched, before the medium is made.
type kit struct {
	realise map[string][]string // derivation → names of outputs
	paths   []string            // that these are, sorted
	unknown string              // a derivation whose outputs are known by their content alone
}

// addKit finds what small changes of the system are built of.
func (t *Target) addKit(ctx context.Context, n *nix.Nix) error {
	read, err := n.Derivations(ctx)
	if err != nil {
		return err
	}
	k, err := rebuildKit(read, t.Drv)
	if err != nil {
		return err
	}
	if k.unknown != "" {
		return &TargetError{t.Name, TargetKit, "is made of " + k.unknown + ", of which it is not known before it is built what it makes"}
	}
	t.Kit, t.Realise = k.paths, maps.Clone(t.Realise)
	for drv, outputs := range k.realise {
		t.Realise[drv] = union(t.Realise, drv, outputs)
	}
	return nil
}

// rebuildKit finds what small changes of a system need, in the graph of its derivation. What a change of
// settings makes anew is, first, what nixpkgs marks as cheap and local: configuration files, units, the
// folders that link them. Second, what is made of these by the configuration itself, as an initrd is, and not
// by packages, which have versions. The kit has the outputs that all of these are made of.
func rebuildKit(read func(path string) (store.Derivation, error), drv string) (*kit, error) {
	graph := map[string]store.Derivation{}
	stale := map[string]bool{} // a change may make it anew
	var visit func(path string) error
	visit = func(path string) error {
		if _, ok := graph[path]; ok {
			return nil
		}
		d, err := read(path)
		if err != nil {
			return err
		}
		graph[path] = d
		stale[path] = d.Local()
		for input := range d.Inputs {
			if err := visit(input); err != nil {
				return err
			}
			if stale[input] && !isPackage(d) {
				stale[path] = true
			}
		}
		return nil
	}
	if err := visit(drv); err != nil {
		return nil, err
	}
	k := &kit{realise: map[string][]string{}}
	for path, d := range graph {
		if !stale[path] {
			continue
		}
		for input, outputs := range d.Inputs {
			for _, name := range outputs {
				if slices.Contains(k.realise[input], name) {
					continue
				}
				k.realise[input] = append(k.realise[input], name)
				if out := graph[input].Outputs[name]; out != "" {
					k.paths = append(k.paths, out)
				} else {
					k.unknown = input
				}
			}
		}
	}
	for _, outputs := range k.realise {
		slices.Sort(outputs)
	}
	slices.Sort(k.paths)
	return k, nil
}

// isPackage reports whether a derivation is that of a package: what has a version, or sources that are
// fetched (nixpkgs, pkgs/stdenv/generic/make-derivation.nix).
func isPackage(d store.Derivation) bool {
	return d.Environment["version"] != "" || d.Environment["src"] != "" || d.Environment["outputHash"] != ""
}
