package advice

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/trial"
)

// trialHints are advice on sizes that images have to stay below.
var trialHints = []Row{
	OnValue(func(e *trial.TooLargeError) string {
		const smaller = "make the system smaller ('livebuild inspect IMAGE --paths' says what takes the room), or have the image in parts with --split"
		switch {
		case e.Fits != nil:
			return fmt.Sprintf("--compression %s makes about %s of it; --compression auto chooses", human.Quote(e.Fits.Compression.String()), human.Size(e.Fits.Bytes))
		case e.Among > 1:
			return "no compression makes it smaller: " + smaller
		case e.By == trial.ByImage:
			return "nothing was put in place; --compression auto chooses what does"
		}
		return "no other compression does: " + smaller
	}),
}
