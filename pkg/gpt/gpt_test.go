package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestStructureSizes holds the structures against the lengths that the UEFI specification gives.
func TestStructureSizes(t *testing.T) {
	for _, test := range []struct {
		name      string
		structure any
		want      int
	}{
		{"5.2.1 MBR", mbrSector{}, mbrSize},
		{"5.2.1 MBR partition", mbrEntry{}, 16},
		{"5.3.2 GPT header", header{}, headerSize},
		{"5.3.3 GPT entry", entry{}, entrySize},
	} {
		if got := binary.Size(test.structure); got != test.want {
			t.Errorf("%s: binary.Size = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestGUID(t *testing.T) {
	// As the specification's appendix A prints and records it.
	const text = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	want := GUID{0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11, 0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B}
	for _, s := range []string{text, strings.ToLower(text)} {
		if g, err := ParseGUID(s); g != want || err != nil || g.String() != text {
			t.Errorf("ParseGUID(%q) = %v, %v", s, g, err)
		}
	}
	for _, s := range []string{"", text[1:], text + "0", strings.ReplaceAll(text, "-", ""), "G" + text[1:], "C12A73-28F81F-11D2-BA4B-00A0C93EC93B"} {
		if g, err := ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) = %v, want an error", s, g)
		}
	}
	if a, b := Derive(seed, "a"), Derive(seed, "b"); a == b || a == Derive([16]byte{}, "a") || a.String()[14] != '8' || a != Derive(seed, "a") {
		t.Errorf("Derive = %v and %v, want different ones of version 8", a, b)
	}
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	want.SectorSize, want.FirstUsable, want.LastUsable = 512, 34, 8192-34
	want.Entries, want.EntrySize, want.EntriesAt = 128, 128, 2
	want.Partitions[0].Number = 1
	d := read(t, diskOf(t, sample()))
	if len(d.Findings) != 0 || !reflect.DeepEqual(*d.Primary, want) {
		t.Errorf("primary = %+v, %v, want %+v", *d.Primary, d.Findings, want)
	}
	want.EntriesAt = 8192 - 33
	if !reflect.DeepEqual(*d.Backup, want) {
		t.Errorf("backup = %+v, want %+v", *d.Backup, want)
	}
}

// TestEncodeRefuses names every limit.
func TestEncodeRefuses(t *testing.T) {
	first := func(change func(*Partition)) func(*Table) { return func(t *Table) { change(&t.Partitions[0]) } }
	for name, test := range map[string]struct {
		change func(*Table)
		want   string
	}{
		"sectors of 256 bytes":   {func(t *Table) { t.SectorSize = 256 }, "sectors of 256 bytes"},
		"sectors of 8192 bytes":  {func(t *Table) { t.SectorSize = 8192 }, "sectors of 8192 bytes"},
		"sectors of 520 bytes":   {func(t *Table) { t.SectorSize = 520 }, "sectors of 520 bytes"},
		"small disk":             {func(t *Table) { t.Sectors = 67 }, "on a disk of 67"},
		"no disk":                {func(t *Table) { t.Sectors = 0 }, "on a disk of 0"},
		"negative disk":          {func(t *Table) { t.Sectors = math.MinInt64 }, "disk of -9223372036854775808 sectors"},
		"huge disk":              {func(t *Table) { t.Sectors = math.MaxInt64 }, "disk of 9223372036854775807 sectors"},
		"odd entries":            {func(t *Table) { t.EntrySize = 130 }, "entries of 130 bytes"},
		"too many entries":       {func(t *Table) { t.Entries = 8193 }, "room for 8193"},
		"negative entries":       {func(t *Table) { t.Entries = -1 }, "room for -1"},
		"entries in the header":  {func(t *Table) { t.EntriesAt = 1 }, "entries at sector 1"},
		"entries behind usable":  {func(t *Table) { t.FirstUsable, t.EntriesAt = 64, 40 }, "sectors 64 to"},
		"usable over the backup": {func(t *Table) { t.LastUsable = 8160 }, "sectors 34 to 8160"},
		"number too large":       {func(t *Table) { t.Partitions[1].Number = 129 }, "partition 129"},
		"numbers in disorder":    {first(func(p *Partition) { p.Number = 6 }), "partition 5 after partition 6"},
		"no type":                {first(func(p *Partition) { p.Type = GUID{} }), "lacks a type"},
		"no identifier":          {first(func(p *Partition) { p.ID = GUID{} }), "lacks a type or an identifier"},
		"before usable":          {first(func(p *Partition) { p.Start = 33 }), "are not among"},
		"behind usable":          {first(func(p *Partition) { p.Start, p.Sectors = 8000, 160 }), "are not among"},
		"overflowing":            {first(func(p *Partition) { p.Sectors = math.MaxInt64 }), "are not among"},
		"empty":                  {first(func(p *Partition) { p.Sectors = 0 }), "are not among"},
		"overlapping":            {first(func(p *Partition) { p.Sectors = 2000 }), "partition 5 overlaps the one at sector 64"},
		"long name":              {first(func(p *Partition) { p.Name = strings.Repeat("🦊", 18) + "x" }), "is longer than 36"},
	} {
		table := sample()
		test.change(&table)
		if _, _, err := table.Encode(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	least := Table{Sectors: 68, Partitions: []Partition{{Type: EFISystem, ID: seed, Start: 34, Sectors: 1, Name: strings.Repeat("🦊", 18)}}}
	if _, _, err := least.Encode(); err != nil {
		t.Errorf("the smallest disk: %v", err)
	}
}

// sign gives a header, at a sector, the checksum that it should have.
func sign(disk []byte, at int) {
	h := disk[at*512:][:headerSize]
	binary.LittleEndian.PutUint32(h[16:], 0)
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h))
}

// TestDamage breaks the primary copy in every field. The backup counts then, and a finding says
// why.
func TestDamage(t *testing.T) {
	put32 := func(at int, v uint32) func([]byte) {
		return func(disk []byte) { binary.LittleEndian.PutUint32(disk[512+at:], v); sign(disk, 1) }
	}
	put64 := func(at int, v uint64) func([]byte) {
		return func(disk []byte) { binary.LittleEndian.PutUint64(disk[512+at:], v); sign(disk, 1) }
	}
	for name, test := range map[string]struct {
		change func([]byte)
		want   string
	}{
		"bit":                   {func(disk []byte) { disk[512+60]++ }, "its header has the checksum"},
		"short header":          {put32(12, 91), "its header claims 91 bytes"},
		"long header":           {put32(12, 513), "its header claims 513 bytes"},
		"huge header":           {put32(12, math.MaxUint32), "its header claims 4294967295 bytes"},
		"another place":         {put64(24, 2), "is in sector 1 and claims 2"},
		"alternate far away":    {put64(32, math.MaxUint64), "its other copy is said to be in sector"},
		"no usable sectors":     {put64(40, 9000), "sectors 9000 to 8158 are said"},
		"endless usable":        {put64(48, math.MaxUint64), "are said to be for partitions"},
		"entries in the MBR":    {put64(72, 0), "its entries are said to be in sector 0"},
		"entries off the disk":  {put64(72, 8192), "its entries are said to be in sector 8192"},
		"entries at the end":    {put64(72, 8191), "the entries are cut off"},
		"entries far away":      {put64(72, math.MaxUint64), "its entries are said to be in sector 18446744073709551615"},
		"entries of 2^32":       {put32(80, math.MaxUint32), "it claims 4294967295 entries"},
		"entries of 2^31 bytes": {put32(84, 1<<31), "it claims 128 entries of 2147483648 bytes"},
		"entries of 64 bytes":   {put32(84, 64), "its entries claim 64 bytes each"},
		"entries of 200 bytes":  {put32(84, 200), "its entries claim 200 bytes each"},
		"bit of the entries":    {func(disk []byte) { disk[1024+3]++ }, "the entries have the checksum"},
	} {
		disk := diskOf(t, sample())
		test.change(disk)
		d := read(t, disk)
		if d.Primary != nil || d.Backup == nil || d.GPT() != d.Backup || !d.Signed {
			t.Errorf("%s: Read = %+v", name, d)
		}
		if len(d.Findings) != 1 || d.Findings[0].Structure != "primary GPT" || !strings.Contains(d.Findings[0].String(), test.want) {
			t.Errorf("%s: findings %v, want %q", name, d.Findings, test.want)
		}
	}
}

// TestBackup has a backup that is damaged, elsewhere, another's, or all that there is.
func TestBackup(t *testing.T) {
	whole := diskOf(t, sample())
	end := len(whole) - 512

	d := read(t, append(bytes.Clone(whole), make([]byte, 1<<20)...)) // on a larger disk
	if d.Primary == nil || d.Backup == nil || len(d.Findings) != 0 {
		t.Errorf("on a larger disk: Read = %+v", d)
	}
	if d, err := Read(bytes.NewReader(whole), UnknownSize); err != nil || d.Backup == nil || len(d.Findings) != 0 {
		t.Errorf("of unknown size: Read = %+v, %v", d, err)
	}

	damaged := bytes.Clone(whole)
	damaged[end]++
	d = read(t, damaged)
	if d.Primary == nil || d.Backup != nil || len(d.Findings) != 1 || d.Findings[0] != (Finding{"backup GPT", int64(end), "there is no header"}) {
		t.Errorf("damaged: Read = %+v", d)
	}
	d = read(t, whole[:len(whole)/2])
	if d.Primary == nil || d.Backup != nil || len(d.Findings) != 1 || d.Findings[0].Text != "the disk ends before it" {
		t.Errorf("cut off: Read = %+v", d)
	}

	other := sample()
	other.Disk = Derive(seed, "other")
	mixed := bytes.Clone(whole)
	copy(mixed[len(mixed)/2:], diskOf(t, other)[len(mixed)/2:])
	if d = read(t, mixed); len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Text, "it is of another disk") || d.GPT() != d.Primary {
		t.Errorf("of another disk: Read = %+v", d)
	}
	other = sample()
	other.Partitions[0].Name = "changed"
	copy(mixed[len(mixed)/2:], diskOf(t, other)[len(mixed)/2:])
	if d = read(t, mixed); len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Text, "its partitions differ") {
		t.Errorf("with other partitions: Read = %+v", d)
	}

	lost := bytes.Clone(whole)
	clear(lost[:1024])
	if d = read(t, lost); d.MBR != nil || d.Signed || d.Primary != nil || d.Backup == nil || d.GPT() != nil {
		t.Errorf("without a beginning: Read = %+v", d)
	}
}

