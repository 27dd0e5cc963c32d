package hybridiso

import (
	"encoding/binary"
	"testing"
)

// TestStructureSizes holds the structures against the lengths that their
// specifications give.
func TestStructureSizes(t *testing.T) {
	for _, test := range []struct {
		name      string
		structure any
		want      int
	}{
		{"ECMA-119 8.4 volume descriptor", volumeDescriptor{}, 2048},
		{"ECMA-119 8.2 boot record", bootRecord{}, 2048},
		{"ECMA-119 8.3 set terminator", setTerminator{}, 2048},
		{"ECMA-119 8.4.26.1 date", longDate{}, 17},
		{"ECMA-119 9.1 directory record", directoryRecord{}, directoryRecordLength},
		{"ECMA-119 9.1.5 date", shortDate{}, 7},
		{"ECMA-119 9.4 path table record", pathTableRecord{}, 8},
		{"SUSP header", suspHeader{}, suspHeaderLength},
		{"SUSP 5.1 CE", continuationArea{}, continuationLength},
		{"SUSP 5.3 SP", sharingProtocol{}, sharingProtocolLength},
		{"SUSP 5.5 ER", extensionsReference{}, extensionsLength},
		{"RRIP 4.1.1 PX", posixAttributes{}, posixLength},
		{"RRIP 4.1.3 SL", flaggedEntry{}, flaggedLength},
		{"RRIP 4.1.3.1 component", linkComponent{}, componentLength},
		{"RRIP 4.1.6 TF", timeStamps{}, timeStampsLength},
		{"El Torito validation entry", validationEntry{}, catalogEntryLength},
		{"El Torito default and section entry", bootEntry{}, catalogEntryLength},
		{"El Torito section header", sectionHeader{}, catalogEntryLength},
		{"boot information table", bootInformationTable{}, bootInformationEnd - bootInformationOffset},
	} {
		if got := binary.Size(test.structure); got != test.want {
			t.Errorf("%s: binary.Size = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestPartitionVolumeID(t *testing.T) {
	for _, test := range []struct{ id, want string }{
		{"NIXOS", "NIXOS.p1"},
		{"abcdefghijklmnopqrstuvwxyz012", "abcdefghijklmnopqrstuvwxyz012.p1"},
		{"abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012.p1"},
		{"abcdefghijklmnopqrstuvwxyz012.p1", "abcdefghijklmnopqrstuvwxyz012.p2"},
	} {
		if got := PartitionVolumeID(test.id); got != test.want {
			t.Errorf("PartitionVolumeID(%q) = %q, want %q", test.id, got, test.want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	long := "abcdefghijklmnopqrstuvwxyz0123456789"
	for _, test := range []struct {
		name     string
		dir      bool
		primary  string
		joliet   string
		suffixed string // primary, with suffix _1
	}{
		{"kernel", false, "KERNEL.", "kernel", "KERNEL_1."},
		{"kernel", true, "KERNEL", "kernel", "KERNEL_1"},
		{"nix-store.squashfs", false, "NIX_STORE.SQUASHFS", "nix-store.squashfs", "NIX_STORE_1.SQUASHFS"},
		{".boot.cat", false, "_BOOT.CAT", ".boot.cat", "_BOOT_1.CAT"},
		{".disk", false, "_DISK.", ".disk", "_DISK_1."},
		{"linux-6.6.1", true, "LINUX_6_6_1", "linux-6.6.1", "LINUX_6_6_1_1"},
		{"...", false, "__.", "___", "___1."},
		{"é:?", false, "____.", "é__", "_____1."},
		{"\xff", false, "_.", "_", "__1."},
		{"🦊", true, "____", "_", "_____1"},
		{long, true, "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234", long, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012_1"},
		{long + ".c32", false, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0.C32", long + ".c32", "ABCDEFGHIJKLMNOPQRSTUVWXY_1.C32"},
		{"a." + long, false, "A.ABCDEFGHIJKLMNO", "a." + long[:31], "A_1.ABCDEFGHIJKLMNO"},
	} {
		if got := primaryIdentifier(test.name, test.dir, ""); got != test.primary {
			t.Errorf("primaryIdentifier(%q, %v) = %q, want %q", test.name, test.dir, got, test.primary)
		}
		if got := primaryIdentifier(test.name, test.dir, "_1"); got != test.suffixed {
			t.Errorf("primaryIdentifier(%q, %v, _1) = %q, want %q", test.name, test.dir, got, test.suffixed)
		}
		if got := jolietIdentifier(test.name, test.dir, ""); got != ucs2(test.joliet) {
			t.Errorf("jolietIdentifier(%q, %v) = %q, want %q", test.name, test.dir, got, ucs2(test.joliet))
		}
	}
}
