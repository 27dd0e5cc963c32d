package nixos

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/nix"
)

// answer is what an evaluation said, of each configuration that it was asked for.
type answer struct {
	Systems     []json.RawMessage `json:"systems"`
	FlakeConfig nix.FlakeConfig   `json:"flakeConfig"`
}

func (a answer) read() ([]*System, error) {
	var systems []*System
	for _, text := range a.Systems {
		system := new(System)
		if err := json.Unmarshal(text, system); err != nil {
			return nil, err
		}
		if len(system.Configurations) == 0 {
			return nil, errors.New("the result of the evaluation has no configuration")
		}
		system.FlakeConfig = a.FlakeConfig
		if err := system.check(); err != nil {
			return nil, err
		}
		systems = append(systems, system)
	}
	return systems, nil
}

// memory is what is known of an evaluation before it is done.
type memory struct {
	nix      *nix.Nix
	ref      string // of the flake
	function string // that is applied to its configurations, in which files can be named
	cache    evalcache.Cache

	key      string          // after recall; empty if nothing is to be remembered
	metadata json.RawMessage // of the flake then
}

// recall returns what the evaluation said before, of so many configurations, or nil.
func (m *memory) recall(ctx context.Context, count int) ([]*System, error) {
	if m.cache == (evalcache.Cache{}) {
		return nil, nil
	}
	var err error
	if m.key, m.metadata, err = m.now(ctx); err != nil || m.key == "" {
		return nil, err
	}
	var before answer
	if json.Unmarshal(m.cache.Get(m.key), &before) != nil {
		return nil, nil
	}
	systems, err := before.read()
	if err != nil || len(systems) != count {
		return nil, nil // what nobody wrote so
	}
	for _, system := range systems {
		system.Known, system.Metadata = true, m.metadata
		there, err := m.there(ctx, system)
		if err != nil || !there {
			return nil, err
		}
	}
	return systems, nil
}

// now is the key of what would be evaluated, or empty, and the metadata of its flake.
func (m *memory) now(ctx context.Context) (string, json.RawMessage, error) {
	print, err := m.nix.Fingerprint(ctx, m.ref)
	if err != nil || print.Seen == nil {
		return "", nil, err
	}
	return evalcache.Key(append(print.Seen, withFiles(m.function))...), print.Metadata, nil
}

// keep remembers what the evaluation said, unless the flake has changed meanwhile: then nobody knows
// what was evaluated.
func (m *memory) keep(ctx context.Context, said answer, systems []*System) error {
	if m.key == "" {
		return nil
	}
	key, _, err := m.now(ctx)
	if err != nil || key != m.key {
		return err
	}
	for _, system := range systems {
		system.Metadata = m.metadata
	}
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	// A full disk or a folder of another user's is no reason to do without the image.
	_ = m.cache.Put(key, text)
	return nil
}

// there reports whether the derivations and sources that a system names are still in the store. Nothing
// protects them from the garbage collector, now as after an evaluation.
func (m *memory) there(ctx context.Context, s *System) (bool, error) {
	store, err := m.nix.Store(ctx)
	if err != nil {
		return false, err
	}
	paths := slices.Concat(slices.Collect(maps.Keys(s.Realise)), s.Sources)
	for _, t := range s.Install {
		paths = append(paths, slices.Collect(maps.Keys(t.Realise))...)
	}
	for _, root := range s.StoreContents {
		if strings.HasSuffix(root, ".drv") {
			paths = append(paths, root)
		}
	}
	for _, path := range paths {
		switch _, err := os.Lstat(store.PhysicalPath(path)); {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}
