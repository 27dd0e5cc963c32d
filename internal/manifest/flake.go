package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Flake is what a reference to a flake stood for.
type Flake struct {
	Source
	Attribute string `json:"attribute"` // "nixosConfigurations.NAME"
	// Inputs are all that the lock names, those of inputs, too, by their names there.
	Inputs []Input `json:"inputs"`
}

// Input is one of a flake.
type Input struct {
	Name string `json:"name"` // of the node in the lock file
	Source
}

// Source is a tree of files at one time.
type Source struct {
	// Reference is a flake reference that means these files for ever. It is empty if they
	// are had from a folder or a repository of one machine alone.
	Reference string `json:"reference,omitempty"`
	// Revision is the commit; empty if the files are those of none, as of a work tree with
	// changes: then NarHash alone tells them from others.
	Revision string `json:"revision,omitempty"`
	NarHash  string `json:"nar_hash,omitempty"` // of the files
	Folder   string `json:"folder,omitempty"`   // of the flake in them; empty: the whole
}

// locked are the attributes of a locked reference that tell where files are had from
// (Nix manual, "nix flake", "Flake references"). All else is of no use or a time.
type locked struct {
	Type       string `json:"type"`
	Owner      string `json:"owner"`
	Repo       string `json:"repo"`
	Host       string `json:"host"`
	URL        string `json:"url"`
	Rev        string `json:"rev"`
	Ref        string `json:"ref"`
	Dir        string `json:"dir"`
	NarHash    string `json:"narHash"`
	Submodules bool   `json:"submodules"`
	LFS        bool   `json:"lfs"`
	ExportIgn  bool   `json:"exportIgnore"`
}

// ParseFlake reads what 'nix flake metadata --json' says of the flake that an attribute is
// of, in any version of Nix since 2.8.
func ParseFlake(metadata []byte, attribute string) (*Flake, error) {
	var said struct {
		Locked locked `json:"locked"`
		Locks  struct {
			Root  string `json:"root"`
			Nodes map[string]struct {
				Locked *locked `json:"locked"`
			} `json:"nodes"`
		} `json:"locks"`
	}
	if err := json.Unmarshal(metadata, &said); err != nil {
		return nil, fmt.Errorf("reading the metadata of the flake: %w", err)
	}
	f := &Flake{Source: said.Locked.source(), Attribute: attribute}
	for _, name := range slices.Sorted(maps.Keys(said.Locks.Nodes)) {
		if node := said.Locks.Nodes[name]; name != said.Locks.Root && node.Locked != nil {
			f.Inputs = append(f.Inputs, Input{name, node.Locked.source()})
		}
	}
	return f, nil
}

func (l locked) source() Source {
	return Source{Reference: l.reference(), Revision: l.Rev, NarHash: l.NarHash, Folder: l.Dir}
}

// reference is the URL of what can be had from anywhere. Nix prints one, too, but in each
// version another.
func (l locked) reference() string {
	query := url.Values{}
	if l.Dir != "" {
		query.Set("dir", l.Dir)
	}
	base := ""
	switch l.Type {
	case "github", "gitlab", "sourcehut":
		if l.Rev == "" {
			return ""
		}
		base = fmt.Sprintf("%s:%s/%s/%s", l.Type, l.Owner, l.Repo, l.Rev)
		if l.Host != "" {
			query.Set("host", l.Host)
		}
	case "git", "hg":
		if base = public(l.URL); base == "" || l.Rev == "" {
			return ""
		}
		base = l.Type + "+" + base
		query.Set("rev", l.Rev)
		for name, value := range map[string]string{"ref": l.Ref, "submodules": one(l.Submodules), "lfs": one(l.LFS), "exportIgnore": one(l.ExportIgn)} {
			if value != "" {
				query.Set(name, value)
			}
		}
	case "tarball":
		if base = public(l.URL); base == "" || l.NarHash == "" {
			return ""
		}
		query.Set("narHash", l.NarHash)
	default: // path, and what only a registry knows
		return ""
	}
	if len(query) == 0 {
		return base
	}
	separator := "?"
	if strings.Contains(base, "?") {
		separator = "&"
	}
	return base + separator + query.Encode()
}

func one(set bool) string {
	if set {
		return "1"
	}
	return ""
}

// public returns a URL without what must not be on a medium: passwords and tokens. It is
// empty if the URL means a file of one machine.
func public(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Scheme == "file" || u.Scheme == "path" || u.Host == "" {
		return ""
	}
	if _, secret := u.User.Password(); secret || u.Scheme == "http" || u.Scheme == "https" {
		u.User = nil
	}
	u.Fragment = ""
	return u.String()
}
