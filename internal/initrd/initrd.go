// Package initrd is what a boot loader puts into memory for a kernel, with the store of a whole
// system in it: the first stage as its system has it, compressed, and behind that an archive with a
// squashfs that is not compressed again. So parts of the squashfs can be shared with other files, and
// it can be read without unpacking what is around it.
package initrd

import (
	"bytes"
	"io"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// Store is the file with the store. The first stage of NixOS knows it by this name
// (nixos/modules/installer/netboot/netboot.nix).
const Store = "nix-store.squashfs"

// unit is of what the place of the squashfs is a multiple, in bytes: file systems share blocks of
// that size.
const unit = 4096

// Carrier is the archive with a store that goes behind so many bytes.
func Carrier(behind int64) cpio.Carrier {
	return cpio.Carrier{Name: Store, Mode: cpio.ModeRegular | 0o444, Behind: behind, Unit: unit}
}

// maxStage1 is more than stands before the store in any initrd, in bytes.
const maxStage1 = 512 << 20

// magic begins a squashfs (fs/squashfs/squashfs_fs.h, SQUASHFS_MAGIC).
var magic = []byte("hsqs")

// tail is how much of the end of an archive is looked at, in bytes: others than livebuild fill it up
// to a multiple of 512.
const tail = 4 << 10

// FindStore returns where the squashfs is in what may be an initrd of size bytes, which ends with an
// archive that is not compressed. The error wraps [cpio.ErrNotCarried] if there is none.
func FindStore(r io.ReaderAt, size int64) (*io.SectionReader, error) {
	end := make([]byte, min(size, tail))
	if _, err := r.ReadAt(end, size-int64(len(end))); err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Contains(end, []byte(cpio.Trailer)) {
		return nil, cpio.ErrNotCarried
	}
	return cpio.Find(r, size, Store, unit, magic, maxStage1)
}