// TestEntries has entries that a sound table does not have.
func TestEntries(t *testing.T) {
	set := func(disk []byte, n int, first, last uint64) {
		e := disk[1024+128*n:][:128]
		e[0], e[16] = 1, 1
		binary.LittleEndian.PutUint64(e[32:], first)
		binary.LittleEndian.PutUint64(e[40:], last)
		binary.LittleEndian.PutUint32(disk[512+88:], crc32.ChecksumIEEE(disk[1024:1024+128*128]))
		sign(disk, 1)
	}
	for name, test := range map[string]struct {
		first, last uint64
		partitions  int
		want        string
	}{
		"backwards":    {3000, 2999, 2, "partition 2 has the sectors 3000 to 2999"},
		"endless":      {3000, math.MaxUint64, 2, "partition 2 has the sectors 3000 to 18446744073709551615"},
		"over all":     {0, 8191, 3, "of which 34 to 8158 are for partitions"},
		"over another": {1000, 1200, 3, "partition 2 overlaps partition 1"},
	} {
		disk := diskOf(t, sample())
		set(disk, 1, test.first, test.last)
		d := read(t, disk)
		if d.Primary == nil || len(d.Primary.Partitions) != test.partitions || len(d.Findings) == 0 || !strings.Contains(d.Findings[0].Text, test.want) {
			t.Errorf("%s: Read = %+v, findings %v", name, d.Primary, d.Findings)
		}
	}
	disk := diskOf(t, sample())
	for n := range 128 {
		set(disk, n, 1, 0)
	}
	if d := read(t, disk); len(d.Findings) != maxFindings {
		t.Errorf("%d findings, want %d", len(d.Findings), maxFindings)
	}
}

