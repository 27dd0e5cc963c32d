package advice

import (
	"path"

	"github.com/livebuild/livebuild/internal/contents"
)

// contentsHints are advice on the files of an image.
var contentsHints = []Row{
	On[*contents.NotFoundError]("'livebuild ls IMAGE /' lists what is there; paths below esp:/ are in the EFI system partition, those below /nix/store in the store"),
	On[*contents.KindError]("'livebuild ls -l IMAGE PATH' shows what it is; 'livebuild extract' takes folders"),
	On[*contents.ExistsError]("-o FOLDER takes them to another folder; nothing was replaced"),
	On[*contents.ClashError]("take one of them at a time, with -o FOLDER to another place"),
	OnValue(func(e *contents.LeftOutError) string {
		if e.Link {
			return "--all-links takes such links, too"
		}
		return "only files, folders and symbolic links are taken out"
	}),
	OnErr(path.ErrBadPattern, "in a pattern, a bracket is closed, and a backslash takes what follows as it stands"),
}
