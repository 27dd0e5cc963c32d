package nixos

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// TwiceError reports that a configuration is named twice for one medium.
type TwiceError struct{ Installable string }

func (e *TwiceError) Error() string { return e.Installable + " is named twice" }

// SameNameError reports configurations of different flakes for one medium that have one name.
type SameNameError struct {
	Name string
	Of   [2]string // the flakes or files
}

func (e *SameNameError) Error() string {
	return fmt.Sprintf("%s and %s both have a configuration %q: its name tells a system from the others of a medium", e.Of[0], e.Of[1], e.Name)
}

// ConflictError reports systems that want different things of the medium that they are to share.
type ConflictError struct {
	Option string
	Names  [2]string // of the configurations
	Values [2]string // of the option
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s and %s cannot be on one medium: %s is %s in %s and %s in %s",
		e.Names[0], e.Names[1], e.Option, e.Values[0], e.Names[0], e.Values[1], e.Names[1])
}

// EvaluateAll is [Evaluate] of all that are to be on one medium, whose volume ID they get:
// that of the changes, else that of the first, unless a configuration forces its own. There is
// one evaluation for each flake or file; when the first has told the volume ID, those of others are
// done side by side.
//
// Further errors are of type *TwiceError, *SameNameError and *ConflictError.
func EvaluateAll(ctx context.Context, n *nix.Nix, of []installable.Installable, with Changes, known evalcache.Cache) ([]*System, error) {
	if err := checkNames(of); err != nil {
		return nil, err
	}
	groups := group(of)
	asked := with.VolumeID
	if len(of) > 1 {
		with.sharedVolumeID, with.VolumeID = asked, ""
	}
	systems := make([]*System, len(of))
	evaluate := func(ctx context.Context, g flakeGroup, with Changes) error {
		found, err := evaluateNames(ctx, n, g.of, g.names, with, known)
		for i, s := range found {
			systems[g.at[i]] = s
		}
		return err
	}
	if err := evaluate(ctx, groups[0], with); err != nil {
		return nil, err
	}
	if first := systems[0]; len(of) > 1 {
		if asked != "" && first.VolumeID != asked {
			return nil, &VolumeIDError{asked, "is asked for, and " + first.Name + " forces " + first.VolumeID}
		}
		with.sharedVolumeID = first.VolumeID
		with.beside = true
	}
	others, ctx := errgroup.WithContext(ctx)
	for _, g := range groups[1:] {
		others.Go(func() error { return evaluate(ctx, g, with) })
	}
	if err := others.Wait(); err != nil {
		return nil, err
	}
	named := slices.Clone(of)
	for i, s := range systems {
		named[i].Name = s.Name
	}
	if err := checkNames(named); err != nil {
		return nil, err
	}
	return systems, checkTogether(systems)
}

// flakeGroup is the configurations of one flake or file.
type flakeGroup struct {
	of    installable.Installable
	names []string
	at    []int // their places among all
}

func group(all []installable.Installable) (groups []flakeGroup) {
	for at, of := range all {
		n := slices.IndexFunc(groups, func(g flakeGroup) bool { return source(g.of) == source(of) })
		if n < 0 {
			n = len(groups)
			groups = append(groups, flakeGroup{of: of})
		}
		groups[n].names = append(groups[n].names, of.Name)
		groups[n].at = append(groups[n].at, at)
	}
	return groups
}

// source is where a configuration comes from, without its name.
func source(of installable.Installable) installable.Installable {
	of.Name = ""
	return of
}

// checkNames refuses names that do not tell the systems of a medium apart, as far as there are
// names.
func checkNames(all []installable.Installable) error {
	for i, of := range all {
		for _, before := range all[:i] {
			switch {
			case of.Name != before.Name:
			case source(of) == source(before):
				return &TwiceError{of.String()}
			case of.Name != "":
				return &SameNameError{of.Name, [2]string{source(before).String(), source(of).String()}}
			}
		}
	}
	return nil
}

// checkTogether refuses systems of which one would not start from their medium, or not as it wants.
func checkTogether(systems []*System) error {
	for i, s := range systems {
		for _, before := range systems[:i] {
			if err := before.checkWith(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *System) checkWith(other *System) error {
	conflict := func(option string, a, b any) error {
		return &ConflictError{option, [2]string{s.Name, other.Name}, [2]string{fmt.Sprint(a), fmt.Sprint(b)}}
	}
	switch {
	case s.VolumeID != other.VolumeID:
		return conflict("isoImage.volumeID", s.VolumeID, other.VolumeID)
	case s.StoreDir != other.StoreDir:
		return conflict("builtins.storeDir", s.StoreDir, other.StoreDir)
	// A machine of the one kind is a machine of the other, and starts both or neither.
	case s.IsX86 && other.IsX86 && s.MakeBIOSBootable != other.MakeBIOSBootable:
		return conflict("isoImage.makeBiosBootable", s.MakeBIOSBootable, other.MakeBIOSBootable)
	case s.EFIArch == other.EFIArch && s.MakeEFIBootable != other.MakeEFIBootable:
		return conflict("isoImage.makeEfiBootable", s.MakeEFIBootable, other.MakeEFIBootable)
	}
	return nil
}
