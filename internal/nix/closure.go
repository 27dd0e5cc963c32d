package nix

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
)

// Closure reads the closure of store paths out of the Nix database. That of a
// derivation includes the outputs of all that are in it, as Nix gives it to builders
// (exportReferencesGraph): it can be built again without a network.
func (n *Nix) Closure(ctx context.Context, roots []string) (*store.Closure, error) {
	closure := &store.Closure{}
	if len(roots) == 0 {
		return closure, nil
	}
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := n.requisites(ctx, s.read(), roots, "--include-outputs")
	if err != nil {
		return nil, err
	}
	// Without arguments --dump-db prints the whole database, which Chunk
	// prevents: it has no empty chunks.
	for chunk := range slices.Chunk(paths, argumentPaths) {
		o, err := n.runStoreIn(ctx, s.read(), Querying, []string{"--dump-db"}, chunk)
		if err != nil {
			return nil, err
		}
		paths, err := store.ParseDump(bytes.NewReader(o.stdout))
		if err != nil {
			return nil, fmt.Errorf("reading nix-store --dump-db: %w", err)
		}
		closure.Paths = append(closure.Paths, paths...)
	}
	closure.Sort()
	if err := closure.Check(); err != nil {
		// A path was collected while the database was read.
		return nil, &Error{Kind: KindVanished, Message: err.Error()}
	}
	return closure, nil
}

// Possible returns all store paths that what the derivations make can refer to: the outputs of
// all that they are built from, themselves included, and the sources. Much of it is for building
// alone.
func (n *Nix) Possible(ctx context.Context, derivations []string) ([]string, error) {
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	all, err := n.requisites(ctx, s.eval, derivations)
	if err != nil {
		return nil, err
	}
	var paths, drvs []string
	for _, path := range all {
		if strings.HasSuffix(path, ".drv") {
			drvs = append(drvs, path)
		} else {
			paths = append(paths, path)
		}
	}
	for chunk := range slices.Chunk(drvs, argumentPaths) {
		o, err := n.runStoreIn(ctx, s.eval, Querying, []string{"--query", "--outputs"}, chunk)
		if err != nil {
			return nil, err
		}
		paths = append(paths, strings.Fields(string(o.stdout))...)
	}
	return paths, nil
}

// requisites returns the store paths that paths need, themselves included, each once.
func (n *Nix) requisites(ctx context.Context, store string, paths []string, flags ...string) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	for chunk := range slices.Chunk(paths, argumentPaths) {
		o, err := n.runStoreIn(ctx, store, Querying, append([]string{"--query", "--requisites"}, flags...), chunk)
		if err != nil {
			return nil, err
		}
		for _, path := range strings.Fields(string(o.stdout)) {
			if !seen[path] {
				seen[path] = true
				all = append(all, path)
			}
		}
	}
	return all, nil
}
