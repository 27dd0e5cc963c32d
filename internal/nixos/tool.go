package nixos

import (
	"context"
	"fmt"
	"path"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// Tool is a program of the nixpkgs that a configuration is made of, for this machine.
type Tool struct {
	Target nix.Target // what has to be realised
	Path   string     // of the program, once it is
}

// FindTool evaluates the package that has a program in its folder bin. Of must name its
// configuration.
func FindTool(ctx context.Context, n *nix.Nix, of installable.Installable, attribute, program string) (Tool, error) {
	function := fmt.Sprintf("files.tool { name = %s; attribute = %s; machine = %s; inherit files; }",
		nix.Quote(of.Name), nix.Quote(attribute), nix.Quote(nix.Machine()))
	var found struct{ Drv, Out, Output string }
	if _, err := apply(ctx, n, of, function, &found); err != nil {
		return Tool{}, err
	}
	return Tool{
		Target: nix.Target{Path: found.Drv, Outputs: []string{found.Output}},
		Path:   path.Join(found.Out, "bin", program),
	}, nil
}
