package cli

import (
	"slices"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/create"
	"github.com/livebuild/livebuild/internal/cli/disk"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/look"
	"github.com/livebuild/livebuild/internal/cli/machine"
	"github.com/livebuild/livebuild/internal/cli/net"
	"github.com/livebuild/livebuild/internal/cli/wire"
)

// ownHints are advice on the errors of the command line itself.
var ownHints = slices.Concat(adapt.Hints, create.Hints, disk.Hints, look.Hints, machine.Hints, net.Hints, wire.Hints,
	[]advice.Row{advice.OnValue((*unknownError).hint)}, face.Hints)

// hintFor is the advice on an error.
func hintFor(err error) string { return advice.For(err, ownHints...) }
