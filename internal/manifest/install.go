package manifest

import "regexp"

// remote are references that mean the same everywhere, without passwords (Nix manual, "nix
// flake", "Flake references").
var remote = regexp.MustCompile(`^(github|gitlab|sourcehut):[^@]+$|^(git\+|tarball\+)?(https|ssh)://(git@)?[^@/]+/[^@]+$`)

// Install is a system that the medium can install.
type Install struct {
	Name          string `json:"name"` // what it is called on the medium
	Configuration string `json:"configuration"`
	// Own says that it is of the flake of the live system. Otherwise Flake is what it was asked
	// for by, unless that means files of one machine alone.
	Own   bool   `json:"own,omitempty"`
	Flake string `json:"flake,omitempty"`
}

// NewInstall is a system of a flake that was asked for by a reference.
func NewInstall(name, configuration, ref string, own bool) Install {
	i := Install{Name: name, Configuration: configuration, Own: own}
	if !own && remote.MatchString(ref) {
		i.Flake = ref
	}
	return i
}
