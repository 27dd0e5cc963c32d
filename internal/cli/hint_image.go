package cli

import (
	"errors"
	"fmt"

	"github.com/livebuild/livebuild/internal/imagefile"
)

// imageFileHint is advice on image files, or empty.
func imageFileHint(err error) string {
	var (
		foreign    *imagefile.ForeignError
		incomplete *imagefile.IncompleteError
		decoder    *imagefile.DecoderError
	)
	switch {
	case is[*imagefile.OpenError](err), is[*imagefile.NotRegularError](err), is[*imagefile.EmptyError](err):
		return "name the file of an image, and then the disk"
	case errors.As(err, &foreign):
		return foreignHint(foreign)
	case is[*imagefile.UnknownError](err):
		return "download or copy the file again; --force writes it as it is"
	case errors.As(err, &incomplete):
		return "nothing was written; download or copy the file again, or wait until it is complete; --force writes what is there"
	case errors.As(err, &decoder):
		return fmt.Sprintf("expand it first, and write what comes out: %s --decompress --keep %s", decoder.Format, quote(decoder.Path))
	case is[*imagefile.DamagedError](err):
		return "nothing was written; download or copy the file again"
	case is[*imagefile.ChecksumError](err):
		return "nothing was written; download or copy the file again, or say with --sha256 what it should be"
	case is[*imagefile.SumError](err):
		return "say with --sha256 what it should be; --force writes it unchecked"
	}
	return ""
}

// foreignHint says how an image is made of what is none.
func foreignHint(e *imagefile.ForeignError) string {
	file := quote(e.Path)
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

// unbootableHint says what makes a stick start.
func unbootableHint(e *unbootableError) string {
	if e.contents.Disc {
		return "of a NixOS configuration: set isoImage.makeUsbBootable = true and isoImage.makeEfiBootable = true, and build it again; " +
			"of another image made with isolinux: isohybrid --uefi FILE; installers of Windows need a program such as Ventoy"
	}
	return "a stick that starts has a disk image with a partition table and a boot loader"
}
