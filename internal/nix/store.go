package nix

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/storefs"
)

// Store says where the files of the Nix store are. Nix prints logical paths
// like /nix/store/…-name even if the store is elsewhere.
type Store struct {
	dir  string // logical, "/nix/store"
	real string // where it is
}

// PhysicalPath returns the file name of a store path, or of a file below one.
func (s Store) PhysicalPath(path string) string {
	if rest, ok := strings.CutPrefix(path, s.dir); ok && (rest == "" || rest[0] == '/') {
		return s.real + rest
	}
	return path
}

// Folder is where it is.
func (s Store) Folder() string { return s.real }

// Files are the files of store paths.
func (s Store) Files(paths []string) (*storefs.FS, error) {
	return storefs.New(s.dir, s.real, paths)
}

// Files returns the files of a closure, and of further paths that were built, with all
// that those refer to. What else is in the store of this machine is closed.
func (n *Nix) Files(ctx context.Context, closure *store.Closure, built []string) (*storefs.FS, error) {
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	in, err := n.Store(ctx)
	if err != nil {
		return nil, err
	}
	var paths, beside []string
	known := map[string]bool{}
	for _, p := range closure.Paths {
		paths = append(paths, p.Path)
		known[p.Path] = true
	}
	for _, p := range built {
		if !known[p] {
			beside = append(beside, p)
		}
	}
	further, err := n.requisites(ctx, s.read(), beside, "--include-outputs")
	if err != nil {
		return nil, err
	}
	return in.Files(append(paths, further...))
}

// RemoteStoreError reports a store that neither builds nor has its files on this
// machine: a cache.
type RemoteStoreError struct{ URL string }

func (e *RemoteStoreError) Error() string {
	return fmt.Sprintf("the Nix store %s is not on this machine, and does not build", e.URL)
}

// StoreAt returns the store with that root folder, an absolute path, which
// Nix takes as --store ROOT.
func StoreAt(root string) Store {
	const dir = "/nix/store"
	return Store{dir: dir, real: filepath.Join(root, dir)}
}

// Store returns the store that has the files of what is built. If that is built on
// another machine it is the one that they are copied to. It returns a
// *RemoteStoreError if there is none.
func (n *Nix) Store(ctx context.Context) (Store, error) {
	s, err := n.stores(ctx)
	if err != nil {
		return Store{}, err
	}
	if s.remote {
		return parseStore(s.eval, n.options.defaultStore())
	}
	return parseStore(s.build, n.options.defaultStore())
}

// surroundings is what decides about the store beside its URL.
type surroundings struct {
	storeDir string // logical
	chroot   string // root of the store if Nix falls back to one, or empty
}

// defaultStore looks for what Nix looks for. Without /nix and root rights, Nix
// from 2.10 uses a store in the home directory (openStore in store-api.cc).
func (o Options) defaultStore() surroundings {
	storeDir := o.getenv("NIX_STORE_DIR")
	s := surroundings{storeDir: storeDir}
	if s.storeDir == "" {
		s.storeDir = "/nix/store"
	}
	if storeDir == "" && o.getenv("NIX_STATE_DIR") == "" && os.Getuid() != 0 && !exists("/nix/var/nix") {
		data := o.getenv("XDG_DATA_HOME")
		if data == "" {
			data = filepath.Join(o.getenv("HOME"), ".local", "share")
		}
		s.chroot = filepath.Join(data, "nix", "root")
	}
	return s
}

// parseStore reads a store URL as Nix does: "auto", "daemon", "local", a
// folder, or one of the schemes, with parameters after a question mark.
func parseStore(text string, host surroundings) (Store, error) {
	location, query, _ := strings.Cut(text, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return Store{}, fmt.Errorf("reading the store URL %q: %w", text, err)
	}
	root := params.Get("root")
	scheme, rest, hasScheme := strings.Cut(location, "://")
	switch {
	case location == "" || location == "auto":
		if root == "" {
			root = host.chroot
		}
	case location == "daemon" || location == "local":
	case hasScheme && scheme == "unix":
	case hasScheme && (scheme == "local" || scheme == "local-overlay" || scheme == "daemon" || scheme == "auto"):
		if rest != "" {
			root = rest
		}
	case !hasScheme && strings.Contains(location, "/"):
		if root, err = filepath.Abs(location); err != nil {
			return Store{}, fmt.Errorf("finding the store %q: %w", text, err)
		}
	default:
		return Store{}, &RemoteStoreError{URL: text}
	}
	dir := params.Get("store")
	if dir == "" {
		dir = host.storeDir
	}
	real := params.Get("real")
	if real == "" {
		real = filepath.Join(root, dir)
	}
	return Store{dir: dir, real: real}, nil
}

// settings are those of Nix's settings that matter here.
type settings struct {
	store             string
	acceptFlakeConfig bool
	pureEval          bool

	system         string
	extraPlatforms []string
	builders       string // machines, or a file with them; see the package builders
	sandbox        bool   // "relaxed" is true, too: few derivations ask for it
	sandboxPaths   []string
	trustedUsers   []string // of the daemon
	substituters   []string // URLs
}

// config asks Nix for its settings, of which NIX_REMOTE, the configuration
// files and the user's flags are the sources.
func (n *Nix) config(ctx context.Context) (settings, error) {
	if n.settings != nil {
		return *n.settings, nil
	}
	read := func(command ...string) (map[string]struct{ Value any }, error) {
		var all map[string]struct{ Value any }
		args := slices.Concat(features, n.options.Flags.Store, command, []string{"--json", "--log-format", "internal-json"})
		return all, n.evalJSON(ctx, n.silent(), args, &all)
	}
	all, err := read("config", "show")
	var failed *Error
	// "nix config show" came in 2.20; the older name of it is deprecated since.
	if errors.As(err, &failed) && strings.Contains(failed.Message, "is not a recognised command") {
		all, err = read("show-config")
	}
	if err != nil {
		return settings{}, fmt.Errorf("reading the settings of Nix: %w", err)
	}
	var s settings
	s.store, _ = all["store"].Value.(string)
	s.acceptFlakeConfig, _ = all["accept-flake-config"].Value.(bool)
	s.pureEval = fmt.Sprint(all["pure-eval"].Value) == "true"
	s.system, _ = all["system"].Value.(string)
	s.extraPlatforms = words(all["extra-platforms"].Value)
	s.builders, _ = all["builders"].Value.(string)
	s.sandbox = fmt.Sprint(all["sandbox"].Value) != "false"
	s.sandboxPaths = words(all["sandbox-paths"].Value)
	s.trustedUsers = words(all["trusted-users"].Value)
	s.substituters = words(all["substituters"].Value)
	n.settings = &s
	return s, nil
}

// words are a setting that is a list of strings.
func words(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, w := range list {
		all = append(all, fmt.Sprint(w))
	}
	return all
}

// acceptsFlakeConfig reports whether the user trusts the flake's settings, by
// flag or by configuration.
func (n *Nix) acceptsFlakeConfig(ctx context.Context) (bool, error) {
	if n.options.Flags.acceptFlakeConfig {
		return true, nil
	}
	s, err := n.config(ctx)
	return s.acceptFlakeConfig, err
}
