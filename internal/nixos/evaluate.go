package nixos

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/livebuild/livebuild/internal/nix"
)

// An Evaluator applies a Nix function, given as an expression, to an attribute
// of a flake, and decodes the JSON result. *nix.Nix is one.
type Evaluator interface {
	Eval(ctx context.Context, ref, attr, apply string, into any) error
}

//go:embed eval.nix
var evalFunction string

// Evaluate asks n once for everything that the configuration says. What it
// asks for is written to the store as derivations, and nothing is built.
//
// Errors that come from the configuration are of type *NoSuchConfiguration,
// *SeveralConfigurations, *NotNixOS, *AssertionError, *NoISOModule,
// *ContentsError, *VolumeIDError, *NameError or *InitrdError.
func Evaluate(ctx context.Context, n Evaluator, of nix.Installable) (*System, error) {
	var result struct {
		Error  *refusal `json:"error"`
		System *System  `json:"system"`
	}
	if err := n.Eval(ctx, of.Ref, nix.Configurations, expression(of.Name), &result); err != nil {
		return nil, err
	}
	switch {
	case result.Error != nil:
		return nil, result.Error.typed(of.Name)
	case result.System == nil || len(result.System.Configurations) == 0:
		return nil, fmt.Errorf("evaluating %s: the result has no configuration", of)
	}
	if err := result.System.check(); err != nil {
		return nil, err
	}
	return result.System, nil
}

// expression returns the function to apply to the set of configurations.
func expression(name string) string {
	literal := "null"
	if name != "" {
		literal = nix.Quote(name)
	}
	return "(" + evalFunction + ") { name = " + literal + "; }"
}

// refusal is the error of eval.nix. Its kinds are named there.
type refusal struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Names    []string `json:"names"`
	Found    string   `json:"found"`
	Messages []string `json:"messages"`
	Targets  []string `json:"targets"`
}

func (r *refusal) typed(asked string) error {
	switch r.Kind {
	case "none":
		return &NoSuchConfiguration{Name: asked}
	case "missing":
		return &NoSuchConfiguration{Name: asked, Names: nearest(asked, r.Names)}
	case "several":
		return &SeveralConfigurations{Names: r.Names}
	case "not-nixos":
		return &NotNixOS{Name: r.Name, Found: r.Found}
	case "assertions":
		return &AssertionError{Name: r.Name, Messages: r.Messages}
	case "no-iso-module":
		return &NoISOModule{Name: r.Name}
	case "contents":
		return &ContentsError{Name: r.Name, Targets: r.Targets}
	}
	return fmt.Errorf("evaluation answered with the unknown error kind %q", r.Kind)
}
