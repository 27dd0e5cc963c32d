package advice

import (
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// mediumHints are advice on images that are there already.
var mediumHints = []Row{
	On[*medium.ForeignError]("an image is an .iso file, compressed or not, or a disc or stick that one was copied to"),
	OnValue(func(e *medium.ModeError) string { return "it starts as " + names(e.Modes) }),
	On[*medium.NoManifestError]("images that livebuild makes today say in /" + medium.Manifest + " what they were made of; older and other ones do not"),
	On[*medium.NoStoreError]("an image of NixOS holds its store in " + medium.StoreImage),
}

func names(modes []medium.Mode) string {
	var names []string
	for _, m := range modes {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}
