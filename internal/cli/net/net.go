// Package net is the verbs that have machines started without a medium, over the network or by
// kexec: they make the files for it, and give them out.
package net

import (
	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// verbs are those of one run.
type verbs struct{ *face.App }

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.OnValue((*severalError).hint),
	advice.On[*limitError]("a stronger --compression, or a smaller system; an image of a medium has no such limit: 'livebuild iso'"),
	advice.On[*listenError]("--listen ADDRESS:PORT names another; port 0 takes any that is free"),
}
