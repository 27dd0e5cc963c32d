package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// features turns the experimental commands on for one call of nix.
var features = []string{"--extra-experimental-features", "nix-command flakes"}

// Eval evaluates the function apply, a Nix expression, on the attribute path
// attr of the flake ref, and decodes the result into the value into. The
// derivations whose paths the result contains are written to the store.
//
// Nix writes the lock file of the flake as it always does: a build pins what it
// was made of. If the user accepts the flake's nixConfig, it is returned, for With.
//
// Errors that Nix reports are of type *Error, or *BuildError if something that
// had to be built during the evaluation failed.
func (n *Nix) Eval(ctx context.Context, ref, attr, apply string, into any) (config FlakeConfig, err error) {
	flags, err := n.evalFlags(ctx)
	if err != nil {
		return nil, err
	}
	apply, remove, err := asArgument(apply, pinned)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	args := slices.Concat(features, []string{"eval", "--json", "--log-format", "internal-json", "-v"},
		flags, []string{"--apply", apply, ref + "#" + attr})
	if err := n.evalJSON(ctx, n.options, args, into); err != nil {
		var failed *Error
		if errors.As(err, &failed) {
			failed.explain(ctx, git(n.options.Env), ref)
		}
		return nil, err
	}
	accept, err := n.acceptsFlakeConfig(ctx)
	if err != nil || !accept {
		return nil, err
	}
	return n.readFlakeConfig(ctx, ref)
}

// EvalExpression evaluates an expression, which may read any file and the search
// path, and decodes the result into the value into, otherwise as Eval does.
func (n *Nix) EvalExpression(ctx context.Context, expression string, into any) (err error) {
	flags, err := n.evalFlags(ctx)
	if err != nil {
		return err
	}
	expression, remove, err := asArgument(expression, unpinned)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	args := slices.Concat(features, []string{"eval", "--json", "--log-format", "internal-json", "-v"},
		flags, []string{"--impure", "--expr", expression})
	return n.evalJSON(ctx, n.options, args, into)
}

// evalJSON runs an evaluating nix and decodes its standard output.
func (n *Nix) evalJSON(ctx context.Context, options Options, args []string, into any) error {
	o, err := n.evaluate(ctx, options, args)
	if err != nil {
		return err
	}
	// Nix 2.8 prints half of the JSON before an error, so nothing is read
	// before the exit status is known.
	if !o.success() {
		return n.failure(o)
	}
	if err := json.Unmarshal(o.stdout, into); err != nil {
		return fmt.Errorf("reading the result of the evaluation: %w", err)
	}
	return nil
}

// silent are the options for a question of which nobody is told.
func (n *Nix) silent() Options { return Options{Env: n.options.Env} }

// noCollector turns the garbage collector of the evaluator off. Before 2.24 it
// crashes when it runs inside a coroutine, unless Nix was built with a patched
// collector as distributions often do not (NixOS/nix #4919, #11141).
const noCollector = "GC_DONT_GC=1"

// evaluate runs nix, a second time with the collector off if it crashed.
func (n *Nix) evaluate(ctx context.Context, options Options, args []string) (outcome, error) {
	without := options
	without.Env = append(slices.Clone(options.Env), noCollector)
	if !n.Version.atLeast(2, 24) {
		options = without
	}
	o, err := options.command(Evaluating, n.nix, args).run(ctx)
	if err == nil && o.crashed() && n.Version.atLeast(2, 24) {
		o, err = without.command(Evaluating, n.nix, args).run(ctx)
	}
	return o, err
}

// Metadata decodes what Nix says about a flake and its lock, as JSON, into the value into:
// after an evaluation, of what that was of, unless the files have changed since.
func (n *Nix) Metadata(ctx context.Context, ref string, into any) error {
	flags, err := n.evalFlags(ctx)
	if err != nil {
		return err
	}
	args := slices.Concat(features, []string{"flake", "metadata", "--json", "--log-format", "internal-json"},
		flags, []string{ref})
	if err := n.evalJSON(ctx, n.silent(), args, into); err != nil {
		return fmt.Errorf("reading the metadata of the flake: %w", err)
	}
	return nil
}

// readFlakeConfig returns the nixConfig of the flake as flags for nix-store:
// Nix itself applies it to the evaluating command only.
func (n *Nix) readFlakeConfig(ctx context.Context, ref string) (FlakeConfig, error) {
	var meta struct {
		URL      string `json:"url"`
		Path     string `json:"path"`
		Original struct {
			Dir string `json:"dir"`
		} `json:"original"`
	}
	flags, err := n.evalFlags(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.Metadata(ctx, ref, &meta); err != nil {
		return nil, err
	}
	file := Quote("/" + strings.Trim(meta.Original.Dir+"/flake.nix", "/"))
	var raw json.RawMessage
	read := func(source string) error {
		args := slices.Concat(features, []string{"eval", "--json", "--log-format", "internal-json", "--impure"},
			flags, []string{"--expr", fmt.Sprintf(`(import (%s + %s)).nixConfig or { }`, source, file)})
		return n.evalJSON(ctx, n.silent(), args, &raw)
	}
	// sourceInfo is the root of the source in every version; the flake itself
	// became its own folder in 2.14. With lazy trees the source need not be in
	// the store, so its path is the second choice: getFlake wants a complete
	// lock file.
	err = read(fmt.Sprintf("(builtins.getFlake %s).sourceInfo", Quote(meta.URL)))
	if KindOf(err) == KindLockFile && meta.Path != "" {
		err = read(Quote(meta.Path))
	}
	if err != nil {
		return nil, fmt.Errorf("reading nixConfig of the flake: %w", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // 1000000 must not become 1e+06
	var config map[string]any
	if err := decoder.Decode(&config); err != nil {
		return nil, fmt.Errorf("reading nixConfig of the flake: %w", err)
	}
	return settingFlags(config)
}

// Quote returns s as a string literal of the Nix language.
func Quote(s string) string {
	return `"` + quoter.Replace(s) + `"`
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `${`, `\${`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
