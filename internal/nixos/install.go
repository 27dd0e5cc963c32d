package nixos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// Install asks for a system that the medium can install.
type Install struct {
	Of installable.Installable
	As string // what it is called on the medium; empty for the name of its configuration
}

// InstallSource is what the medium has of where an installed system comes from.
type InstallSource string

// InstallNothing leaves the installed system without its flake. InstallFlake gives it the flake
// and its inputs, so that it evaluates without a network. InstallRebuild gives it what small changes
// are built of, too.
const (
	InstallNothing InstallSource = "none"
	InstallFlake   InstallSource = "flake"
	InstallRebuild InstallSource = "rebuild"
)

// InstallSources are all of them.
var InstallSources = []InstallSource{InstallNothing, InstallFlake, InstallRebuild}

// Target is a system that the medium can install, as install.nix tells of it. It is what
// livebuild-install reads in [Catalog].
type Target struct {
	Name          string `json:"name"`
	Configuration string `json:"configuration"` // the attribute below nixosConfigurations
	Platform      string `json:"platform"`
	System        string `json:"system"` // system.build.toplevel
	Drv           string `json:"drv"`    // that makes it
	HostName      string `json:"hostName"`
	DistroName    string `json:"distroName"`
	Label         string `json:"label"` // system.nixos.label
	StateVersion  string `json:"stateVersion"`

	Loaders []string `json:"loaders"` // that are enabled, as in boot.loader
	// Firmware is what the installed system is started by: "bios", "uefi", or "any".
	Firmware            string   `json:"firmware"`
	TouchesEFIVariables bool     `json:"touchesEFIVariables"`
	GRUBDevices         []string `json:"grubDevices"` // that the configuration itself names
	Login               bool     `json:"login"`       // somebody has a password or a key
	MutableUsers        bool     `json:"mutableUsers"`

	// Disks are those that livebuild-install can lay out; none if it does not know how.
	Disks []TargetDisk `json:"disks"`
	// Disko has the scripts that do it; without them there is one disk, with the file systems
	// that are made by the programs of Tools.
	Disko       *Disko       `json:"disko"`
	Tools       []string     `json:"tools"`
	FileSystems []FileSystem `json:"fileSystems"` // on disks, sorted by mount point
	SwapDevices []string     `json:"swapDevices"`
	Secrets     []string     `json:"secrets"` // files of boot.initrd.secrets

	Roots  []string      `json:"roots"` // store paths that the medium needs for it
	Source *TargetSource `json:"source"`
	// Kit is what small changes of it are built of, as of [InstallRebuild]: store paths, sorted.
	Kit []string `json:"kit,omitempty"`

	Realise map[string][]string `json:"realise,omitempty"` // as of [System]
}

// TargetDisk is a disk as a configuration names it.
type TargetDisk struct {
	Name   string `json:"name"`
	Device string `json:"device"` // that the configuration itself has for it, or empty
}

// Disko has scripts of github:nix-community/disko. Both leave the system mounted at Root.
type Disko struct {
	Format          string   `json:"format"` // deletes what disks hold, and lays them out
	FormatArguments []string `json:"formatArguments,omitempty"`
	Mount           string   `json:"mount"`
	Root            string   `json:"root"`
}

// FileSystem is one of fileSystems.
type FileSystem struct {
	MountPoint string `json:"mountPoint"`
	Device     string `json:"device"`
	FSType     string `json:"fsType"`
}

// TargetSource is the flake of a system.
type TargetSource struct {
	Path  string   `json:"path"`  // of its files in the store
	Dir   string   `json:"dir"`   // of the flake in them; empty for the whole
	Paths []string `json:"paths"` // that and its inputs, theirs, too
}

// TargetError says why a system cannot be installed from a medium.
type TargetError struct {
	Name   string // as it is called on the medium
	Kind   TargetFault
	Reason string
}

// TargetFault is a kind of reason.
type TargetFault int

