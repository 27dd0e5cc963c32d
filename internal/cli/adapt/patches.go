package adapt

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/stamp"
)

// wanted is what changes in an image: its area first, and signatures last.
func (v verbs) wanted(m *medium.Medium, name string, items stamp.Items, opts options) ([]stamp.Patch, error) {
	area, err := stamp.Find(m, name)
	if err != nil {
		return nil, err
	}
	wanted := area.Clear()
	if !opts.reset {
		if wanted, err = content(m, area, items, v.Tool); err != nil {
			return nil, err
		}
	}
	signatures, err := opts.signatures(m, name, wanted)
	return append(wanted, signatures...), err
}

// signatures are what the boot loader of an image for Secure Boot wants beside what is stamped; none of another one.
func (o *options) signatures(m *medium.Medium, name string, wanted []stamp.Patch) (all []stamp.Patch, err error) {
	sealed, err := stamp.Sealed(m)
	switch {
	case err != nil:
		return nil, err
	case !sealed && o.key != "":
		return nil, face.Usage(fmt.Errorf("--signing-key: %s is not signed for Secure Boot", name))
	case !sealed:
		return nil, nil
	case o.key == "":
		return nil, &stamp.SealedError{Name: name}
	}
	key, err := secureboot.ReadSigningKey(o.key)
	if err != nil {
		return nil, err
	}
	// That it is the key of this image, its boot loader tells.
	chain, err := secureboot.ReadChain(m)
	if err != nil {
		return nil, err
	}
	if grub := chain.GRUB(); grub == nil || grub.Key.Fingerprint() != key.Fingerprint() {
		return nil, &secureboot.KeyError{File: o.key, Reason: "it is not the key by which the boot loader of " + name + " verifies files"}
	}
	for _, p := range wanted {
		place, signed, err := stamp.FindSignature(m, p.Name)
		if err != nil {
			return nil, err
		}
		if !signed { // what other loaders read
			continue
		}
		signature, err := key.Sign(bytes.NewReader(p.Data))
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

// patches returns what a stamp changes. The error is a *stamp.SealedError if that wants signatures.
func patches(m *medium.Medium, area stamp.Area, items stamp.Items, tool string) ([]stamp.Patch, error) {
	if sealed, err := stamp.Sealed(m); err != nil || sealed {
		return nil, cmp.Or(err, error(&stamp.SealedError{Name: "the image"}))
	}
	return content(m, area, items, tool)
}

// content is what a stamp changes, whoever verifies it.
func content(m *medium.Medium, area stamp.Area, items stamp.Items, tool string) ([]stamp.Patch, error) {
	if err := stamp.CheckSystem(m, items); err != nil {
		return nil, err
	}
	return area.Put(items, tool)
}
