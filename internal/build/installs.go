package build

import (
	"context"
	"slices"

	"github.com/livebuild/livebuild/internal/nixos"
)

// InstallCost is what a system that the medium installs adds to its store.
type InstallCost struct {
	Target nixos.Target
	// Known tells that all of it is built, so that its size can be told: StorePaths and Bytes, as
	// Nix counts, that neither the live systems have nor those before it.
	Known      bool
	StorePaths int
	Bytes      int64
	// KitPaths and KitBytes are what of these it takes only to be rebuilt.
	KitPaths int
	KitBytes int64
}

// InstallCosts are those of the plan's systems to install, in order. Known says that
// nothing is to be built or fetched.
func (b *Build) InstallCosts(ctx context.Context, known bool) ([]InstallCost, error) {
	if len(b.installs) == 0 {
		return nil, nil
	}
	var roots []string
	for _, s := range b.plan.Systems() {
		roots = append(roots, s.StoreContents[:s.OwnContents]...)
	}
	var paths int
	var bytes int64
	count := func() error {
		closure, err := b.nix.Closure(ctx, roots)
		if err == nil {
			paths, bytes = len(closure.Paths), closure.NarSize()
		}
		return err
	}
	if known {
		if err := count(); err != nil {
			return nil, err
		}
	}
	costs := make([]InstallCost, len(b.installs))
	for i, t := range b.installs {
		costs[i] = InstallCost{Target: t, Known: known}
		if !known {
			continue
		}
		before, beforeBytes := paths, bytes
		roots = slices.Concat(roots, t.Roots)
		if t.Source != nil {
			roots = append(roots, t.Source.Paths...)
		}
		if err := count(); err != nil {
			return nil, err
		}
		if len(t.Kit) > 0 {
			withoutKit, withoutKitBytes := paths, bytes
			roots = slices.Concat(roots, t.Kit)
			if err := count(); err != nil {
				return nil, err
			}
			costs[i].KitPaths, costs[i].KitBytes = paths-withoutKit, bytes-withoutKitBytes
		}
		costs[i].StorePaths, costs[i].Bytes = paths-before, bytes-beforeBytes
	}
	return costs, nil
}
