package advice

import "github.com/livebuild/livebuild/internal/boottest"

// boottestHints are advice on boots that cannot be judged.
var boottestHints = []Row{
	On[*boottest.OtherSystemError]("'livebuild run' without --choose shows the menu, to choose by hand; an image made with --default NAME starts that by itself"),
	On[*boottest.UnheardError]("give the kernel console=ttyS0,115200n8 (console=ttyAMA0,115200n8 on aarch64); --expect takes what the system says itself"),
}