// A system can be a live one, for another platform than the medium, of a name that another one
// has or that is none, without a flake to take along, or made of what has no store path before it is built.
const (
	TargetIsLive TargetFault = iota
	TargetPlatform
	TargetTwice
	TargetName
	TargetFlake
	TargetKit
)

func (e *TargetError) Error() string {
	return fmt.Sprintf("%q cannot be installed from the medium: it %s", e.Name, e.Reason)
}

// targetName is what the kernel's command line, menus and shells take as one word.
var targetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// settings of eval.nix: those of the flake that the live system is of.
type installSetting struct {
	Name string  `json:"name"`
	As   *string `json:"as"`
}

// from returns which of the systems are of the same flake, or file, as the live one.
func (c Changes) from(of installable.Installable) (same []installSetting) {
	for _, i := range c.Install {
		if !sameFlake(i.Of, of) {
			continue
		}
		same = append(same, i.setting())
	}
	return same
}

func (i Install) setting() installSetting {
	s := installSetting{Name: i.Of.Name}
	if i.As != "" {
		s.As = &i.As
	}
	return s
}

func sameFlake(a, b installable.Installable) bool { return a.Ref == b.Ref && a.File == b.File }

// AddTargets finds out about the systems of the changes that are of other flakes than the live ones,
// and about the flakes of all, and gives them to the live systems that run their programs. Of
// is where those are from, which were evaluated with the same changes. It returns them in the order
// of the changes.
func AddTargets(ctx context.Context, n *nix.Nix, of []installable.Installable, live []*System, with Changes) (targets []Target, err error) {
	own := make([][]Target, len(live))
	for i, s := range live {
		own[i], s.Install, s.OwnContents = s.Install, nil, len(s.StoreContents)
	}
	sources := map[string]*TargetSource{}
	seen := map[string]bool{}
	for _, i := range with.Install {
		var t Target
		from := slices.IndexFunc(of, func(of installable.Installable) bool { return sameFlake(i.Of, of) })
		if from >= 0 && len(own[from]) > 0 {
			t, own[from] = own[from][0], own[from][1:]
		} else if err := evaluateTarget(ctx, n, i, &t); err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, &TargetError{t.Name, TargetTwice, "has the name of another one"}
		}
		seen[t.Name] = true
		if with.InstallSource != InstallNothing {
			source, err := sourceOf(ctx, n, i, sources)
			if err != nil {
				return nil, err
			}
			if t.Source = source; source == nil {
				return nil, &TargetError{t.Name, TargetFlake, "is of a file, and has no flake to take along"}
			}
		}
		if with.InstallSource == InstallRebuild {
			if err := t.addKit(ctx, n); err != nil {
				return nil, err
			}
		}
		if err := addTarget(live, t); err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// addTarget gives a system to the live ones that run its programs.
func addTarget(live []*System, t Target) error {
	added := false
	for _, s := range live {
		if !runsOn(s.Platform, t.Platform) {
			continue
		}
		added = true
		if err := s.add(t); err != nil {
			return err
		}
	}
	if !added {
		return &TargetError{t.Name, TargetPlatform, fmt.Sprintf("is for %s, whose programs the live system, for %s, does not run", t.Platform, live[0].Platform)}
	}
	return nil
}

func evaluateTarget(ctx context.Context, n *nix.Nix, i Install, t *Target) error {
	setting, err := json.Marshal(i.setting())
	if err != nil {
		return err
	}
	var said struct {
		Error   *refusal            `json:"error"`
		Target  *Target             `json:"target"`
		Realise map[string][]string `json:"realise"`
	}
	function := fmt.Sprintf(`configurations: files.install (builtins.fromJSON %s // { inherit configurations; })`, nix.Quote(string(setting)))
	if _, err := apply(ctx, n, i.Of, function, &said); err != nil {
		return err
	}
	if said.Error != nil {
		return said.Error.typed(i.Of.Name, "")
	}
	*t = *said.Target
	t.Realise = said.Realise
	return nil
}

// sourcesOf is the store paths of a flake and of all inputs that its lock names, those of inputs,
// too: itself first.
const sourcesOf = `let
  node = flake: rec {
    inherit flake;
    key = "${flake.sourceInfo.outPath or flake.outPath}";
  };
in
map (n: n.key) (builtins.genericClosure {
  startSet = [ (node (builtins.getFlake %s)) ];
  operator = n: map node (builtins.attrValues (n.flake.inputs or { }));
})`

// sourceOf is the flake of a system, in the store, or nil of one that is of a file.
func sourceOf(ctx context.Context, n *nix.Nix, i Install, known map[string]*TargetSource) (*TargetSource, error) {
	if i.Of.File != "" {
		return nil, nil
	}
	if source, ok := known[i.Of.Ref]; ok {
		return source, nil
	}
	var said struct {
		URL      string `json:"url"` // locked
		Resolved struct {
			Dir string `json:"dir"`
		} `json:"resolved"`
	}
	if err := n.Metadata(ctx, i.Of.Ref, &said); err != nil {
		return nil, err
	}
	var paths []string
	if err := n.EvalExpression(ctx, fmt.Sprintf(sourcesOf, nix.Quote(said.URL)), &paths); err != nil {
		return nil, fmt.Errorf("copying the flake and its inputs to the store: %w", err)
	}
	source := &TargetSource{Path: paths[0], Dir: said.Resolved.Dir, Paths: paths}
	known[i.Of.Ref] = source
	return source, nil
}

// add puts a system on the medium: what it needs becomes roots of the store.
func (s *System) add(t Target) error {
	if !targetName.MatchString(t.Name) {
		return &TargetError{t.Name, TargetName, "has a name with other characters than letters, digits, '.', '_' and '-', which a boot menu cannot pass on"}
	}
	for _, root := range t.Roots {
		if !strings.HasPrefix(root, s.StoreDir+"/") {
			return &SourceError{"the system to be installed", root}
		}
	}
	s.Realise = maps.Clone(s.Realise)
	for drv, outputs := range t.Realise {
		s.Realise[drv] = union(s.Realise, drv, outputs)
	}
	roots := slices.Concat(t.Roots, t.Kit)
	if t.Source != nil {
		roots = slices.Concat(roots, t.Source.Paths)
		s.Sources = slices.Concat(s.Sources, t.Source.Paths)
	}
	for _, root := range roots {
		if !slices.Contains(s.StoreContents, root) {
			s.StoreContents = append(s.StoreContents, root)
		}
	}
	t.Realise = nil
	s.Install = append(s.Install, t)
	slices.Sort(s.Sources)
	s.Sources = slices.Compact(s.Sources)
	return nil
}

// union are the outputs of a derivation that are wanted, an empty list standing for all.
func union(realise map[string][]string, drv string, outputs []string) []string {
	had, ok := realise[drv]
	switch {
	case !ok:
		return outputs
	case len(had) == 0 || len(outputs) == 0:
		return []string{}
	}
	all := slices.Concat(had, outputs)
	slices.Sort(all)
	return slices.Compact(all)
}

// runsOn reports whether a medium's kernel runs the programs of a platform, as the installation
// of its boot loader does.
func runsOn(medium, target string) bool {
	return medium == target || medium == "x86_64-linux" && target == "i686-linux" || medium == "aarch64-linux" && target == "armv7l-linux"
}

// Catalog is what livebuild-install reads on the medium, as JSON.
func Catalog(targets []Target) []byte {
	text, err := json.MarshalIndent(struct {
		Version int      `json:"version"`
		Targets []Target `json:"targets"`
	}{1, targets}, "", "  ")
	if err != nil {
		panic(err) // strings and lists of them
	}
	return append(text, '\n')
}

// ParseCatalog reads what Catalog writes.
func ParseCatalog(text []byte) ([]Target, error) {
	var read struct {
		Version int      `json:"version"`
		Targets []Target `json:"targets"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("reading what the medium installs: %w", err)
	}
	if read.Version != 1 {
		return nil, fmt.Errorf("what the medium installs is told in the form %d, and not 1", read.Version)
	}
	return read.Targets, nil
}
