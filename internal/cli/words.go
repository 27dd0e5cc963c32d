package cli

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/transfer"
	"github.com/livebuild/livebuild/internal/trial"
)

// words is a fact as people read it. What is no fact of a package says itself what
// it is.
func words(fact any) string {
	switch f := fact.(type) {
	case build.MadeLive:
		if f.FromMemory {
			return f.Configuration + " is made live with nixpkgs' netboot module; --no-live refuses that"
		}
		return f.Configuration + " does not import the ISO module and is made live with it; --no-live refuses that"
	case build.Evaluated:
		if f.VolumeID == "" {
			return fmt.Sprintf("evaluated %s: %s%s", f.Configuration, f.System, map[bool]string{true: ", as evaluated before"}[f.Known])
		}
		if f.Known {
			return fmt.Sprintf("%s, %s, %s: as evaluated before", f.Configuration, f.System, f.VolumeID)
		}
		return fmt.Sprintf("evaluated %s: %s, %s", f.Configuration, f.System, f.VolumeID)
	case build.ToldPlatform:
		return fmt.Sprintf("Nix does not know that %s is emulated here, and is told: --option extra-platforms", f.Platform)
	case build.Built:
		return fmt.Sprintf("built %s, %s", human.Count(f.StorePaths, "store path"), human.Size(f.StoreBytes))
	case build.Adds:
		return fmt.Sprintf("%s adds %s, %s", f.Configuration, human.Count(f.StorePaths, "store path"), human.Size(f.StoreBytes))
	case build.Packed:
		return fmt.Sprintf("packed %s into %s, %s", human.Count(f.StorePaths, "store path"), human.Size(f.Size), f.Compression)
	case build.Same:
		return fmt.Sprintf("packed again, afresh and in another order: all %s are the same", human.Size(f.Size))
	case build.Reused:
		reused := fmt.Sprintf("reused %s of the store image from %s", human.Percent(f.Bytes, f.Of), f.Path)
		if f.Damaged > 0 {
			return fmt.Sprintf("%s; %s of it are damaged", reused, human.Size(f.Damaged))
		}
		return fmt.Sprintf("%s, with %s", reused, human.Count(f.StorePaths, "store path"))
	case build.Unfit:
		return fmt.Sprintf("reused nothing: %s: %s", f.Path, f.Reason)
	case trial.Read:
		return "read " + human.Size(f.Bytes)
	case trial.Tried:
		return "tried " + f.Compression
	case trial.Chosen:
		about := map[trial.Basis]string{trial.BySample: "about ", trial.ByBound: "at most "}[f.By]
		return fmt.Sprintf("chose %s, with which the image has %s%s, less than %s", f.Compression, about, human.Size(f.Size), human.Size(f.Below))
	case transfer.Unindexed:
		return fmt.Sprintf("%s is downloaded as a whole: %s", f.URL, f.Reason)
	case transfer.Planned:
		return fmt.Sprintf("of %s, %s are here and %s are to be downloaded", human.Size(f.Size), human.Size(f.Saved), human.Size(f.Fetch))
	case transfer.Fetched:
		return fmt.Sprintf("downloaded %s, took %s from here", human.Size(f.Fetched), human.Size(f.Saved))
	case build.Known:
		return fmt.Sprintf("nixpkgs knows what package %d of %s are of", f.StorePaths, human.Count(f.Of, "store path"))
	case build.Got:
		return "got " + f.Program + " from the configuration's nixpkgs"
	}
	return fmt.Sprint(fact)
}
