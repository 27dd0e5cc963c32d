// Package machine is the verbs that start an image in virtual machines.
package machine

import (
	"strings"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// verbs are those of one run.
type verbs struct{ *face.App }

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.OnValue(func(e *chosenError) string {
		if len(e.names) == 0 {
			return "leave --choose out"
		}
		return "name one of " + strings.Join(e.names, ", ")
	}),
	advice.On[*portError]("choose another port, or end what uses this one"),
	advice.On[*unsignedError]("'livebuild iso --secure-boot-key' makes images that are; --trust FILE names a certificate all the same, to see what refuses"),
}
