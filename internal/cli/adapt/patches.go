package adapt

import (
	"bytes"
	"fmt"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/stamp"
)

// Key signs what is stamped onto images for Secure Boot. Nil is none.
type Key struct {
	Name string // for people: its file, or where it comes from
	*secureboot.SigningKey
}

// wanted is what changes in an image: its area first, and signatures last.
func (v verbs) wanted(m *medium.Medium, name string, items stamp.Items, opts options) ([]stamp.Patch, error) {
	key, err := opts.Key()
	switch {
	case err != nil:
		return nil, err
	case opts.reset:
		return clearing(m, name, key)
	}
	return stamping(m, name, items, key, v.Tool)
}

// stamping is what changes in an image, called name in errors, that is stamped with items: its area first, and
// signatures last. Errors are those of [stamp.Find], [stamp.CheckSystem] and [stamp.Area.Put], and those
// of the signatures: a *stamp.SealedError without a key, a *secureboot.KeyError with another one, a
// *face.UsageError with one for nothing.
func stamping(m *medium.Medium, name string, items stamp.Items, key *Key, tool string) ([]stamp.Patch, error) {
	return change(m, name, key, func(area stamp.Area) ([]stamp.Patch, error) {
		if err := stamp.CheckSystem(m, items); err != nil {
			return nil, err
		}
		if err := checkCatalog(m, name, items.Install); err != nil {
			return nil, err
		}
		return area.Put(items, tool)
	})
}

// clearing is the same of what gives an image back the bytes that it was built with.
func clearing(m *medium.Medium, name string, key *Key) ([]stamp.Patch, error) {
	return change(m, name, key, func(area stamp.Area) ([]stamp.Patch, error) { return area.Clear(), nil })
}

func change(m *medium.Medium, name string, key *Key, content func(stamp.Area) ([]stamp.Patch, error)) ([]stamp.Patch, error) {
	area, err := stamp.Find(m, name)
	if err != nil {
		return nil, err
	}
	sealed, err := key.seals(m, name)
	if err != nil {
		return nil, err
	}
	wanted, err := content(area)
	if err != nil || !sealed {
		return wanted, err
	}
	signatures, err := key.signatures(m, wanted)
	return append(wanted, signatures...), err
}

// seals tells whether the boot loader of an image wants signatures by the key; another one is an error.
func (k *Key) seals(m *medium.Medium, name string) (bool, error) {
	sealed, err := stamp.Sealed(m)
	switch {
	case err != nil:
		return false, err
	case !sealed && k != nil:
		return false, face.Usage(fmt.Errorf("--signing-key: %s is not signed for Secure Boot", name))
	case !sealed:
		return false, nil
	case k == nil:
		return false, &stamp.SealedError{Name: name}
	}
	// That it is the key of this image, its boot loader tells.
	chain, err := secureboot.ReadChain(m)
	if err != nil {
		return false, err
	}
	if grub := chain.GRUB(); grub == nil || grub.Key.Fingerprint() != k.Fingerprint() {
		return false, &secureboot.KeyError{File: k.Name, Reason: "it is not the key by which the boot loader of " + name + " verifies files"}
	}
	return true, nil
}

// signatures are what the boot loader wants beside what is stamped.
func (k *Key) signatures(m *medium.Medium, wanted []stamp.Patch) (all []stamp.Patch, err error) {
	for _, p := range wanted {
		place, signed, err := stamp.FindSignature(m, p.Name)
		if err != nil {
			return nil, err
		}
		if !signed { // what other loaders read
			continue
		}
		signature, err := k.Sign(bytes.NewReader(p.Data))
		if err != nil {
			return nil, err
		}
		if len(signature) != len(place.Data) {
			return nil, &stamp.UnknownError{Reason: fmt.Sprintf("/%s has %d bytes instead of %d", place.Name, len(place.Data), len(signature))}
		}
		place.Data = signature
		all = append(all, place)
	}
	return all, nil
}
