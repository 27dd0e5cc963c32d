package imagefile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/judge"
)

// script runs a shell in a folder with "tree", the files of a disc, and returns
// the folder.
func script(t *testing.T, lines string) string {
	t.Helper()
	folder := t.TempDir()
	judge.Run(t, "dash", "sh", "-euc", `cd "$1"; PATH=$PATH:/usr/sbin; mkdir tree tree/folder; head -c 300000 /dev/urandom > tree/a; echo text > tree/folder/b
`+lines, "sh", folder)
	return folder
}

// contents opens a file and says what it is, from its head and in one pass over
// it as it comes out of a decompressor.
func contents(t *testing.T, path string) (imagefile.Contents, error) {
	t.Helper()
	f, err := imagefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := f.Contents()
	_, checked := f.Check(t.Context(), imagefile.CheckOptions{})
	const small = 64 << 20 // enough to be compressed in a moment
	if f.Format == imagefile.Plain && f.FileSize < small {
		compressed := filepath.Join(t.TempDir(), filepath.Base(path))
		judge.Run(t, "dash", "sh", "-euc", `gzip -1c "$1" > "$2"`, "sh", path, compressed)
		g, err := imagefile.Open(compressed)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		_, checked = g.Check(t.Context(), imagefile.CheckOptions{})
	}
	if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", checked) && !errors.As(err, new(*imagefile.DamagedError)) {
		t.Errorf("looked at: %v; read to its end: %v", err, checked)
	}
	return c, err
}

