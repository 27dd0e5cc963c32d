package verify

import (
	"bytes"
	"errors"
	"maps"
	"path"
	"slices"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
)

// manifest holds what the medium says it was made of against the registration, and against the
// manifest that is known from elsewhere.
func (v *verifier) manifest() error {
	const structure = "manifest"
	own, err := v.medium.Manifest()
	_, none := errors.AsType[*medium.NoManifestError](err)
	switch {
	case none && v.options.Manifest == nil:
		return nil // older ones have none
	case none:
		return v.wrong(structure, -1, v.medium.ManifestName(), "the image has none")
	case err != nil:
		if err := v.wrong(structure, -1, v.medium.ManifestName(), "%w", err); err != nil {
			return err
		}
	}
	if v.options.Manifest != nil {
		if own != nil && !sameManifest(own, v.options.Manifest) {
			if err := v.wrong(structure, -1, v.medium.ManifestName(), "it says something else than the manifest that the image is held against"); err != nil {
				return err
			}
		}
		return v.holdManifest()
	}
	if own == nil || v.images == nil {
		return nil
	}
	differing, first := 0, ""
	for _, p := range own.StorePaths {
		info, ok := v.images.known[path.Base(p.Path)]
		if hash, err := p.Hash(); err == nil && ok && info.NarHash == hash && info.NarSize == p.NarSize {
			continue
		}
		if differing++; differing == 1 {
			first = p.Path
		}
	}
	if differing == 0 && len(own.StorePaths) == len(v.images.known) {
		return nil
	}
	if first == "" {
		return v.wrong(structure, -1, v.medium.ManifestName(), "it has %d store paths, the registration %d", len(own.StorePaths), len(v.images.known))
	}
	return v.wrong(structure, -1, v.medium.ManifestName(), "the registration does not have %d of its store paths so, as %s", differing, first)
}

// sameManifest reports whether two manifests say the same.
func sameManifest(a, b *manifest.Manifest) bool {
	one, err := a.Encode()
	other, err2 := b.Encode()
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// holdManifest holds the registration against the manifest that is known from elsewhere, which
// counts.
func (v *verifier) holdManifest() error {
	m := v.options.Manifest
	if !v.medium.Bundled() && m.Settings.VolumeID != v.medium.Volume.ID {
		if err := v.wrong("manifest", -1, "", "the volume ID is %q on the medium, %q there", v.medium.Volume.ID, m.Settings.VolumeID); err != nil {
			return err
		}
	}
	if v.images == nil {
		return nil
	}
	named := map[string]bool{}
	for _, p := range m.StorePaths {
		hash, err := p.Hash()
		if err != nil {
			return err
		}
		base := path.Base(p.Path)
		named[base] = true
		info, ok := v.images.known[base]
		switch {
		case !ok:
			err = v.pathWrong(p.Path, -1, "it is not registered on the medium")
		case info.NarHash != hash:
			err = v.pathWrong(p.Path, -1, "it is registered with the NAR hash %s, which is %s in the manifest", sri(info.NarHash), p.NarHash)
		}
		if err != nil {
			return err
		}
		info.Path, info.NarHash, info.NarSize = p.Path, hash, p.NarSize
		v.images.known[base] = info
	}
	for _, base := range slices.Sorted(maps.Keys(v.images.known)) {
		if !named[base] {
			if err := v.pathWrong(v.images.path(base), -1, "the manifest does not have it"); err != nil {
				return err
			}
		}
	}
	return nil
}
