package stamp

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/livebuild/livebuild/internal/medium"
)

// SealedError says that the boot loader of an image verifies what is stamped onto it.
type SealedError struct{ Name string } // of the image

func (e *SealedError) Error() string {
	return e.Name + " is signed for Secure Boot: its boot loader starts nothing if the stamp area has another signature beside it"
}

// Sealed reports whether the boot loader of an image wants a signature of the area.
func Sealed(m *medium.Medium) (bool, error) {
	_, sealed, err := FindSignature(m, medium.StampArea)
	return sealed, err
}

// FindSignature returns where the signature of a file lies that a stamp changes, as it is; false if the boot loader
// wants none. The error is an *UnknownError.
func FindSignature(m *medium.Medium, name string) (Patch, bool, error) {
	place, err := readPlace(m, name+medium.SignatureSuffix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return place, false, nil
	case err == nil && len(place.Data) > MinArea:
		err = &UnknownError{fmt.Sprintf("/%s has %d bytes", place.Name, len(place.Data))}
	}
	return place, err == nil, err
}
