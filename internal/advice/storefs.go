package advice

import "github.com/livebuild/livebuild/internal/storefs"

// storefsHints are advice on files of the Nix store.
var storefsHints = []Row{
	OnValue(func(e *storefs.OutsideError) string {
		if e.InStore {
			return "let the option refer to the package itself, as in \"${pkgs.hello}/share\": Nix does not see what is named by text alone"
		}
		return "have the package hold a copy instead of the link: nothing but the Nix store gets onto the medium"
	}),
}
