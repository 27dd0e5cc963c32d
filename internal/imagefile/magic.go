package imagefile

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what can be done about a file that is something else than a disk
// image.
type Kind string

// The kinds.
const (
	Archive     Kind = "archive"      // holds files, of which one may be an image
	Compressed  Kind = "compressed"   // by a program that is not among the formats
	VirtualDisk Kind = "virtual disk" // of which qemu-img makes an image
	Sparse      Kind = "sparse image" // of which simg2img makes an image
	AppleImage  Kind = "Apple image"  // of which hdiutil or dmg2img makes one
	RawDisc     Kind = "raw disc"     // of which bchunk makes one
	Page        Kind = "page"         // what a server sends instead of a file, or about one
	Part        Kind = "part"         // of a live system or an installation
	Other       Kind = "other"
)

// magic is what a format has at a place.
type magic struct {
	offset int
	text   string
}

// format is something that people take for a disk image, or get in its place.
type format struct {
	name  string
	kind  Kind
	magic []magic // all of them
}

func at(offset int, text string) magic { return magic{offset, text} }

// formats are recognised before partition tables of the oldest kind and file
// systems, whose marks are weaker than these. The magic numbers are those of the
// formats' own documents, as file(1) collects them.
var formats = []format{
	{"a zip archive", Archive, []magic{at(0, "PK\x03\x04")}},
	{"a zip archive", Archive, []magic{at(0, "PK\x05\x06")}}, // empty
	{"a zip archive", Archive, []magic{at(0, "PK\x07\x08")}}, // in parts
	{"a 7z archive", Archive, []magic{at(0, "7z\xbc\xaf\x27\x1c")}},
	{"a RAR archive", Archive, []magic{at(0, "Rar!\x1a\x07")}},
	{"a tar archive", Archive, []magic{at(257, "ustar")}},
	{"a cpio archive", Archive, []magic{at(0, "070701")}},
	{"a cpio archive", Archive, []magic{at(0, "070702")}},
	{"a cpio archive", Archive, []magic{at(0, "070707")}},
	{"an xar archive", Archive, []magic{at(0, "xar!")}},
	{"a cabinet", Archive, []magic{at(0, "MSCF\x00\x00\x00\x00")}},
	{"a Debian package", Archive, []magic{at(0, "!<arch>\ndebian")}},
	{"an RPM package", Archive, []magic{at(0, "\xed\xab\xee\xdb")}},
	{"a Nix archive", Archive, []magic{at(0, "\x0d\x00\x00\x00\x00\x00\x00\x00nix-archive-1")}},
	{"a Windows image (WIM)", Archive, []magic{at(0, "MSWIM\x00\x00\x00")}},
	{"an Android update", Archive, []magic{at(0, "CrAU")}},

	{"bzip2 data", Compressed, []magic{at(0, "BZh"), at(4, "1AY&SY")}},
	{"bzip2 data", Compressed, []magic{at(0, "BZh"), at(4, "\x17\x72\x45\x38\x50\x90")}}, // of nothing
	{"lz4 data", Compressed, []magic{at(0, "\x04\x22\x4d\x18")}},
	{"lz4 data", Compressed, []magic{at(0, "\x02\x21\x4c\x18")}}, // of its first versions
	{"lzip data", Compressed, []magic{at(0, "LZIP\x01")}},
	{"lzop data", Compressed, []magic{at(0, "\x89LZO\x00\x0d\x0a\x1a\x0a")}},
	{"lzma data", Compressed, []magic{at(0, "\x5d\x00\x00"), at(5, "\xff\xff\xff\xff\xff\xff\xff\xff")}},
	{"lrzip data", Compressed, []magic{at(0, "LRZI")}},
	{"snappy data", Compressed, []magic{at(0, "\xff\x06\x00\x00sNaPpY")}},
	{"compress data", Compressed, []magic{at(0, "\x1f\x9d")}},
	{"gzip data", Compressed, []magic{at(0, "\x1f\x8b\x08")}}, // in a compressed file: once more
	{"zstd data", Compressed, []magic{at(0, "\x28\xb5\x2f\xfd")}},
	{"xz data", Compressed, []magic{at(0, "\xfd7zXZ\x00")}},

	{"a QCOW image", VirtualDisk, []magic{at(0, "QFI\xfb")}},
	{"a QED image", VirtualDisk, []magic{at(0, "QED\x00")}},
	{"a VMDK image", VirtualDisk, []magic{at(0, "KDMV")}},
	{"a VMDK image", VirtualDisk, []magic{at(0, "COWD")}},
	{"the description of a VMDK image", VirtualDisk, []magic{at(0, "# Disk DescriptorFile")}},
	{"a VDI image", VirtualDisk, []magic{at(64, "\x7f\x10\xda\xbe")}},
	{"a VHDX image", VirtualDisk, []magic{at(0, "vhdxfile")}},
	{"a VHD image", VirtualDisk, []magic{at(0, "conectix")}}, // one of fixed size is raw, and has it at the end
	{"a Parallels image", VirtualDisk, []magic{at(0, "WithoutFreeSpace")}},
	{"a Parallels image", VirtualDisk, []magic{at(0, "WithouFreSpacExt")}},
	{"a Bochs image", VirtualDisk, []magic{at(0, "Bochs Virtual HD Image")}},
	{"an image in parallel parts (cloop)", VirtualDisk, []magic{at(0, "#!/bin/sh\n#V2.0 Format")}},
	{"an Android sparse image", Sparse, []magic{at(0, "\x3a\xff\x26\xed")}},
	{"a partclone image", Other, []magic{at(0, "partclone-image")}},
	{"an encrypted Apple disk image", AppleImage, []magic{at(0, "encrcdsa")}},
	{"an Apple sparse image", AppleImage, []magic{at(0, "sprs")}},
	{"a compressed disc image (CISO)", RawDisc, []magic{at(0, "CISO")}},
	{"a compressed disc image (ISZ)", RawDisc, []magic{at(0, "IsZ!")}},
	{"a disc image of raw sectors (BIN/CUE)", RawDisc, []magic{at(0, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00")}},

	{"a squashfs file system", Part, []magic{at(0, "hsqs")}},
	{"a squashfs file system", Part, []magic{at(0, "sqsh")}}, // of big-endian machines
	{"an EROFS file system", Part, []magic{at(1024, "\xe2\xe1\xf5\xe0")}},
	{"a cramfs file system", Part, []magic{at(0, "\x45\x3d\xcd\x28")}},
	{"a romfs file system", Part, []magic{at(0, "-rom1fs-")}},
	{"a Linux kernel", Part, []magic{at(514, "HdrS")}},
	{"a Linux kernel", Part, []magic{at(56, "ARM\x64")}},
	{"a U-Boot image", Part, []magic{at(0, "\x27\x05\x19\x56")}},
	{"a device tree, or a FIT image", Part, []magic{at(0, "\xd0\x0d\xfe\xed")}},
	{"an Android boot image", Part, []magic{at(0, "ANDROID!")}},
	{"a UBI image", Part, []magic{at(0, "UBI#")}},
	{"a volume encrypted by LUKS", Other, []magic{at(0, "LUKS\xba\xbe")}},
	{"an LVM volume", Other, []magic{at(512, "LABELONE")}},
	{"swap space", Other, []magic{at(4086, "SWAPSPACE2")}},

	{"a program (ELF)", Other, []magic{at(0, "\x7fELF")}},
	{"a program (Mach-O)", Other, []magic{at(0, "\xcf\xfa\xed\xfe")}},
	{"a PDF document", Page, []magic{at(0, "%PDF-")}},
	{"a PNG picture", Page, []magic{at(0, "\x89PNG\x0d\x0a")}},
	{"a JPEG picture", Page, []magic{at(0, "\xff\xd8\xff")}},
	{"a GIF picture", Page, []magic{at(0, "GIF8")}},
	{"a torrent", Page, []magic{at(0, "d8:announce")}},
	{"a torrent", Page, []magic{at(0, "d13:announce-list")}},
	{"a torrent", Page, []magic{at(0, "d10:created by")}},
	{"a Git LFS pointer", Page, []magic{at(0, "version https://git-lfs")}},
	{"a zsync file", Page, []magic{at(0, "zsync: ")}},
	{"a jigdo file", Page, []magic{at(0, "JigsawDownload")}},
	{"a script", Other, []magic{at(0, "#!")}},
	{"an OpenPGP message or signature", Page, []magic{at(0, "-----BEGIN PGP ")}},
	{"an SQLite database", Other, []magic{at(0, "SQLite format 3\x00")}},
}

// weakFormats are recognised if a file is nothing else: disk images can begin
// like them, too.
var weakFormats = []format{
	{"a program for Windows or UEFI", Other, []magic{at(0, "MZ")}},
	{"a library of object files", Other, []magic{at(0, "!<arch>\n")}},
}

// appleTrailer is at the end of an Apple disk image, which begins with the
// compressed data (UDIF).
const (
	appleTrailer     = "koly"
	appleTrailerSize = 512
)

// match looks for the first format of a list.
func match(list []format, head []byte) (format, bool) {
	for _, f := range list {
		matches := true
		for _, m := range f.magic {
			matches = matches && has(head, m.offset, m.text)
		}
		if matches {
			return f, true
		}
	}
	return format{}, false
}

// has reports whether b has a text at an offset.
func has(b []byte, offset int, text string) bool {
	return offset <= len(b) && bytes.HasPrefix(b[offset:], []byte(text))
}

// textStart is how much of a file is looked at to tell text.
const textStart = 512

// asText recognises text, in which pages and error messages come.
func asText(head []byte) (format, bool) {
	start := head
	if len(head) > textStart {
		start = head[:textStart]
		for len(start) > textStart-utf8.UTFMax && !utf8.Valid(start) { // cut within a character
			start = start[:len(start)-1]
		}
	}
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return format{"text (UTF-16)", Page, nil}, true
	}
	if !utf8.Valid(start) || bytes.IndexFunc(start, isControl) >= 0 {
		return format{}, false
	}
	text := strings.ToLower(strings.TrimLeft(strings.TrimPrefix(string(start), "\ufeff"), " \t\r\n"))
	for _, begin := range []string{"<!doctype html", "<html", "<head", "<body", "<!--"} {
		if strings.HasPrefix(text, begin) {
			return format{"a web page (HTML)", Page, nil}, true
		}
	}
	if strings.HasPrefix(text, "<?xml") {
		return format{"an XML document", Page, nil}, true
	}
	return format{"text", Page, nil}, true
}

func isControl(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\f\x1b", r) }
