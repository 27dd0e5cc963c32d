package boot

import (
	"bytes"
	"context"
	"time"

	"github.com/livebuild/livebuild/pkg/fat"
)

// The EFI system partition. The menu finds it by its serial number; the label
// keeps it apart from the medium in /dev/disk/by-label.
const (
	espPath   = "boot/efi.img"
	espSerial = 0x12345678
	espUUID   = "1234-5678" // the serial as GRUB and blkid write it
	espLabel  = "EFIBOOT"
)

var espTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const mebibyte = 1 << 20

// espSize returns the size of the file system for contents of so many bytes:
// a tenth more for the tables, in whole MiB, as nixpkgs reckons.
func espSize(contents int64) int64 {
	used := (contents + mebibyte - 1) / mebibyte
	return (used*110/100 + 1) * mebibyte
}

// espImage returns the EFI system partition with those files.
func espImage(ctx context.Context, files []fat.File) ([]byte, error) {
	var contents int64
	for _, f := range files {
		contents += int64(len(f.Data))
	}
	layout, err := fat.Image{
		Label: espLabel, Serial: espSerial, Time: espTime, Size: espSize(contents), Files: files,
	}.Layout()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := layout.Write(ctx, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
