package nix

import (
	"context"
	"slices"
)

// Setup is how Nix is set up here, as far as it decides what works and how fast.
type Setup struct {
	Store        string   // URL of the store that things are built in
	Substituters []string // URLs of the caches that are asked, in that order
	Trusted      bool     // this user's settings count: no daemon is between, or it trusts the user
}

// Setup reads the settings.
func (n *Nix) Setup(ctx context.Context) (Setup, error) {
	s, err := n.config(ctx)
	return Setup{s.store, slices.Clone(s.substituters), n.mayChangeSettings(s)}, err
}

// Reach connects to a store, which may be a cache, and finds out that it is one. What
// Nix remembers of caches it has asked before does not count: its own cache is in the
// empty folder scratch. Errors that Nix reports are of type *Error.
func (n *Nix) Reach(ctx context.Context, url, scratch string) error {
	options := n.silent()
	// The name of the folder's variable was another one before 2.24. Nobody is asked
	// for a password.
	options.Env = append(slices.Clone(options.Env), "XDG_CACHE_HOME="+scratch, "NIX_CACHE_HOME="+scratch,
		"NIX_SSHOPTS="+n.options.getenv("NIX_SSHOPTS")+" -o BatchMode=yes -o ConnectTimeout=5")
	// "nix store info" is the name since 2.19, and this one still works.
	args := slices.Concat(features, []string{"store", "ping", "--log-format", "internal-json"}, n.options.Flags.Store,
		[]string{"--option", "connect-timeout", "5", "--option", "stalled-download-timeout", "5", "--option", "download-attempts", "1", "--store", url})
	o, err := options.command(Querying, n.nix, args).run(ctx)
	if err == nil && !o.success() {
		err = n.failure(o)
	}
	return err
}