// counter counts what is read of a disk that never ends.
type counter struct {
	head  []byte
	bytes int64
}

func (c *counter) ReadAt(b []byte, offset int64) (int, error) {
	clear(b)
	if offset < int64(len(c.head)) {
		copy(b, c.head[offset:])
	}
	c.bytes += int64(len(b))
	return len(b), nil
}

// TestBounded claims the most that is taken.
func TestBounded(t *testing.T) {
	disk := diskOf(t, sample())
	binary.LittleEndian.PutUint32(disk[512+80:], maxEntriesSize/entrySize)
	binary.LittleEndian.PutUint64(disk[512+72:], 1<<40)
	sign(disk, 1)
	c := &counter{head: disk[:64<<10]}
	if _, err := Read(c, UnknownSize); err != nil || c.bytes > maxEntriesSize+64<<10 {
		t.Errorf("Read takes %d bytes, %v", c.bytes, err)
	}
}

// failing is a disk with a sector that cannot be read.
type failing struct {
	io.ReaderAt
	at int64
}

var errUnreadable = errors.New("unreadable")

func (f failing) ReadAt(b []byte, offset int64) (int, error) {
	if offset <= f.at && f.at < offset+int64(len(b)) {
		return 0, errUnreadable
	}
	return f.ReaderAt.ReadAt(b, offset)
}

func TestReadFails(t *testing.T) {
	disk := diskOf(t, sample())
	for _, at := range []int64{0, 512, 1024, int64(len(disk)) - 1, int64(len(disk)) - 1024} {
		if _, err := Read(failing{bytes.NewReader(disk), at}, int64(len(disk))); !errors.Is(err, errUnreadable) {
			t.Errorf("byte %d: Read error = %v, want %v", at, err, errUnreadable)
		}
	}
	if err := sample().Write(failingWriter{}); !errors.Is(err, errUnreadable) {
		t.Errorf("Write error = %v, want %v", err, errUnreadable)
	}
}

type failingWriter struct{}

func (failingWriter) WriteAt([]byte, int64) (int, error) { return 0, errUnreadable }
