package gpt

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

var seed = [16]byte{1, 2, 3}

// sample is a table with a gap in its numbers and everything set.
func sample() Table {
	return Table{
		Sectors: 8192, Disk: Derive(seed, "disk"),
		Partitions: []Partition{
			{Type: LinuxFilesystem, ID: Derive(seed, "1"), Start: 64, Sectors: 1000, Attributes: ReadOnly | NoAutomount | LegacyBoot, Name: "Daten € 🦊"},
			{Number: 5, Type: EFISystem, ID: Derive(seed, "5"), Start: 2048, Sectors: 2048, Name: "EFI system"},
		},
	}
}

// diskOf returns a disk with the table and a protective MBR.
func diskOf(t testing.TB, table Table) []byte {
	t.Helper()
	unit := table.SectorSize
	if unit == 0 {
		unit = usualSector
	}
	d := &memory{make([]byte, table.Sectors*int64(unit))}
	mbr := MBR{Signature: DeriveSignature(seed, "MBR")}
	mbr.Partitions[0] = Protective(table.Sectors)
	copy(d.b, mbr.Bytes())
	if err := table.Write(d); err != nil {
		t.Fatal(err)
	}
	return d.b
}

// memory is a disk that ends.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	return copy(m.b[offset:offset+int64(len(p))], p), nil
}

// read reads the tables of a disk.
func read(t testing.TB, disk []byte) *Disk {
	t.Helper()
	d, err := Read(bytes.NewReader(disk), int64(len(disk)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// file writes a disk to a file and returns its path.
func file(t testing.TB, disk []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// madeBy returns a disk of 4 MiB that another program partitions, which gets its path behind the arguments.
func madeBy(t testing.TB, debianPackage, program string, args ...string) []byte {
	t.Helper()
	path := file(t, make([]byte, 4<<20))
	judge.Run(t, debianPackage, program, append(args, path)...)
	return contents(t, path)
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sgdiskDisk is GPT fdisk's, with a hybrid MBR if wanted and its entries in a sector.
func sgdiskDisk(t testing.TB, args ...string) []byte {
	t.Helper()
	return madeBy(t, "gdisk", "sgdisk", append([]string{
		"-a", "1", "-n", "1:2048:4000", "-t", "1:8300", "-c", "1:first", "-A", "1:set:2",
		"-n", "3:4001:5000", "-t", "3:EF00", "-c", "3:third",
	}, args...)...)
}

// sfdiskDisk is util-linux', by a script.
func sfdiskDisk(t testing.TB, script string) []byte {
	t.Helper()
	path := file(t, make([]byte, 4<<20))
	commands := file(t, []byte(script))
	judge.Run(t, "fdisk", "sh", "-c", "PATH=$PATH:/usr/sbin; sfdisk --quiet "+path+" <"+commands)
	return contents(t, path)
}

// xorrisoDisc is a disc whose GPT has its entries behind an Apple partition map, and whose MBR
// has no protective entry.
func xorrisoDisc(t testing.TB) []byte {
	t.Helper()
	folder := t.TempDir()
	tree, out := filepath.Join(folder, "tree"), filepath.Join(folder, "out.iso")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "dosfstools", "mkfs.vfat", "--invariant", "-C", filepath.Join(tree, "efi.img"), "512")
	if err := os.WriteFile(filepath.Join(tree, "isolinux.bin"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-eltorito-boot", "isolinux.bin", "-no-emul-boot", "-boot-load-size", "4",
		"-boot-info-table", "-isohybrid-mbr", "/usr/lib/ISOLINUX/isohdpfx.bin", "-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot",
		"-isohybrid-gpt-basdat", "-isohybrid-apm-hfsplus", "-o", out, tree)
	return contents(t, out)
}
