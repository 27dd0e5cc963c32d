// Package hybridiso writes hybrid ISO images: one file that is an optical disc
// for BIOS and UEFI firmware, and byte for byte also a bootable disk or stick.
// It reads ISO images of any maker.
//
// Written are ISO 9660 interchange level 3 (ECMA-119, 4th edition) with Rock
// Ridge 1.10 over SUSP 1.12, a Joliet hierarchy, El Torito 1.0 boot entries
// without emulation, and, for disks, an MBR and a GPT (UEFI 2.10, chapter 5).
// Rock Ridge 1.12 would add serial numbers, for hard links, under another
// identification that not all readers know.
//
// Left out are emulated floppies, hard links, device files, owners other than
// root, write permissions, sparse files, Apple hierarchies, and multi-session
// discs. Directories may nest deeper than the eight levels of ECMA-119, as
// Linux, GRUB and isolinux read them; nothing is relocated.
//
// # Reading
//
// [ReadVolume] reads the descriptors, the boot catalog and the partition tables of
// an image; [Open] reads its files, as an [io/fs.FS], with the names of Rock Ridge,
// of Joliet, or of ISO 9660 alone, and tells where each lies. Directories that
// were moved for being too deep, files in several sections and those that other
// systems hide are where Linux has them. Files of zisofs stay compressed.
//
// # One pass
//
// All files but one are known when the layout is made. The one, the stream,
// is written in place while its size is still unknown, so a file system image
// can be compressed straight into the disc. What depends on its size is either
// behind it or in the head, and the head is written last: an image that was
// interrupted is not a volume. Every byte is written once.
//
//	block 0      system area: MBR, GPT
//	block 16     volume descriptors of the image
//	block 32     volume descriptors of partition 1 (hybrid images)
//	             path tables, directories, Rock Ridge continuations, boot catalog
//	             ordinary files, in the order of their paths
//	             the stream, at a multiple of 1 MiB
//	             the EFI system partition, at a multiple of 1 MiB
//	             backup GPT in the last 33 sectors; the end is a multiple of 1 MiB
//
// # Two volumes
//
// A partition table must be valid for strict firmware, so partitions must not
// overlap, and the disk's ISO 9660 volume cannot itself be a partition: a
// partition at sector 0 would hold its own table. Partition 1 therefore begins
// at block 16, where a second set of descriptors and directories makes it a
// volume of its own, with addresses counted from there and with a volume
// identifier of its own (see [PartitionVolumeID]). The identifier matters:
// udev lets a partition without a label inherit that of its disk, and a
// live system that mounts /dev/disk/by-label/… could then get either.
//
// The second volume holds all files except the EFI system partition, which
// lies outside of partition 1.
package hybridiso