// TestWhole takes images of other programs, each whole and each with a byte, and
// then half of it, missing.
func TestWhole(t *testing.T) {
	const floppy = `mkfs.vfat -C floppy.img 1440 > /dev/null; cp floppy.img tree/floppy.img; `
	const disk = `truncate -s 16M image; `
	for name, test := range map[string]struct {
		lines  string
		what   string
		starts bool
		spare  int // bytes at the end that nothing speaks of
	}{
		"ISO of genisoimage":        {`genisoimage -quiet -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO with Rock Ridge":       {`genisoimage -quiet -R -J -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO without padding":       {`genisoimage -quiet -R -no-pad -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO with UDF":              {`genisoimage -quiet -R -udf -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO with HFS":              {`genisoimage -quiet -hfs -part -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO with a floppy":         {floppy + `genisoimage -quiet -R -b floppy.img -c catalog -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO of two sessions":       {twoSessions, "an ISO 9660 volume", false, 384 << 10},
		"second session":            {twoSessions + `; mv second image`, "an ISO 9660 volume", false, 0},
		"ISO of xorriso":            {`xorriso -as mkisofs -quiet -R -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO grown by xorriso":      {`xorriso -as mkisofs -quiet -R -o image tree; xorriso -dev image -map tree/a /more`, "an ISO 9660 volume", false, 400 << 10},
		"ISO with a partition":      {`xorriso -as mkisofs -quiet -R -partition_offset 16 -o image tree`, "an ISO 9660 volume", false, 0},
		"ISO with one appended":     {floppy + `xorriso -as mkisofs -quiet -R -append_partition 2 0xef floppy.img -o image tree`, "an ISO 9660 volume", true, 350 << 10},
		"ISO with one in a GPT":     {floppy + `xorriso -as mkisofs -quiet -R -append_partition 2 0xef floppy.img -appended_part_as_gpt -o image tree`, "an ISO 9660 volume", true, 0},
		"disk with an MBR":          {disk + `echo '2048 - 83' | sfdisk -q image`, "a disk with an MBR", true, 0},
		"disk with an extended MBR": {disk + `printf '2048 4096 83\n8192 - 5\n10240 - 83\n' | sfdisk -q image`, "a disk with an MBR", true, 0},
		"disk with a GPT":           {disk + `sgdisk -n 1:2048:0 -t 1:ef00 image`, "a disk with a GPT", true, 0},
		"disk with a hybrid MBR":    {disk + `sgdisk -n 1:2048:0 -h 1 image`, "a disk with a GPT", true, 0},
		"disk larger than its GPT":  {disk + `sgdisk -n 1:2048:0 image; truncate -s 17M image`, "a disk with a GPT", true, 1 << 20},
		"ext4":                      {disk + `mkfs.ext4 -q image`, "a bare file system (ext4)", false, 0},
		"ext2, small blocks":        {disk + `mkfs.ext2 -q -b 1024 image`, "a bare file system (ext4)", false, 0},
		"FAT12":                     {`mkfs.vfat -C image 1440`, "a bare file system (FAT)", true, 0},
		"FAT16":                     {disk + `mkfs.vfat -F 16 image`, "a bare file system (FAT)", true, 0},
		"FAT32":                     {`truncate -s 40M image; mkfs.vfat -F 32 image`, "a bare file system (FAT)", true, 0},
		"FAT of mtools":             {`mformat -C -f 1440 -i image ::`, "a bare file system (FAT)", true, 0},
		"XFS":                       {`truncate -s 320M image; mkfs.xfs -q image`, "a bare file system (XFS)", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(script(t, test.lines), "image")
			c, err := contents(t, path)
			if err != nil || c.What != test.what || c.Starts != test.starts {
				t.Fatalf("%q, starts: %t, %v; want %q, %t", c.What, c.Starts, err, test.what, test.starts)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int64{info.Size() - int64(test.spare) - 1, info.Size() / 2} {
				if err := os.Truncate(path, size); err != nil {
					t.Fatal(err)
				}
				var incomplete *imagefile.IncompleteError
				if _, err := contents(t, path); !errors.As(err, &incomplete) || incomplete.Size != size || incomplete.Need <= size || incomplete.Need > info.Size() {
					t.Errorf("with %d of %d bytes: %v", size, info.Size(), err)
				}
			}
		})
	}
}

// twoSessions writes a disc, and another session behind it.
const twoSessions = `genisoimage -quiet -R -o image tree
blocks=$(( ($(stat -c %s image) / 2048 + 15) / 16 * 16 )); truncate -s $((blocks * 2048)) image
echo more > tree/more; genisoimage -quiet -R -C 0,$blocks -M image -o second tree; cat second >> image`

// TestPreallocated has room for all of an image, and zeros at its end, as some
// programs begin a download.
func TestPreallocated(t *testing.T) {
	path := filepath.Join(script(t, `truncate -s 16M image; sgdisk -n 1:2048:0 image; truncate -s 12M image; truncate -s 16M image`), "image")
	var incomplete *imagefile.IncompleteError
	if _, err := contents(t, path); !errors.As(err, &incomplete) || incomplete.Need != 16<<20 || !strings.Contains(err.Error(), "backup GPT") {
		t.Errorf("error %v", err)
	}
}

// TestForeign gives what people take for images, made by the programs that make
// them.
func TestForeign(t *testing.T) {
	const image = `mkfs.ext4 -q image 16M; `
	for name, test := range map[string]struct {
		lines string // leaves "out"
		what  string
		kind  imagefile.Kind
	}{
		"zip":               {image + `zip -q out.zip image; mv out.zip out`, "a zip archive", imagefile.Archive},
		"tar":               {image + `tar cf out image`, "a tar archive", imagefile.Archive},
		"tar of POSIX":      {image + `tar --format=posix -cf out image`, "a tar archive", imagefile.Archive},
		"tar.gz":            {image + `tar czf out image`, "a tar archive", imagefile.Archive},
		"tar.xz":            {image + `tar cJf out image`, "a tar archive", imagefile.Archive},
		"bzip2":             {image + `bzip2 -c image > out`, "bzip2 data", imagefile.Compressed},
		"bzip2 of nothing":  {`bzip2 < /dev/null > out`, "bzip2 data", imagefile.Compressed},
		"lz4":               {image + `lz4 -qc image > out`, "lz4 data", imagefile.Compressed},
		"lz4 of old":        {image + `lz4 -lqc image > out`, "lz4 data", imagefile.Compressed},
		"lz4 behind a skip": {image + `{ printf '\121\052\115\030\004\000\000\000abcd'; lz4 -qc image; } > out`, "lz4 data", imagefile.Compressed},
		"lzma":              {image + `xz --format=lzma -c image > out`, "lzma data", imagefile.Compressed},
		"gzip in xz":        {image + `gzip -c image | xz -c > out`, "gzip data", imagefile.Compressed},
		"xz in gzip":        {image + `xz -c image | gzip -c > out`, "xz data", imagefile.Compressed},
		"zip in zstd":       {image + `zip -q out.zip image; zstd -qc out.zip > out`, "a zip archive", imagefile.Archive},
		"squashfs":          {`mksquashfs tree out -quiet -no-progress`, "a squashfs file system", imagefile.Part},
		"program":           {`cp /bin/sh out`, "a program (ELF)", imagefile.Other},
		"swap":              {`truncate -s 1M out; mkswap out`, "swap space", imagefile.Other},
		"script":            {`printf '#!/bin/sh\necho hello\n' > out`, "a script", imagefile.Other},
		"web page":          {`printf '<!DOCTYPE html>\n<title>404</title>\n<p>There is nothing here any more, sorry' > out`, "a web page (HTML)", imagefile.Page},
		"web page, bare":    {`printf '\n  <HTML><head>' > out`, "a web page (HTML)", imagefile.Page},
		"XML":               {`printf '\357\273\277<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' > out`, "an XML document", imagefile.Page},
		"message":           {`printf 'Too many requests\n' > out`, "text", imagefile.Page},
		"Git LFS":           {`printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n' > out`, "a Git LFS pointer", imagefile.Page},
		"signature":         {`printf -- '-----BEGIN PGP SIGNATURE-----\n' > out`, "an OpenPGP message or signature", imagefile.Page},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var foreign *imagefile.ForeignError
			if _, err := contents(t, filepath.Join(script(t, test.lines), "out")); !errors.As(err, &foreign) || foreign.What != test.what || foreign.Kind != test.kind {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestMagic has the first bytes of formats whose programs are not everywhere.
// Behind them comes what could be a disk with partitions.
func TestMagic(t *testing.T) {
	for what, begin := range map[string]string{
		"a QCOW image":                          "QFI\xfb\x00\x00\x00\x03",
		"a VMDK image":                          "KDMV\x01\x00\x00\x00",
		"the description of a VMDK image":       "# Disk DescriptorFile\nversion=1\n",
		"a VDI image":                           "<<< Oracle VM VirtualBox Disk Image >>>\n" + strings.Repeat("\x00", 24) + "\x7f\x10\xda\xbe",
		"a VHDX image":                          "vhdxfileQ\x00E\x00M\x00U\x00",
		"a VHD image":                           "conectix\x00\x00\x00\x02",
		"an Android sparse image":               "\x3a\xff\x26\xed\x01\x00\x00\x00\x1c\x00\x0c\x00",
		"a cpio archive":                        "070701003E9C2D000081A4",
		"a 7z archive":                          "7z\xbc\xaf\x27\x1c\x00\x04",
		"a RAR archive":                         "Rar!\x1a\x07\x01\x00",
		"a PDF document":                        "%PDF-1.7\n%\xe2\xe3\xcf\xd3",
		"a Windows image (WIM)":                 "MSWIM\x00\x00\x00\xd0\x00\x00\x00",
		"a disc image of raw sectors (BIN/CUE)": "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x02\x00\x01",
		"a volume encrypted by LUKS":            "LUKS\xba\xbe\x00\x02",
		"a torrent":                             "d8:announce31:http://tracker.example/announce",
	} {
		b := make([]byte, 2<<20)
		copy(b, begin)
		b[446+4], b[446+8], b[446+12], b[510], b[511] = 0x83, 1, 9, 0x55, 0xaa
		path := filepath.Join(t.TempDir(), "image")
		write(t, path, b)
		var foreign *imagefile.ForeignError
		if _, err := contents(t, path); !errors.As(err, &foreign) || foreign.What != what {
			t.Errorf("%s: %v", what, err)
		}
	}
	// An Apple disk image begins with what it compresses, and is known by its end.
	b := image()
	copy(b[len(b)-512:], "koly\x00\x00\x00\x04")
	path := filepath.Join(t.TempDir(), "image.dmg")
	write(t, path, b)
	f, err := imagefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var foreign *imagefile.ForeignError
	if _, err := f.Contents(); !errors.As(err, &foreign) || foreign.Kind != imagefile.AppleImage {
		t.Errorf("an Apple disk image: %v", err)
	}
}

// TestUnknown gives bytes that are nothing.
func TestUnknown(t *testing.T) {
	for name, b := range map[string][]byte{
		"noise":            image(),
		"zeros":            make([]byte, 3<<20),
		"a sector":         make([]byte, 512),
		"a boot sector":    append(make([]byte, 510), 0x55, 0xaa),
		"volume, no end":   append(make([]byte, 32768), "\x01CD001"...),
		"short descriptor": append(make([]byte, 32768), "\x02CD001\x01"...),
	} {
		path := filepath.Join(t.TempDir(), "image")
		write(t, path, b)
		var unknown *imagefile.UnknownError
		if _, err := contents(t, path); !errors.As(err, &unknown) || (unknown.Zeros > 0) != strings.HasPrefix(name, "zeros") && name != "a sector" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
