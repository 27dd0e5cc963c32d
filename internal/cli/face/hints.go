package face

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/advice"
)

// Hints are advice on the errors of this package. They come last: an error of usage wraps what is
// wrong, on which there can be better advice.
var Hints = []advice.Row{
	advice.OnValue(func(e *RightsError) string {
		if e.Command != "" {
			return e.Command
		}
		return advice.TwoSteps
	}),
	advice.On[*SummaryError]("make its folder first, or name another file with --summary"),
	advice.On[*NoPassphraseError]("--passphrase-file FILE, and of a key for Secure Boot --secure-boot-passphrase-file FILE, names a file that begins with the passphrase"),
	advice.OnValue(func(e *UsageError) string {
		if e.Command != "" {
			return fmt.Sprintf("'%s --help' says what it takes", e.Command)
		}
		return advice.Usage
	}),
}
