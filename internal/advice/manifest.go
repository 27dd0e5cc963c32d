package advice

import "github.com/livebuild/livebuild/internal/manifest"

// manifestHints are advice on what says what an image was made of.
var manifestHints = []Row{
	On[*manifest.VersionError]("a newer livebuild reads it"),
	On[*manifest.Error]("a manifest is the file /livebuild.json of an image, or the one that 'livebuild iso --manifest' writes beside it"),
}
