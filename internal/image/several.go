package image

import (
	"fmt"
	"maps"
	"slices"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// What is one on a medium, and follows from all systems that are on it.

// UnknownSystemError says that the system that is to start by itself is not on the medium.
type UnknownSystemError struct {
	Name  string
	Names []string // that there are
}

func (e *UnknownSystemError) Error() string {
	return fmt.Sprintf("no system %q is on the medium", e.Name)
}

// Share is how much of the store a system takes.
type Share struct {
	Configuration string
	Paths         int
	Bytes         int64 // as Nix counts, NAR sizes
	// AddsPaths and AddsBytes are those of it that none of the systems before it has.
	AddsPaths int
	AddsBytes int64
}

// Shares is how much of the closure of StoreContents each system takes, in their order.
func (p *Plan) Shares(closure *store.Closure) []Share {
	var shares []Share
	before := map[string]bool{}
	for _, sys := range p.systems {
		share := Share{Configuration: sys.Name}
		for _, info := range closure.Of(sys.StoreContents).Paths {
			share.Paths++
			share.Bytes += info.NarSize
			if !before[info.Path] {
				before[info.Path] = true
				share.AddsPaths++
				share.AddsBytes += info.NarSize
			}
		}
		shares = append(shares, share)
	}
	return shares
}

// chosen is the index of the system that starts by itself.
func chosen(systems []*nixos.System, name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	n := slices.IndexFunc(systems, func(s *nixos.System) bool { return s.Name == name })
	if n < 0 {
		e := &UnknownSystemError{Name: name}
		for _, s := range systems {
			e.Names = append(e.Names, s.Name)
		}
		return 0, e
	}
	return n, nil
}

// compression is what the options say, else what the configurations say.
func compression(systems []*nixos.System, opts Options) (codec.Settings, error) {
	if opts.Compression != nil {
		return *opts.Compression, nil
	}
	first, err := compressionOf(systems[0])
	if err != nil {
		return first, err
	}
	for _, sys := range systems[1:] {
		settings, err := compressionOf(sys)
		if err != nil {
			return settings, err
		}
		if settings.String() != first.String() {
			return settings, conflict(systems[0], sys, "isoImage.squashfsCompression", first, settings)
		}
	}
	return first, nil
}

func compressionOf(sys *nixos.System) (codec.Settings, error) {
	if sys.SquashfsCompression == nil {
		return codec.Settings{Name: codec.None}, nil
	}
	s, err := codec.Parse(*sys.SquashfsCompression)
	if err != nil {
		return codec.Settings{}, fmt.Errorf("isoImage.squashfsCompression: %w", err)
	}
	return s, nil
}

// compressImage is whether the image is to be compressed as a whole.
func compressImage(systems []*nixos.System) (bool, error) {
	first := systems[0]
	for _, sys := range systems[1:] {
		if sys.CompressImage != first.CompressImage {
			return false, conflict(first, sys, "isoImage.compressImage", first.CompressImage, sys.CompressImage)
		}
	}
	return first.CompressImage, nil
}

func conflict(a, b *nixos.System, option string, ofA, ofB any) error {
	return &nixos.ConflictError{
		Option: option, Names: [2]string{a.Name, b.Name}, Values: [2]string{fmt.Sprint(ofA), fmt.Sprint(ofB)},
	}
}

// realise is what must be built for all: the outputs of each derivation, none standing for all
// of them.
func realise(systems []*nixos.System) map[string][]string {
	all := maps.Clone(systems[0].Realise)
	for _, sys := range systems[1:] {
		for drv, outputs := range sys.Realise {
			known, ok := all[drv]
			switch {
			case !ok:
				all[drv] = outputs
			case len(known) == 0 || len(outputs) == 0:
				all[drv] = nil
			default:
				all[drv] = slices.Concat(known, outputs)
			}
		}
	}
	return all
}

// DefaultStampArea is the room that an image has for what is stamped onto it later, in
// bytes, if its stage 1 takes that as it is.
const DefaultStampArea = 256 << 10

// StampError says that a stamp would have no effect on an image.
type StampError struct{ Name string } // of the configuration

func (e *StampError) Error() string {
	return e.Name + " has a stage 1 of systemd and cannot be extended: nothing in it would take what is stamped onto the image"
}

// withStampArea decides whether the medium has an area for a stamp. By default it costs no
// configuration its system: a stage 1 of systemd would need a unit more. A stamp is for all
// systems, so there is no area by default where one does not take it.
func withStampArea(systems []*nixos.System, asked *int64, params bool) ([]*nixos.System, error) {
	area := int64(DefaultStampArea)
	if asked != nil {
		area = *asked
	}
	for _, sys := range systems {
		switch {
		case asked != nil && *asked > 0 && sys.SystemdInitrd && !sys.StampUnit:
			return nil, &StampError{sys.Name}
		case asked == nil && sys.SystemdInitrd:
			area = 0
		}
	}
	all := make([]*nixos.System, len(systems))
	for i, sys := range systems {
		with := *sys
		with.StampArea, with.StampParams = area, params && area > 0
		all[i] = &with
	}
	return all, nil
}
