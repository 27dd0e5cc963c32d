package gpt

import (
	"bytes"
	"testing"
)

// FuzzRead reads disks that begin and end with anything. What is believed and sound is written
// again and must be read the same.
func FuzzRead(f *testing.F) {
	large := sample()
	large.SectorSize = 4096
	for _, disk := range [][]byte{
		diskOf(f, sample()), diskOf(f, large), sgdiskDisk(f), sgdiskDisk(f, "-h", "1:3"), sgdiskDisk(f, "-j", "40"),
		sfdiskDisk(f, "label: gpt\nstart=2048, size=100\n"), sfdiskDisk(f, "label: dos\nstart=2048, size=100\n"), xorrisoDisc(f),
	} {
		const ends = 36 << 10
		f.Add(disk[:ends], disk[len(disk)-ends:])
	}
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		const middle = 64 << 10
		disk := append(append(bytes.Clone(head), make([]byte, middle)...), tail...)
		d, err := Read(bytes.NewReader(disk), int64(len(disk)))
		if err != nil {
			t.Fatal(err)
		}
		if d.MBR != nil {
			d.MBR.Boots()
			if again, ok := ParseMBR(d.MBR.Bytes()); !ok || again != *d.MBR {
				t.Errorf("the MBR %+v is %+v when written and read", *d.MBR, again)
			}
		}
		table := d.GPT()
		if table == nil || table.Sectors > 1<<20 {
			return
		}
		primary, _, err := table.Encode()
		if err != nil {
			return // overlaps, for instance
		}
		size := int64(table.SectorSize)
		again := &memory{make([]byte, table.Sectors*size)}
		copy(again.b, d.MBR.Bytes())
		if primary.HeaderAt*size >= int64(len(again.b)) {
			t.Fatalf("a disk of %d sectors", table.Sectors)
		}
		if err := table.Write(again); err != nil {
			t.Fatal(err)
		}
		if got := read(t, again.b); got.Primary == nil || !samePartitions(got.Primary.Partitions, table.Partitions) {
			t.Errorf("the table %+v is %+v when written and read: %v", table, got.Primary, got.Findings)
		}
	})
}
