package nixos

import (
	"context"
	"fmt"
	"path"

	"github.com/livebuild/livebuild/internal/nix"
)

// Tool is a program of the nixpkgs that a configuration is made of, for this machine.
type Tool struct {
	Target nix.Target // what has to be realised
	Path   string     // of the program, once it is
}

// FindTool evaluates the package that has a program in its folder bin. Of must name its
// configuration.
func FindTool(ctx context.Context, n Evaluator, of nix.Installable, attribute, program string) (Tool, error) {
	function := fmt.Sprintf(`configurations:
		let
		  pkgs = configurations.${%s}.pkgs;
		  machine = %s;
		  packages =
		    if (pkgs.stdenv.buildPlatform.system or machine) == machine || !(pkgs ? path) then
		      pkgs.buildPackages or pkgs
		    else
		      import pkgs.path { system = machine; config = { }; overlays = pkgs.overlays or [ ]; };
		  package = packages.${%s};
		in
		{ drv = package.drvPath; out = package.outPath; output = package.outputName or "out"; }`,
		nix.Quote(of.Name), nix.Quote(nix.Machine()), nix.Quote(attribute))
	var found struct{ Drv, Out, Output string }
	var err error
	if of.File != "" {
		err = n.EvalExpression(ctx, "("+function+") ("+configurations(of)+")", &found)
	} else {
		_, err = n.Eval(ctx, of.Ref, nix.Configurations, function, &found)
	}
	if err != nil {
		return Tool{}, err
	}
	return Tool{
		Target: nix.Target{Path: found.Drv, Outputs: []string{found.Output}},
		Path:   path.Join(found.Out, "bin", program),
	}, nil
}
