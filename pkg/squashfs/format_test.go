package squashfs

import (
	"encoding/binary"
	"testing"
)

// TestSizes holds the structures against the sizes that follow from
// fs/squashfs/squashfs_fs.h of Linux. The kernel's inode structures begin with
// the common header, ours come after it.
func TestSizes(t *testing.T) {
	const header = 16
	for _, test := range []struct {
		kernel string
		value  any
		before int
		want   int
	}{
		{"squashfs_super_block", superblock{}, 0, 96},
		{"squashfs_base_inode", inodeHeader{}, 0, 16},
		{"squashfs_dir_inode", dirInode{}, header, 32},
		{"squashfs_ldir_inode", extDirInode{}, header, 40},
		{"squashfs_reg_inode", fileInode{}, header, 32},
		{"squashfs_lreg_inode", extFileInode{}, header, 56},
		{"squashfs_symlink_inode", symlinkInode{}, header, 24},
		{"squashfs_dev_inode", deviceInode{}, header, 24},
		{"squashfs_ipc_inode", ipcInode{}, header, 20},
		{"squashfs_dir_index", dirIndex{}, 0, 12},
		{"squashfs_dir_header", dirHeader{}, 0, 12},
		{"squashfs_dir_entry", dirEntry{}, 0, 8},
		{"squashfs_fragment_entry", fragmentEntry{}, 0, 16},
		{"squashfs_xattr_id_table", xattrTable{}, 0, 16},
		{"squashfs_xattr_id", xattrID{}, 0, 16},
		{"squashfs_xattr_entry", xattrEntry{}, 0, 4},
		{"inode reference, __le64", inodeRef(0), 0, inodeRefSize},
	} {
		if got := test.before + binary.Size(test.value); got != test.want {
			t.Errorf("size of %T = %d, struct %s has %d", test.value, got, test.kernel, test.want)
		}
	}
}

func TestInodeRef(t *testing.T) {
	const block, offset = 0xfedcba98, 0x1fff
	ref := newInodeRef(block, offset)
	if ref.block() != block || ref.offset() != offset {
		t.Errorf("newInodeRef(%#x, %#x) = %#x, holds %#x and %#x", block, offset, ref, ref.block(), ref.offset())
	}
}
