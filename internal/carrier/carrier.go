// Package carrier lays out disks that have an image as a file, beside a boot loader of someone else's that
// starts it from there: what people make who keep several images on one stick.
//
// A disk is never written anywhere. It is read from what it is made of: tables and a boot loader
// that are kept in memory, and the image where it lies.
package carrier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/livebuild/livebuild/internal/layer"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/gpt"
)

// Path is that of the image on the disk's first partition.
const Path = "/images/live.iso"

// largestOnFAT is what the largest file of FAT has, in bytes (FAT 1.03, page 26).
const largestOnFAT = math.MaxUint32

// FileSystem is what a disk keeps the image on.
type FileSystem int

// FAT is FAT32, as sticks have it, or exFAT where the image is larger than a file of FAT can be.
const (
	FAT FileSystem = iota
	ExFAT
	Ext4
)

// Places of the disk, in bytes.
const (
	sector   = 512
	mebibyte = 1 << 20
	start    = mebibyte // of the first partition, as is usual
	spare    = 8 * mebibyte
)

// Types of MBR partitions: FAT32 that is addressed by sectors, exFAT, those of Linux.
const (
	typeFAT32 = 0x0c
	typeExFAT = 0x07
	typeLinux = 0x83
)

// Disk is one with an image.
type Disk struct {
	r    *layer.Reader // zeros are between what is on it
	size int64
}

// New lays out a disk with an image of so many bytes, and with a program of GRUB: on an EFI system partition behind
// the file system, or before that, where a BIOS looks. The image is read when the disk is. The error is ctx's, or
// says that there is no room for the program.
func New(ctx context.Context, image io.ReaderAt, size int64, on FileSystem, program Program) (*Disk, error) {
	if len(program.BIOS) > start-sector {
		return nil, fmt.Errorf("GRUB's program has %d bytes, and there are %d before the first partition", len(program.BIOS), start-sector)
	}
	volume, head, at, kind, err := carrying(ctx, size, on)
	if err != nil {
		return nil, err
	}
	esp, err := loading(ctx, program)
	if err != nil {
		return nil, err
	}
	second := start + volume
	end := second + int64(len(esp)) + mebibyte
	table := gpt.MBR{Code: program.MBR, Signature: 0x6c697665}
	table.Partitions[0] = gpt.Record{Type: kind, Start: start / sector, Sectors: uint32(volume / sector)}
	table.Partitions[1] = gpt.Record{Indicator: gpt.Active, Type: gpt.TypeEFISystem, Start: uint32(second / sector), Sectors: uint32(len(esp) / sector)}
	r := layer.Over(layer.Zeros(end)).Put(0, table.Bytes()).Put(sector, program.BIOS).Put(start, head).PutFrom(start+at, size, image).Put(second, esp)
	return &Disk{r, end}, nil
}

// Size returns the size of the disk in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt reads the disk.
func (d *Disk) ReadAt(b []byte, offset int64) (int, error) { return d.r.ReadAt(b, offset) }

// carrying lays out the file system with the image, and says which type a partition with it has: as fat32 does.
func carrying(ctx context.Context, size int64, on FileSystem) (volume int64, head []byte, at int64, kind byte, err error) {
	switch {
	case on == Ext4:
		kind = typeLinux
		volume, head, at, err = ext4(size)
	case on == ExFAT || size > largestOnFAT:
		kind = typeExFAT
		volume, head, at = exfat(size)
	default:
		kind = typeFAT32
		volume, head, at, err = fat32(ctx, size)
	}
	return volume, head, at, kind, err
}

// fat32 lays out a FAT32 file system with the image: its size, all that comes before the image, and where that
// lies.
func fat32(ctx context.Context, size int64) (volume int64, head []byte, at int64, err error) {
	volume = (size + size/64 + spare + mebibyte - 1) / mebibyte * mebibyte
	file := fat.File{Path: strings.TrimPrefix(Path, "/"), Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil // of which nothing is kept
	}}
	// As large as they may be with which it is FAT32, as sticks are: tables are small then.
	for unit := 32 << 10; unit >= sector; unit /= 2 {
		l, err := fat.Image{Label: "CARRIER", Serial: 0x11111111, Size: volume, ClusterSize: unit, Files: []fat.File{file}}.Layout()
		if err != nil {
			return 0, nil, 0, err
		}
		if l.Clusters() < fat.FewestOfFAT32 && unit > sector {
			continue
		}
		at, _ := l.Offset(file.Path)
		b := &beginning{left: at}
		if err := l.Write(ctx, b); !errors.Is(err, errEnough) {
			return 0, nil, 0, err
		}
		return volume, b.data, at, nil
	}
	return 0, nil, 0, errors.New("no file system") // not reached
}

// errEnough ends the writing of a file system where its only file begins.
var errEnough = errors.New("the file is read elsewhere")

// beginning keeps the first bytes of what is written.
type beginning struct {
	data []byte
	left int64
}

func (b *beginning) Write(p []byte) (int, error) {
	n := min(b.left, int64(len(p)))
	b.data = append(b.data, p[:n]...)
	b.left -= n
	if int(n) < len(p) {
		return int(n), errEnough
	}
	return len(p), nil
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// loading makes the EFI system partition, on which GRUB's menu lies for a BIOS, too.
func loading(ctx context.Context, program Program) ([]byte, error) {
	files := []fat.File{{Path: "EFI/BOOT/grub.cfg", Data: []byte(menu)}}
	if program.Name != "" {
		files = append(files, fat.File{Path: "EFI/BOOT/" + program.Name, Data: program.UEFI})
	}
	l, err := fat.Image{
		Label: "LOADER", Serial: 0x22222222,
		Size:  (int64(len(program.UEFI))/mebibyte + 4) * mebibyte,
		Files: files,
	}.Layout()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = l.Write(ctx, &b)
	return b.Bytes(), err
}

// menu starts the image at once, as www.supergrubdisk.org/wiki/Loopback.cfg has it.
const menu = `set timeout=0
search --no-floppy --set=disk --file ` + Path + `
loopback loop ($disk)` + Path + `
set iso_path=` + Path + `
export iso_path
set root=(loop)
configfile /boot/grub/loopback.cfg
`
