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

// MaxImage is what the largest file of FAT has, in bytes (FAT 1.03, page 26).
const MaxImage = math.MaxUint32

// TooLargeError says that no file of FAT has room for an image.
type TooLargeError struct{ Size int64 } // bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an image of %d bytes is no file on FAT, where the largest has %d", e.Size, int64(MaxImage))
}

// Places of the disk, in bytes.
const (
	sector   = 512
	mebibyte = 1 << 20
	start    = mebibyte // of the first partition, as is usual
	spare    = 8 * mebibyte
)

// typeFAT32 is that of an MBR partition with FAT32 that is addressed by sectors.
const typeFAT32 = 0x0c

// Disk is one with an image.
type Disk struct {
	r    *layer.Reader // zeros are between what is on it
	size int64
}

// New lays out a disk with an image of so many bytes on FAT, and with that program of GRUB on an EFI system
// partition behind it, under that name, "BOOTX64.EFI". The image is read when the disk is. The error
// is a *TooLargeError, or ctx's.
func New(ctx context.Context, image io.ReaderAt, size int64, program []byte, name string) (*Disk, error) {
	if size > MaxImage {
		return nil, &TooLargeError{size}
	}
	volume, head, at, err := carrying(ctx, size)
	if err != nil {
		return nil, err
	}
	esp, err := loading(ctx, program, name)
	if err != nil {
		return nil, err
	}
	second := start + volume
	end := second + int64(len(esp)) + mebibyte
	table := gpt.MBR{Signature: 0x6c697665}
	table.Partitions[0] = gpt.Record{Type: typeFAT32, Start: start / sector, Sectors: uint32(volume / sector)}
	table.Partitions[1] = gpt.Record{Indicator: gpt.Active, Type: gpt.TypeEFISystem, Start: uint32(second / sector), Sectors: uint32(len(esp) / sector)}
	r := layer.Over(layer.Zeros(end)).Put(0, table.Bytes()).Put(start, head).PutFrom(start+at, size, image).Put(second, esp)
	return &Disk{r, end}, nil
}

// Size returns the size of the disk in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt reads the disk.
func (d *Disk) ReadAt(b []byte, offset int64) (int, error) { return d.r.ReadAt(b, offset) }

// carrying lays out the file system with the image: its size, all that comes before the image, and where that
// lies.
func carrying(ctx context.Context, size int64) (volume int64, head []byte, at int64, err error) {
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

// loading makes the EFI system partition.
func loading(ctx context.Context, program []byte, name string) ([]byte, error) {
	l, err := fat.Image{
		Label: "LOADER", Serial: 0x22222222,
		Size: (int64(len(program))/mebibyte + 4) * mebibyte,
		Files: []fat.File{
			{Path: "EFI/BOOT/" + name, Data: program},
			{Path: "EFI/BOOT/grub.cfg", Data: []byte(menu)},
		},
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
