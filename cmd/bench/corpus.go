package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/readback"
	"github.com/livebuild/livebuild/internal/store"
)

// corpus is a store made by corpus.sh, in two variants.
type corpus struct {
	key   string // changes with the list of packages and with corpus.sh
	about string // lines about its size
	dir   string
	a, b  variant
}

// variant is a closure in the store of the corpus.
type variant struct {
	name         string // "a" or "b"
	sources      image.Sources
	closure      string // file with the closure, for loadSources
	registration string // file with the registration
}

var corpusKey = regexp.MustCompile(`(?m)^corpus (\d+)$`)

// openCorpus reads both closures out of the Nix database, and writes what the
// packers read of them.
func openCorpus(ctx context.Context, dir string) (*corpus, error) {
	readme, err := os.ReadFile(filepath.Join(dir, "README"))
	if err != nil {
		return nil, err
	}
	key := corpusKey.FindSubmatch(readme)
	if key == nil {
		return nil, fmt.Errorf("%s/README has no key", dir)
	}
	c := &corpus{key: string(key[1]), dir: dir}
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "a.paths: ") {
			c.about = strings.TrimSpace(strings.TrimPrefix(line, "a.paths: "))
		}
	}
	flags, _, err := nix.ParseFlags([]string{"--store", c.store()})
	if err != nil {
		return nil, err
	}
	n, err := nix.Find(ctx, nix.Options{Env: os.Environ(), Flags: flags})
	if err != nil {
		return nil, err
	}
	if c.a, err = c.openVariant(ctx, n, "a"); err != nil {
		return nil, err
	}
	c.b, err = c.openVariant(ctx, n, "b")
	return c, err
}

func (c *corpus) store() string { return filepath.Join(c.dir, "store") }

func (c *corpus) openVariant(ctx context.Context, n *nix.Nix, name string) (variant, error) {
	v := variant{
		name:         name,
		closure:      filepath.Join(c.dir, name+".closure.json"),
		registration: filepath.Join(c.dir, name, medium.Registration),
	}
	list, err := os.ReadFile(filepath.Join(c.dir, name+".paths"))
	if err != nil {
		return v, err
	}
	store, err := n.Store(ctx)
	if err != nil {
		return v, err
	}
	closure, err := n.Closure(ctx, strings.Fields(string(list)))
	if err != nil {
		return v, err
	}
	if v.sources, err = sourcesOf(store, closure); err != nil {
		return v, err
	}
	text, err := json.Marshal(closure)
	if err != nil {
		return v, err
	}
	if err := os.WriteFile(v.closure, text, 0o644); err != nil {
		return v, err
	}
	if err := os.MkdirAll(filepath.Dir(v.registration), 0o755); err != nil {
		return v, err
	}
	f, err := os.OpenFile(v.registration, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o444)
	if err != nil {
		return v, err
	}
	return v, errors.Join(closure.WriteRegistration(f), f.Close())
}

// loadSources is what the child that packs a variant starts from: Nix was
// asked before, so that its time and memory are not counted.
func loadSources(folder, closureFile string) (image.Sources, error) {
	text, err := os.ReadFile(closureFile)
	if err != nil {
		return image.Sources{}, err
	}
	closure := &store.Closure{}
	if err := json.Unmarshal(text, closure); err != nil {
		return image.Sources{}, fmt.Errorf("%s: %w", closureFile, err)
	}
	return sourcesOf(nix.StoreAt(folder), closure)
}

// sourcesOf are what a closure is packed from.
func sourcesOf(in nix.Store, closure *store.Closure) (image.Sources, error) {
	paths := make([]string, len(closure.Paths))
	for i, info := range closure.Paths {
		paths[i] = info.Path
	}
	files, err := in.Files(paths)
	return image.Sources{Files: files, Closure: closure}, err
}

// files are the roots of the variant's tree: the registration and the store
// paths.
func (v variant) files() ([]string, error) {
	files := []string{v.registration}
	for _, info := range v.sources.Closure.Paths {
		place, err := v.sources.Files.HostPath(info.Path)
		if err != nil {
			return nil, err
		}
		files = append(files, place)
	}
	return files, nil
}

// tree is the variant as an image holds it.
func (v variant) tree() (readback.Tree, error) {
	roots, err := v.files()
	if err != nil {
		return nil, err
	}
	tree := readback.Tree{}
	for _, file := range roots {
		if err := tree.Add(file, filepath.Base(file)); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// read brings the whole variant into the page cache.
func (v variant) read() error {
	buffer := make([]byte, 1<<20)
	roots, err := v.files()
	if err != nil {
		return err
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			for {
				if _, err := f.Read(buffer); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
