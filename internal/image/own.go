package image

import (
	"errors"
	"io/fs"
	"os"

	"github.com/livebuild/livebuild/internal/medium"
)

// Own is a kind of files that livebuild makes, which may be replaced without being asked.
type Own struct {
	Kind string                     // for messages: "an archive for kexec that livebuild made"; empty of an image
	Is   func(string) (bool, error) // reports whether the file at a path is one
}

// ownImage is an image.
var ownImage = Own{Is: medium.FileMadeHere}

// CreateOutput is [CreateOutput] of a file of the kind.
func (o Own) CreateOutput(path string, force bool) (*Output, error) {
	path, err := o.place(path, force)
	if err != nil {
		return nil, err
	}
	return createFile(path)
}

// place is [Place] of a file of the kind.
func (o Own) place(path string, force bool) (string, error) {
	path, err := followLink(path)
	if err != nil {
		return "", err
	}
	return path, o.checkReplaceable(path, force)
}

// checkReplaceable says whether what is at path, if anything, may be replaced.
func (o Own) checkReplaceable(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		// Renaming over a device would leave a file in its place.
		return &PlaceError{path, "is not a regular file"}
	case force:
		return nil
	}
	ours, err := o.Is(path)
	if err == nil && !ours {
		return &OccupiedError{path, o.Kind}
	}
	return err
}
