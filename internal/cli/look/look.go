// Package look is the verbs that look into an image that is there: what it is, what it
// holds, whether it is whole.
package look

import (
	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// verbs are those of one run.
type verbs struct{ *face.App }

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.On[*unlockedError]("name the configuration, as in 'livebuild verify --rebuild .#NAME IMAGE', with the flags that the image was made with"),
}
