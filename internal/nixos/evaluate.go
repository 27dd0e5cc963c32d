package nixos

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// The evaluation functions, in files by topic, each of which is given all; and scripts of live
// systems, which they are given as text.
//
//go:embed *.nix *.sh
var nixFiles embed.FS

// withFiles returns an expression that can name the files in the set files, without
// their extension.
func withFiles(expression string) string {
	var b strings.Builder
	b.WriteString("let files = {\n")
	names, err := fs.Glob(nixFiles, "*.nix")
	if err != nil {
		panic(err) // of the pattern alone
	}
	for _, name := range names {
		text, err := nixFiles.ReadFile(name)
		if err != nil {
			panic(err) // embedded files can be read
		}
		fmt.Fprintf(&b, "%s = (%s);\n", strings.TrimSuffix(name, ".nix"), text)
	}
	scripts, err := fs.Glob(nixFiles, "*.sh")
	if err != nil {
		panic(err)
	}
	for _, name := range scripts {
		text, err := nixFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "%s = %s;\n", strings.TrimSuffix(name, ".sh"), nix.Quote(string(text)))
	}
	b.WriteString("}; in " + expression)
	return b.String()
}

// apply evaluates a function of a set of configurations, and returns the nixConfig of
// their flake.
func apply(ctx context.Context, n *nix.Nix, of installable.Installable, function string, into any) (nix.FlakeConfig, error) {
	if of.File == "" {
		return n.Eval(ctx, of.Ref, installable.Configurations, withFiles(function), into)
	}
	configurations := fmt.Sprintf("files.classic { file = %s; name = %s; }", pathLiteral(of.File), nix.Quote(of.FileName()))
	var none nix.FlakeConfig
	return none, n.EvalExpression(ctx, withFiles(fmt.Sprintf("(%s) (%s)", function, configurations)), into)
}

// Evaluate asks n once for everything that the configuration says, with the
// changes. What it asks for is written to the store as derivations, and nothing
// is built. Modules of the changes need an evaluation that is not pure.
//
// What a pure evaluation of the same flake said before is taken from known, as long as its
// derivations are still there; warnings that Nix itself printed then are not told again.
//
// Errors that come from the configuration are of type *NoConfigurationError,
// *SeveralConfigurationsError, *NotNixOSError, *NotExtensibleError, *AssertionError,
// *NoISOModuleError, *NoVariantError, *ContentsError, *VolumeIDError, *NameError,
// *InitrdError or *NoStaticError.
func Evaluate(ctx context.Context, n *nix.Nix, of installable.Installable, with Changes, known evalcache.Cache) (*System, error) {
	systems, err := EvaluateAll(ctx, n, []installable.Installable{of}, with, known)
	if err != nil {
		return nil, err
	}
	return systems[0], nil
}

// evaluateNames is Evaluate of some configurations of one flake or file, in one evaluation.
func evaluateNames(ctx context.Context, n *nix.Nix, of installable.Installable, names []string, with Changes, known evalcache.Cache) ([]*System, error) {
	machine, err := n.BuildMachine(ctx)
	if err != nil {
		return nil, err
	}
	function, err := function(of, names, machine, with)
	if err != nil {
		return nil, err
	}
	m := memory{nix: n, ref: of.Ref, function: function, cache: known}
	if of.File != "" || len(with.Modules) > 0 {
		m.cache = evalcache.Cache{}
	}
	if systems, err := m.recall(ctx, len(names)); err != nil || systems != nil {
		return systems, err
	}
	var results []struct {
		Error  *refusal        `json:"error"`
		System json.RawMessage `json:"system"`
	}
	config, err := apply(ctx, n, of, function, &results)
	if err != nil {
		return nil, err
	}
	said := answer{FlakeConfig: config}
	for i, result := range results {
		if result.Error != nil {
			err := result.Error.typed(names[i], with.Variant)
			if several, ok := errors.AsType[*SeveralConfigurationsError](err); ok && names[i] == "" {
				several.Of = source(of)
			}
			return nil, err
		}
		said.Systems = append(said.Systems, result.System)
	}
	systems, err := said.read()
	if err != nil {
		return nil, err
	}
	return systems, m.keep(ctx, said, systems)
}

