package advice

import "github.com/livebuild/livebuild/internal/installable"

// installableHints are advice on what names a configuration.
var installableHints = []Row{
	On[*installable.Error]("an installable is a flake reference and a name: .#exampleIso, github:owner/repo#exampleIso"),
}
