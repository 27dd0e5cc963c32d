package nixos

import (
	"context"
	"encoding/json"
	"fmt"
	"path"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// Package is what nixpkgs says of a package. What it does not say is empty.
type Package struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Licences []Licence `json:"licences"`
	Homepage string    `json:"homepage"`
	CPE      string    `json:"cpe"` // 2.3, of nixpkgs since 25.11
}

// Licence is one of a package; of several the package is under all, or under any: nixpkgs does not
// say.
type Licence struct {
	SPDX string `json:"spdx"` // identifier; empty: it has none
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Packages evaluates what the configuration's nixpkgs says of store paths, and returns it by their
// base names. Those of which it is not known what package they are have none. Of must name its
// configuration.
func Packages(ctx context.Context, n *nix.Nix, of installable.Installable, paths []string) (map[string]Package, error) {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = path.Base(p)
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	function := fmt.Sprintf("files.meta { name = %s; paths = builtins.fromJSON %s; inherit files; }", nix.Quote(of.Name), nix.Quote(string(list)))
	packages := map[string]Package{}
	_, err = apply(ctx, n, of, function, &packages)
	return packages, err
}
