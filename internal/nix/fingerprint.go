package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fingerprint is what a pure evaluation of a flake is known again by.
type Fingerprint struct {
	Seen     []string        // all that decides about the result, beside the function; nil: nobody knows
	Metadata json.RawMessage // of the flake, as "nix flake metadata" has them; a part of it
}

// Fingerprint identifies all that a pure evaluation of a flake can see: the flake and its inputs as
// they are locked or, in a work tree with changes, as they are now; the flags, the version of Nix, and
// where the store is. Evaluations of one function with one fingerprint have one result, as Nix' own
// evaluation cache has it, too (src/libexpr/eval-cache.hh of Nix 2.8 to 2.35).
//
// It is empty where an evaluation can see more, as with --impure, and where that a
// derivation is still there could not be told, in stores that are elsewhere.
func (n *Nix) Fingerprint(ctx context.Context, ref string) (Fingerprint, error) {
	var unknown Fingerprint
	s, err := n.stores(ctx)
	if err != nil {
		return unknown, err
	}
	settings, err := n.config(ctx)
	if err != nil {
		return unknown, err
	}
	accept, err := n.acceptsFlakeConfig(ctx)
	if err != nil {
		return unknown, err
	}
	flags := n.options.Flags.Eval
	if s.remote || s.eval != "" || !settings.pureEval || slices.Contains(flags, "--impure") || slices.Contains(flags, "--include") {
		return unknown, nil
	}
	in, err := n.Store(ctx)
	if err != nil {
		return unknown, err
	}
	var raw json.RawMessage
	if err := n.Metadata(ctx, ref, &raw); err != nil {
		var failed *Error
		if errors.As(err, &failed) {
			return unknown, nil // the evaluation says it better
		}
		return unknown, err
	}
	var metadata struct {
		Path   string // with a sum of the content in its name
		Locked struct{ NarHash, Rev string }
	}
	if err := json.Unmarshal(raw, &metadata); err != nil {
		return unknown, fmt.Errorf("reading the metadata of the flake: %w", err)
	}
	if metadata.Locked.NarHash == "" && metadata.Locked.Rev == "" && !strings.HasPrefix(metadata.Path, in.dir+"/") {
		return unknown, nil // nothing by which the content would be known again
	}
	seen := []string{n.Version.String(), in.dir, in.real, fmt.Sprint(accept), fmt.Sprintf("%q", flags), string(raw)}
	return Fingerprint{seen, raw}, nil
}
