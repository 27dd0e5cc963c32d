package nix

import (
	"context"
	"slices"
	"strings"
)

// stores are those that an image goes through. Mostly all are one: Nix evaluates,
// builds, and is read in the same store.
type stores struct {
	// build is the URL of the store that things are built in.
	build string
	// remote tells that its files are not on this machine. What is built is then
	// copied to eval.
	remote bool
	// eval is the URL of the store that the evaluation writes to, or empty for the
	// same as build.
	eval string
}

// localStore is the store of this machine, whatever the settings say.
const localStore = "auto"

func (n *Nix) stores(ctx context.Context) (stores, error) {
	settings, err := n.config(ctx)
	if err != nil {
		return stores{}, err
	}
	s := stores{build: settings.store, eval: n.options.Flags.evalStore, remote: buildsElsewhere(settings.store)}
	// The evaluator reads what it has written.
	if s.remote && s.eval == "" {
		s.eval = localStore
	}
	return s, nil
}

// buildsElsewhere reports whether the store is another machine that builds. The
// older ssh:// does not answer what building asks ("not supported by store").
func buildsElsewhere(url string) bool { return strings.HasPrefix(url, "ssh-ng://") }

// read is the URL of the store whose files are read, or empty for the one that
// Nix uses anyway.
func (s stores) read() string {
	if s.remote {
		return s.eval
	}
	return ""
}

// evalFlags are the user's flags for the evaluating nix.
func (n *Nix) evalFlags(ctx context.Context) ([]string, error) {
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	if s.eval != "" && n.options.Flags.evalStore == "" {
		return append(slices.Clone(n.options.Flags.Eval), "--eval-store", s.eval), nil
	}
	return n.options.Flags.Eval, nil
}

// deliver copies targets from where they were evaluated to where they are built.
func (n *Nix) deliver(ctx context.Context, targets []Target) error {
	s, err := n.stores(ctx)
	if err != nil || s.eval == "" {
		return err
	}
	var derivations, sources []string
	for _, t := range targets {
		if strings.HasSuffix(t.Path, ".drv") {
			derivations = append(derivations, t.Path)
		} else {
			sources = append(sources, t.Path)
		}
	}
	// Before 2.15 a derivation stands for its outputs.
	if err := n.copyPaths(ctx, s.eval, s.build, derivations, "--derivation"); err != nil {
		return err
	}
	return n.copyPaths(ctx, s.eval, s.build, sources)
}

// copyPaths copies the closures of paths from one store to another. They need no
// signature: both stores are the user's.
func (n *Nix) copyPaths(ctx context.Context, from, to string, paths []string, flags ...string) error {
	for chunk := range slices.Chunk(paths, argumentPaths) {
		args := slices.Concat(features, []string{"copy", "--no-check-sigs", "--log-format", "internal-json"},
			flags, n.options.Flags.Store, []string{"--from", from, "--to", to}, chunk)
		var o outcome
		for attempt := 0; attempt == 0 || o.crashed() && attempt < copyAttempts; attempt++ {
			var err error
			o, err = n.options.command(Building, n.nix, args).run(ctx)
			if err != nil {
				return err
			}
		}
		if !o.success() {
			return n.failure(o)
		}
	}
	return nil
}

// copyAttempts is how often copying is begun. Nix 2.26.3 crashes now and then when
// several paths come from ssh-ng:// at a time; what has been copied stays.
const copyAttempts = 3

// BuildDependencies returns everything that the derivations are built from, as
// targets: all outputs of all derivations that they depend on, themselves included.
func (n *Nix) BuildDependencies(ctx context.Context, derivations []string) ([]Target, error) {
	if len(derivations) == 0 {
		return nil, nil
	}
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := n.requisites(ctx, s.eval, derivations)
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, path := range paths {
		if strings.HasSuffix(path, ".drv") {
			targets = append(targets, Target{Path: path})
		}
	}
	return targets, nil
}
