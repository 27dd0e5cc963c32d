package advice

import (
	"strings"

	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// imageHints are advice on images and how they are packed.
var imageHints = []Row{
	On[*codec.UnsupportedError]("another compression works: zstd:19 comes near xz in size"),
	On[*codec.SettingsError]("compressions are none, lz4, gzip, zstd and xz, with a level as in zstd:19, or mksquashfs' words as in \"zstd -Xcompression-level 19\"; \"xz -Xbcj native\" filters machine code"),
	On[*squashfs.ChangedError]("store paths do not change: check the store with 'nix-store --verify --check-contents'"),
	On[*image.EpochError]("unset SOURCE_DATE_EPOCH, or set it to what 'date +%s' prints"),
	On[*image.OccupiedError]("--force replaces it, -o FILE writes elsewhere"),
	On[*comparison.DifferenceError]("the same input has to give the same bytes: check the store with 'nix-store --verify --check-contents' and the machine's memory, else it is a fault of livebuild, and worth a report"),
	OnValue(func(e *image.UnknownSystemError) string {
		return "--default takes one of " + strings.Join(e.Names, ", ")
	}),
	On[*image.PartsError]("give --split a larger size"),
	On[*image.PlaceError]("-o FILE writes elsewhere; --write DEVICE writes to a stick"),
	OnValue(func(e *decompressor.UnmountableError) string {
		if e.Version != "" {
			return "choose a newer kernel in boot.kernelPackages, or leave the filter out, as in --compression \"" + strings.Join(e.Readable, ", ") + "\""
		}
		if len(e.Readable) == 0 {
			return "turn the options on in boot.kernelPatches: without them no live system starts"
		}
		return "choose a compression that it can read (" + strings.Join(e.Readable, ", ") + "), or turn the options on in boot.kernelPatches"
	}),
}
