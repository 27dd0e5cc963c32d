package advice

import "github.com/livebuild/livebuild/internal/persistence"

// persistenceHints are advice on sticks that keep files.
var persistenceHints = []Row{
	On[*persistence.RoomError]("take a larger stick, or ask for less, as with --persist=1G"),
	On[*persistence.FitError]("make the image smaller; or lose what is kept: --persist=recreate makes room for it behind the image, --persist=no leaves none"),
	On[*persistence.TableError]("--persist=no writes the image without room for files, and loses what is kept; 'livebuild iso --persistent' makes images that keep some"),
	On[*persistence.SectorError]("take a stick with sectors of 512 bytes, as nearly all have"),
}
