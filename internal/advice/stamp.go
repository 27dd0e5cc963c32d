package advice

import (
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/stamp"
)

// stampHints are advice on images that something is to be stamped onto.
var stampHints = []Row{
	OnValue(func(e *stamp.NoAreaError) string {
		if e.MadeHere {
			return "build it again with 'livebuild iso --stamp-area 256K'"
		}
		return "'livebuild iso INSTALLABLE' makes images that can be stamped"
	}),
	On[*stamp.UnknownError]("'livebuild stamp IMAGE --reset' makes it as it was built, and a stick is written anew"),
	On[*stamp.TooLargeError]("stamp less, or build the image with a larger --stamp-area"),
	On[*stamp.SealedError]("give the key that the image was made with: --signing-key FILE, the file of 'livebuild iso --keep-signing-key'; if that was not kept, make the image again"),
	On[*stamp.NoParamsError]("build it with 'livebuild iso --stamp-params'"),
	On[*stamp.ParamsError]("stamp fewer; what all systems shall have can be in the image: 'livebuild iso --kernel-param'"),
	On[*stamp.UselessError]("build the image of a configuration that has it; 'livebuild iso' starts an SSH server with --ssh-key, and takes other changes with --module"),
	On[*stamp.ItemError]("'livebuild stamp --help' lists what can be stamped"),
	On[*image.StampError]("build without --stamp-area, or of a configuration that lib.nixosSystem made"),
}
