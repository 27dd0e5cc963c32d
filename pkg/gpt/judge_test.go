package gpt

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func mustContain(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(out) {
			t.Errorf("%q is not in\n%s", p, out)
		}
	}
}

// TestPartitionTools asks the programs of others about tables written here.
func TestPartitionTools(t *testing.T) {
	far := sample()
	far.EntriesAt, far.Entries = 12, 208
	for name, table := range map[string]Table{"usual": sample(), "entries elsewhere, and more of them": far} {
		t.Run(name, func(t *testing.T) {
			path := file(t, diskOf(t, table))
			if out := judge.Run(t, "gdisk", "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
				t.Errorf("sgdisk -v:\n%s", out)
			}
			mustContain(t, judge.Run(t, "gdisk", "sgdisk", "-p", path), `Disk identifier \(GUID\): `+sample().Disk.String(),
				`^ +1 +64 +1063 .* 8300  Daten`, `^ +5 +2048 +4095 .* EF00  EFI system`)
			mustContain(t, judge.Run(t, "fdisk", "sfdisk", "-d", path), `label: gpt`, `label-id: `+sample().Disk.String(),
				`1 : start= +64, size= +1000, type=`+LinuxFilesystem.String()+`, uuid=`+sample().Partitions[0].ID.String()+
					`, name="Daten .*", attrs="LegacyBIOSBootable GUID:60,63"`,
				`5 : start= +2048, size= +2048, type=`+EFISystem.String())
			if out := judge.Run(t, "fdisk", "sfdisk", "--verify", path); !strings.Contains(out, "No errors detected") {
				t.Errorf("sfdisk --verify:\n%s", out)
			}
		})
	}
}

// TestLargeSectors has sectors of 4096 bytes.
func TestLargeSectors(t *testing.T) {
	table := sample()
	table.SectorSize = 4096
	disk := diskOf(t, table)
	mustContain(t, judge.Run(t, "fdisk", "fdisk", "-b", "4096", "-l", file(t, disk)), `Disklabel type: gpt`,
		`1 +64 +1063 +1000 `, `5 +2048 +4095 +2048 `)
	if d := read(t, disk); d.SectorSize != 4096 || d.Primary == nil || d.Backup == nil || len(d.Findings) != 0 ||
		d.GPT().Partitions[1].Number != 5 {
		t.Errorf("Read = %+v", d)
	}
	// The disk without its first MiB, as far as firmware restores it from the end.
	clear(disk[:1<<20])
	if d := read(t, disk); d.SectorSize != 4096 || d.Primary != nil || d.Backup == nil {
		t.Errorf("without the primary copy: Read = %+v", d)
	}
}

// TestReadOthers reads what other programs write.
func TestReadOthers(t *testing.T) {
	type found struct {
		number  int
		start   int64
		sectors int64
		name    string
	}
	two := []found{{1, 2048, 1953, "first"}, {3, 4001, 1000, "third"}}
	for name, test := range map[string]struct {
		disk       []byte
		entriesAt  int64
		partitions []found
		hybrid     bool
	}{
		"sgdisk":                    {sgdiskDisk(t), 2, two, false},
		"sgdisk, entries elsewhere": {sgdiskDisk(t, "-j", "100"), 100, two, false},
		"sgdisk, hybrid":            {sgdiskDisk(t, "-h", "1:3"), 2, two, true},
		"sgdisk, 256 entries":       {sgdiskDisk(t, "-S", "256"), 2, two, false},
		"sfdisk": {
			sfdiskDisk(t, "label: gpt\ntable-length: 16\nstart=2048, size=1953, name=first\n3: start=4001, size=1000, name=third\n"), 2,
			two, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := read(t, test.disk)
			if len(d.Findings) != 0 || d.Primary == nil || d.Backup == nil || d.MBR == nil || d.MBR.Hybrid() != test.hybrid || !d.MBR.Protects() {
				t.Fatalf("Read = %+v", d)
			}
			if d.Primary.EntriesAt != test.entriesAt {
				t.Errorf("entries at sector %d, want %d", d.Primary.EntriesAt, test.entriesAt)
			}
			for _, table := range []*Table{d.Primary, d.Backup} {
				var got []found
				for _, p := range table.Partitions {
					got = append(got, found{p.Number, p.Start, p.Sectors, p.Name})
				}
				if !slices.Equal(got, test.partitions) {
					t.Errorf("partitions %+v, want %+v", got, test.partitions)
				}
			}
			if again := *d.Primary; name != "sgdisk, entries elsewhere" {
				primary, backup, err := again.Encode()
				if err != nil || !slices.Equal(primary.Header, test.disk[512:1024]) || !slices.Equal(backup.Header, test.disk[len(test.disk)-512:]) {
					t.Errorf("Encode of what was read gives other headers: %v", err)
				}
			}
		})
	}
}

