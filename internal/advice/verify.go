package advice

import "github.com/livebuild/livebuild/internal/verify"

// verifyHints are advice on images that cannot be checked.
var verifyHints = []Row{
	On[*verify.DamagedError]("download or copy the image again, or build it with 'livebuild iso'"),
}
