package advice

import "github.com/livebuild/livebuild/internal/inspection"

// inspectionHints are advice on what is asked of an image.
var inspectionHints = []Row{
	On[*inspection.NoPathError]("'livebuild inspect IMAGE --paths' lists them; a pattern such as '*-perl-*' is put between quotes"),
	On[*inspection.UnneededError]("it was put into the store by itself, as by isoImage.storeContents, or the medium has no registration"),
}
