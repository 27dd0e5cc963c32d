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

// signatureSuffix is behind the name of a file that GRUB verifies.
const signatureSuffix = ".sig"

// FindSignature returns where the signature of an area lies; false if the boot loader wants none.
// The error is an *UnknownError.
func FindSignature(m *medium.Medium) (Area, bool, error) {
	f, err := m.Files().Find(medium.StampArea + signatureSuffix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Area{}, false, nil
	case err != nil:
		return Area{}, false, err
	case len(f.Extents) != 1 || f.Size > MinArea || f.Extents[0].Offset+f.Size > m.Size:
		return Area{}, false, &UnknownError{fmt.Sprintf("its signature has %d bytes in %d pieces", f.Size, len(f.Extents))}
	}
	return Area{f.Extents[0].Offset, f.Size, m.ReaderAt()}, true, nil
}