// function returns the function to apply to a set of configurations.
func function(of installable.Installable, names []string, machine string, with Changes) (string, error) {
	sharedID := with.sharedVolumeID
	with.sharedVolumeID = ""
	changes, err := with.settings(of)
	if err != nil {
		return "", err
	}
	var modules, list strings.Builder
	for _, file := range with.Modules {
		modules.WriteString(" (" + pathLiteral(file) + ")")
	}
	for _, name := range names {
		list.WriteString(" " + orNull(name))
	}
	return fmt.Sprintf(`files.several {
  names = [%s ];
  volumeID = %s;
  arguments = {
    modules = [%s ];
    changes = builtins.fromJSON %s;
    extend = %t;
    form = %s;
    variant = %s;
    machine = %s;
    inherit files;
  };
  inherit files;
}`, &list, orNull(sharedID), &modules, nix.Quote(changes), !with.NoLive, nix.Quote(string(cmp.Or(with.Form, ISO))), orNull(with.Variant), orNull(machine)), nil
}

// orNull returns a string literal, or null for the empty string.
func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return nix.Quote(text)
}

// pathLiteral is an expression for a file: an absolute path, or a name in angle
// brackets that Nix looks up in its search path.
func pathLiteral(file string) string {
	if installable.IsSearchPath(file) {
		return file
	}
	return "/. + " + nix.Quote(file)
}

// outputs are the other outputs of flakes that people have images or systems in, as
// "packages.x86_64-linux.iso" (flake-schemas, and what nixos-generators and others
// write).
var outputs = []string{"packages", "legacyPackages", "apps", "checks", "devShells", "hydraJobs", "images",
	"nixosModules", "homeConfigurations", "darwinConfigurations"}

// otherOutput returns the flake output that a name is rather of, or an empty string.
func otherOutput(name string) string {
	output, _, ok := strings.Cut(name, ".")
	if ok && slices.Contains(outputs, output) {
		return output
	}
	return ""
}

// refusal is the error of eval.nix. Its kinds are named there.
type refusal struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Names    []string `json:"names"`
	Found    string   `json:"found"`
	Reason   string   `json:"reason"`
	Messages []string `json:"messages"`
	Targets  []string `json:"targets"`
}

func (r *refusal) typed(asked, variant string) error {
	switch r.Kind {
	case "none":
		return &NoConfigurationError{Name: asked}
	case "missing":
		if r.Name != "" { // that of a system to be installed
			asked = r.Name
		}
		names := nearest(asked, r.Names)
		return &NoConfigurationError{Name: asked, Names: names, Near: isNear(asked, names[0]), Output: otherOutput(asked)}
	case "no-variant":
		return &NoVariantError{Name: r.Name, Variant: variant, Variants: r.Names}
	case "several":
		return &SeveralConfigurationsError{Names: r.Names}
	case "not-nixos":
		return &NotNixOSError{Name: r.Name, Found: r.Found}
	case "not-extensible":
		return &NotExtensibleError{Name: r.Name, Missing: r.Reason == "iso-module", FromMemory: r.Reason == string(Netboot) || r.Reason == string(Kexec)}
	case "assertions":
		return &AssertionError{Name: r.Name, Messages: r.Messages}
	case "install-live":
		return &TargetError{r.Name, TargetIsLive, "is a live system, which no disk has"}
	case "no-iso-module":
		return &NoISOModuleError{Name: r.Name}
	case "no-static":
		return &NoStaticError{Name: r.Name, Packages: r.Names}
	case "contents":
		return &ContentsError{Name: r.Name, Targets: r.Targets}
	}
	return fmt.Errorf("evaluation answered with the unknown error kind %q", r.Kind)
}

// Names asks for the names of the configurations of a flake or a file, and evaluates none of them.
func Names(ctx context.Context, n *nix.Nix, of installable.Installable) (names []string, err error) {
	_, err = apply(ctx, n, of, "builtins.attrNames", &names)
	return names, err
}
