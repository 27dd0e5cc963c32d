// Package create is the verbs that make an image of a configuration, or say what it would be.
package create

import (
	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// verbs are those of one run.
type verbs struct{ *face.App }

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.On[*noModeError]("set isoImage.makeEfiBootable = true, and for x86_64 isoImage.makeBiosBootable = true, in the configuration or in a --module"),
	advice.On[*compressedError]("name a compression, or set isoImage.compressImage = false in a --module; --max-size alone holds the file to its size"),
	advice.On[*streamError]("-o FILE writes a file, which can go through a pipe then; -o ./- writes one of that name"),
}