// TestReadXorriso has a GPT without a protective MBR, which does not count, and entries behind
// an Apple partition map.
func TestReadXorriso(t *testing.T) {
	d := read(t, xorrisoDisc(t))
	if d.Primary == nil || d.Backup == nil || d.Primary.EntriesAt == usualEntriesAt || d.GPT() != nil {
		t.Fatalf("Read = %+v", d)
	}
	esp := slices.ContainsFunc(d.MBR.Partitions[:], func(r Record) bool { return r.Type == TypeEFISystem })
	if !d.MBR.HasTable() || !esp {
		t.Errorf("MBR = %+v, want an EFI system partition", d.MBR.Partitions)
	}
}

// TestReadMBR has disks without a GPT.
func TestReadMBR(t *testing.T) {
	d := read(t, sfdiskDisk(t, "label: dos\nlabel-id: 0x12345678\nstart=2048, size=100, type=83, bootable\nstart=4096, size=1000, type=ef\n"))
	want := [4]Record{{Indicator: Active, Type: 0x83, Start: 2048, Sectors: 100}, {Type: TypeEFISystem, Start: 4096, Sectors: 1000}}
	for i := range d.MBR.Partitions {
		d.MBR.Partitions[i].StartCHS, d.MBR.Partitions[i].EndCHS = [3]byte{}, [3]byte{}
	}
	if d.MBR.Signature != 0x12345678 || d.MBR.Partitions != want || d.MBR.Protects() || d.Signed || d.GPT() != nil || len(d.Findings) != 0 {
		t.Errorf("Read = %+v, MBR %+v", d, d.MBR)
	}
	// A file system has the signature, too, and text where the entries would be.
	path := file(t, make([]byte, 4<<20))
	judge.Run(t, "dosfstools", "mkfs.vfat", "-I", path)
	disk := contents(t, path)
	copy(disk[446:], "NTLDR is missing")
	if d := read(t, disk); d.MBR == nil || d.MBR.HasTable() {
		t.Errorf("MBR of a file system = %+v", d.MBR)
	}
}

// TestMBRTools asks about an MBR written here.
func TestMBRTools(t *testing.T) {
	mbr := MBR{Signature: 0xCAFEF00D, Partitions: [4]Record{
		{Indicator: Active, Type: 0x83, Start: 2048, Sectors: 100},
		{},
		{Type: TypeEFISystem, Start: 4096, Sectors: 1000},
	}}
	disk := make([]byte, 4<<20)
	copy(disk, mbr.Bytes())
	mustContain(t, judge.Run(t, "fdisk", "sfdisk", "-d", file(t, disk)), `label: dos`, `label-id: 0xcafef00d`,
		`1 : start= +2048, size= +100, type=83, bootable`, `3 : start= +4096, size= +1000, type=ef`)
	if got, ok := ParseMBR(disk); !ok || got != mbr {
		t.Errorf("ParseMBR = %+v, %t, want %+v", got, ok, mbr)
	}
}
