package advice

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/imagefile"
)

// imagefileHints are advice on the files of images.
var imagefileHints = []Row{
	On[*imagefile.OpenError](nameFile),
	On[*imagefile.NotRegularError](nameFile),
	On[*imagefile.EmptyError](nameFile),
	OnValue(func(e *imagefile.PartError) string {
		if e.First != "" {
			return "name the first one, which stands for all: " + human.Quote(e.First)
		}
		return "download or copy that part again, into the folder of the others; whether all are right says 'sha256sum --check --ignore-missing'"
	}),
	OnValue(foreignHint),
	On[*imagefile.UnknownError]("download or copy the file again; --force writes it as it is"),
	On[*imagefile.IncompleteError]("nothing was written; download or copy the file again, or wait until it is complete; --force writes what is there"),
	OnValue(func(e *imagefile.DecoderError) string {
		return fmt.Sprintf("expand it first, and write what comes out: %s --decompress --keep %s", e.Format, human.Quote(e.Path))
	}),
	On[*imagefile.DamagedError]("nothing was written; download or copy the file again"),
	On[*imagefile.ChecksumError]("nothing was written; download or copy the file again, or say with --sha256 what it should be"),
	On[*imagefile.SumError]("say with --sha256 what it should be; --force writes it unchecked"),
}

// nameFile is advice on what is no file of an image.
const nameFile = "name the file of an image, and then the disk"

// foreignHint says how an image is made of what is none.
func foreignHint(e *imagefile.ForeignError) string {
	file := human.Quote(e.Path)
	if e.Inside != imagefile.Plain {
		return "expand it first, and then what comes out; --force writes it as it is"
	}
	switch e.Kind {
	case imagefile.Archive:
		return "take the image out of it first, and write that; --force writes the archive itself"
	case imagefile.Compressed:
		return "expand it first, and write what comes out; livebuild itself expands gzip, zstd and xz"
	case imagefile.VirtualDisk:
		return fmt.Sprintf("make a raw image of it first, and write that: qemu-img convert -O raw %s image.raw", file)
	case imagefile.Sparse:
		return fmt.Sprintf("make a raw image of it first, and write that: simg2img %s image.raw", file)
	case imagefile.AppleImage:
		return fmt.Sprintf("make a raw image of it first, and write that: hdiutil convert -format UDTO on macOS, dmg2img %s elsewhere", file)
	case imagefile.RawDisc:
		return "make an ISO image of it first, and write that: bchunk or ccd2iso for raw sectors, ciso or isz-tool for compressed ones"
	case imagefile.Page:
		return "the download brought something else: look into the file, and download the image again"
	case imagefile.Part:
		return "it is a part of a system, which nothing starts by itself: write the ISO image; --force writes it as it is"
	}
	return "name the file of a disk image; --force writes it as it is"
}
