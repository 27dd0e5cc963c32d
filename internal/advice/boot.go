package advice

import "github.com/livebuild/livebuild/internal/boot"

// bootHints are advice on what an image boots with.
var bootHints = []Row{
	On[*boot.TargetError](otherTarget),
	On[*boot.CollisionError](otherTarget),
	On[*boot.TooManyFilesError]("look for links to folders in that package: each stands for all that is in its folder"),
	OnErr(boot.ErrNoEntries, "set isoImage.showConfiguration = true for one of them"),
	On[*boot.CommandLineError]("shorten boot.kernelParams or --kernel-param: the kernel does not see the rest, and what is longer can be in a file of the system"),
	On[*boot.TextError]("take the character out of the configuration's labels and kernel parameters; without isoImage.makeBiosBootable, labels may have any"),
	On[*boot.MissingFileError]("the package was built, but does not hold the file: check the option that names it, and overlays that replace the package"),
}
