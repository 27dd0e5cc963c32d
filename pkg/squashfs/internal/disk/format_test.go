package disk

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
		{"squashfs_super_block", Superblock{}, 0, 96},
		{"squashfs_base_inode", InodeHeader{}, 0, 16},
		{"squashfs_dir_inode", DirInode{}, header, 32},
		{"squashfs_ldir_inode", ExtDirInode{}, header, 40},
		{"squashfs_reg_inode", FileInode{}, header, 32},
		{"squashfs_lreg_inode", ExtFileInode{}, header, 56},
		{"squashfs_symlink_inode", SymlinkInode{}, header, 24},
		{"squashfs_dev_inode", DeviceInode{}, header, 24},
		{"squashfs_ipc_inode", IPCInode{}, header, 20},
		{"squashfs_dir_index", DirIndex{}, 0, 12},
		{"squashfs_dir_header", DirHeader{}, 0, 12},
		{"squashfs_dir_entry", DirEntry{}, 0, 8},
		{"squashfs_fragment_entry", FragmentEntry{}, 0, 16},
		{"squashfs_xattr_id_table", XattrTable{}, 0, 16},
		{"squashfs_xattr_id", XattrID{}, 0, 16},
		{"squashfs_xattr_entry", XattrEntry{}, 0, 4},
		{"inode reference, __le64", InodeRef(0), 0, InodeRefSize},
	} {
		if got := test.before + binary.Size(test.value); got != test.want {
			t.Errorf("size of %T = %d, struct %s has %d", test.value, got, test.kernel, test.want)
		}
	}
}

func TestInodeRef(t *testing.T) {
	const block, offset = 0xfedcba98, 0x1fff
	ref := NewInodeRef(block, offset)
	if ref.Block() != block || ref.Offset() != offset {
		t.Errorf("newInodeRef(%#x, %#x) = %#x, holds %#x and %#x", block, offset, ref, ref.Block(), ref.Offset())
	}
}
