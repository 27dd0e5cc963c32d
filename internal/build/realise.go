package build

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/store"
)

// Realise has Nix build what the plan needs, once, and reads its closure. What is built
// is protected from garbage collection, and its files can be read, until Close. The error is a
// [*nix.PlatformError] if nothing can build for the platform.
func (b *Build) Realise(ctx context.Context) (image.Sources, error) {
	if b.built == nil {
		src, err := b.realiseNow(ctx)
		if err != nil {
			return src, err
		}
		b.built = &src
	}
	return *b.built, nil
}

func (b *Build) realiseNow(ctx context.Context) (image.Sources, error) {
	if err := b.CheckPlatform(ctx); err != nil {
		return image.Sources{}, err
	}
	if err := b.protect(); err != nil {
		return image.Sources{}, err
	}
	src, err := b.realise(ctx, "root")
	if nix.KindOf(err) == nix.KindVanished {
		// Nothing protects a derivation between its evaluation and now.
		if err := b.evaluate(ctx, evalcache.Cache{}); err != nil {
			return image.Sources{}, err
		}
		src, err = b.realise(ctx, "again")
	}
	return src, err
}

// realise builds what the plan needs, protected by a link.
func (b *Build) realise(ctx context.Context, link string) (src image.Sources, err error) {
	_, err = step(b, "building", "", &b.times.Build, func() (Built, error) {
		targets, err := b.targets(ctx)
		if err != nil {
			return Built{}, err
		}
		built, err := b.nix.Realise(ctx, targets, b.roots.Link(link))
		if err != nil {
			return Built{}, err
		}
		closure, err := b.nix.Closure(ctx, b.plan.StoreContents())
		if err != nil {
			return Built{}, err
		}
		files, err := b.nix.Files(ctx, closure, built)
		if err != nil {
			return Built{}, err
		}
		b.files = append(b.files, files)
		src = image.Sources{Files: files, Closure: closure}
		return Built{len(closure.Paths), closure.NarSize()}, nil
	})
	return src, err
}

// protect makes a place for links to what is built, if there is none yet.
func (b *Build) protect() (err error) {
	if b.roots == nil {
		b.roots, err = nix.NewRoots(b.options.Cache)
	}
	return err
}

// targets are what the plan needs. Of a root that is a derivation, all that it is
// built from is needed, which its evaluation does not tell.
func (b *Build) targets(ctx context.Context) ([]nix.Target, error) {
	var derivations []string
	for _, root := range b.plan.StoreContents() {
		if strings.HasSuffix(root, ".drv") {
			derivations = append(derivations, root)
		}
	}
	all, err := b.nix.BuildDependencies(ctx, derivations)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, t := range all {
		seen[t.Path] = true
	}
	for _, t := range b.plan.Realise() {
		if !seen[t.Path] {
			all = append(all, t)
		}
	}
	return all, nil
}

// Known is the closure of what the plan puts on the medium, as far as this machine has all of it
// built; else nil.
func (b *Build) Known(ctx context.Context) (*store.Closure, error) {
	missing, err := b.Missing(ctx)
	if err != nil || len(missing.Build)+len(missing.Fetch)+len(missing.Unknown) > 0 {
		return nil, err
	}
	return b.Closure(ctx)
}

// Possible are the store paths that can be in the closure of what the plan puts on the medium, built
// or not: those that it is built from are among them.
func (b *Build) Possible(ctx context.Context) ([]string, error) {
	var derivations []string
	for _, t := range b.plan.Realise() {
		if strings.HasSuffix(t.Path, ".drv") {
			derivations = append(derivations, t.Path)
		}
	}
	return b.nix.Possible(ctx, derivations)
}

// Closure reads the closure of what is packed, of which everything is in the store.
func (b *Build) Closure(ctx context.Context) (*store.Closure, error) {
	return b.nix.Closure(ctx, b.plan.StoreContents())
}

// Missing asks Nix what has to be done before the image can be packed.
func (b *Build) Missing(ctx context.Context) (nix.Missing, error) {
	task := progress.Begin(b.options.Sink, "asking what is to be built", "")
	missing, err := b.missing(ctx)
	if err != nil {
		task.Fail(err, nil)
	} else {
		task.End(nil)
	}
	return missing, err
}

func (b *Build) missing(ctx context.Context) (nix.Missing, error) {
	targets, err := b.targets(ctx)
	if err != nil {
		return nix.Missing{}, err
	}
	return b.nix.Missing(ctx, targets)
}

// CheckPlatform finds out before anything is built whether it can be: programs of
// another platform need a machine for it, or emulation. Its error is a
// [*nix.PlatformError]. What is downloaded needs neither, so Nix is asked what is left
// to build where it matters.
func (b *Build) CheckPlatform(ctx context.Context) error {
	var missing *nix.Missing
	told := map[string]bool{}
	for _, system := range b.plan.Systems() {
		platform := system.BuildPlatform
		if told[platform] {
			continue
		}
		told[platform] = true
		_, flags, err := b.nix.Builder(ctx, platform)
		var nobody *nix.PlatformError
		switch {
		case err != nil && !errors.As(err, &nobody):
			return err
		case nobody == nil && len(flags) == 0:
			continue
		}
		if missing == nil {
			all, err := b.Missing(ctx)
			if err != nil {
				return err
			}
			missing = &all
		}
		derivations, err := b.nix.ForPlatform(ctx, missing.Build, platform)
		if err != nil {
			return err
		}
		if len(derivations) == 0 {
			continue
		}
		if nobody != nil {
			nobody.Derivations = derivations
			return nobody
		}
		b.nix = b.nix.WithFlags(flags)
		progress.Note(b.options.Sink, ToldPlatform{platform})
	}
	return nil
}

// Builder says who builds for a platform that packages are built on.
func (b *Build) Builder(ctx context.Context, platform string) (nix.BuildsBy, error) {
	by, _, err := b.nix.Builder(ctx, platform)
	if _, nobody := errors.AsType[*nix.PlatformError](err); nobody {
		err = nil
	}
	return by, err
}

// Tool has Nix build or download a program of the configuration's own nixpkgs, for
// this machine, and returns its file. The attribute names the package; what tells
// people.
func (b *Build) Tool(ctx context.Context, what, attribute, program string) (file string, err error) {
	var took time.Duration
	_, err = step(b, "getting", what+" from the configuration's nixpkgs", &took, func() (Got, error) {
		tool, err := nixos.FindTool(ctx, b.nix, b.named(0), attribute, program)
		if err != nil {
			return Got{}, err
		}
		if err := b.protect(); err != nil {
			return Got{}, err
		}
		file = b.store.PhysicalPath(tool.Path)
		_, err = b.nix.Realise(ctx, []nix.Target{tool.Target}, b.roots.Link(attribute))
		return Got{what}, err
	})
	return file, err
}

// named is what the user named for the n-th system of the plan, with the name of its configuration.
func (b *Build) named(n int) installable.Installable {
	of := b.installables[n]
	of.Name = b.plan.Systems()[n].Name
	return of
}
