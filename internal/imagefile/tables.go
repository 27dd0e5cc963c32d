package imagefile

import (
	"bytes"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// tables are the partition tables at the beginning of an image.
type tables struct {
	*gpt.Disk
	other string // a table of another kind
}

// mbrSector is the unit of an MBR, in bytes; larger ones would only make its
// partitions larger.
const mbrSector = 512

// otherTables are those of Apple (Inside Macintosh: Devices, chapter 3) and of
// the BSDs (disklabel(5)).
var otherTables = []format{
	{"a disk with an Apple partition map", Other, []magic{at(0, "ER"), at(512, "PM")}},
	{"a disk with a BSD label", Other, []magic{at(512, "\x57\x45\x56\x82")}},
}

func readTables(head []byte) (tables, error) {
	disk, err := gpt.Read(bytes.NewReader(head), gpt.UnknownSize)
	if err != nil {
		return tables{}, err
	}
	t := tables{Disk: disk}
	if f, ok := match(otherTables, head); ok {
		t.other = f.name
	}
	return t, nil
}

// hasMBR reports whether there is a partition table of the MBR.
func (t tables) hasMBR() bool { return t.MBR != nil && t.MBR.HasTable() }

// hasGPT reports whether the GPT counts. One beside an MBR that does not announce
// it is left over from before (UEFI 2.10 §5.2.1); one whose MBR is lost is not.
func (t tables) hasGPT() bool {
	return t.Primary != nil && (!t.hasMBR() || t.MBR.Protects())
}

// starts reports whether there is a program in the first sector, or an EFI system
// partition.
func (t tables) starts() bool {
	if t.MBR != nil {
		if t.MBR.Boots() {
			return true
		}
		for _, p := range t.MBR.Partitions {
			if p.Type == gpt.TypeEFISystem && p.Sectors > 0 && t.hasMBR() {
				return true
			}
		}
	}
	if t.Primary != nil {
		for _, p := range t.Primary.Partitions {
			if p.Type == gpt.EFISystem {
				return true
			}
		}
	}
	return false
}

// addGPT adds what the GPT says: where the disk ends, with the other copy.
func (c *Contents) addGPT(t tables) {
	size := int64(t.Primary.SectorSize)
	c.backup = backup{(t.Primary.Sectors - 1) * size, size}
	c.needs = append(c.needs, need{c.backup.end(), "its GPT"})
}

// addMBR adds the ends of the partitions that begin at an offset or behind it.
// The entry that protects a GPT may tell of more than there is.
func (c *Contents) addMBR(t tables, from int64) {
	if !t.hasMBR() {
		return
	}
	for _, p := range t.MBR.Partitions {
		start := int64(p.Start) * mbrSector
		if p.Type != 0 && p.Type != gpt.TypeProtective && p.Sectors > 0 && start >= from {
			c.needs = append(c.needs, need{start + int64(p.Sectors)*mbrSector, "its partition table"})
		}
	}
}

// disk is a disk with partitions. All of them have to be there.
func (t tables) disk() (Contents, bool) {
	c := Contents{Starts: true}
	switch {
	case t.hasMBR():
		c.What = "a disk with an MBR"
		c.addMBR(t, 0)
	case t.other != "":
		c.What = t.other
	default:
		return c, false
	}
	return c, true
}

// disc is a disc, and with partitions a disk, too. Those that begin within the
// volume are rounded up by some programs; those behind it have been appended to
// it. Of a disc the GPT counts always: some programs write it beside an MBR that
// says nothing of it (isohybrid --uefi).
func (t tables) disc(size int64) Contents {
	c := Contents{
		What:   "an ISO 9660 volume",
		Disc:   true,
		Starts: t.starts(),
		needs:  []need{{size, "its volume descriptor"}},
	}
	if t.Primary != nil {
		c.addGPT(t)
	}
	c.addMBR(t, size)
	return c
}
