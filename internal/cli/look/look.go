// Package look is the verbs that look into an image that is there: what it is, what it
// holds, whether it is whole.
package look

import "github.com/livebuild/livebuild/internal/cli/face"

// verbs are those of one run.
type verbs struct{ *face.App }
