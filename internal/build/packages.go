package build

import (
	"context"
	"time"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
)

// Known says of how many store paths it is known what packages they are.
type Known struct {
	StorePaths int `json:"store_paths"`
	Of         int `json:"of"`
}

// Packages builds what the plan needs, and asks the configuration's nixpkgs what packages are in it.
// They are returned by the base names of store paths, with the closure.
func (b *Build) Packages(ctx context.Context) (*store.Closure, map[string]nixos.Package, error) {
	src, err := b.Realise(ctx)
	if err != nil {
		return nil, nil, err
	}
	var packages map[string]nixos.Package
	var took time.Duration
	_, err = step(b, "asking nixpkgs", "what packages these are", &took, func() (Known, error) {
		var paths []string
		for _, p := range src.Closure.Paths {
			paths = append(paths, p.Path)
		}
		packages = map[string]nixos.Package{}
		for n := range b.installables {
			known, err := nixos.Packages(ctx, b.nix, b.named(n), paths)
			if err != nil {
				return Known{}, err
			}
			for name, p := range known {
				if _, told := packages[name]; !told {
					packages[name] = p
				}
			}
		}
		return Known{len(packages), len(paths)}, err
	})
	return src.Closure, packages, err
}
