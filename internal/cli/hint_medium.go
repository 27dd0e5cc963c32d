package cli

import (
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// mediumHints are advice on images that are there already.
var mediumHints = []hint{
	on[*medium.ForeignError]("an image is an .iso file, compressed or not, or a disc or stick that one was copied to"),
	onValue(func(e *medium.ModeError) string { return "it starts as " + strings.Join(modeNames(e.Modes), ", ") }),
	on[*medium.NoStoreError]("an image of NixOS holds its store in " + medium.StoreImage),
}
