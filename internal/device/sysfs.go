package device

import (
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/magic"
)

// sysfsSector is the unit of sizes and offsets in sysfs, whatever the disk's
// own sectors (Documentation/ABI/stable/sysfs-block of Linux).
const sysfsSector = 512

// look is one look at all that holds disks, for one or many of them.
type look struct {
	Host
	holders map[Number][]Use // by what is held; Path is not set
	ids     map[Number][]string
}

func (h Host) look() (*look, error) {
	l := &look{Host: h, ids: map[Number][]string{}}
	var err error
	if l.holders, err = h.holders(); err != nil {
		return nil, err
	}
	for name, n := range h.IDs() {
		l.ids[n] = append(l.ids[n], name)
	}
	for _, names := range l.ids {
		slices.Sort(names)
	}
	return l, nil
}

// attribute reads an attribute of sysfs; one that is not there is empty.
func (l *look) attribute(elements ...string) string {
	b, err := fs.ReadFile(l.Sys, path.Join(elements...))
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), " \t\n\x00")
}

func (l *look) number(elements ...string) int64 {
	n, err := strconv.ParseInt(l.attribute(elements...), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// entries yields the names in a folder of sysfs; one that is not there, or not
// any more, has none.
func (l *look) entries(elements ...string) iter.Seq[string] {
	return func(yield func(string) bool) {
		entries, err := fs.ReadDir(l.Sys, path.Join(elements...))
		if err != nil {
			return
		}
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	}
}

// withPartitions returns the folder of a block device and those of its
// partitions.
func (l *look) withPartitions(folder string) ([]string, error) {
	entries, err := fs.ReadDir(l.Sys, folder)
	if err != nil {
		return nil, err
	}
	folders := []string{folder}
	for _, e := range entries {
		if sub := path.Join(folder, e.Name()); l.attribute(sub, "partition") != "" {
			folders = append(folders, sub)
		}
	}
	return folders, nil
}

// disk looks at the disk with a name of the kernel's. The error is a
// [NotDiskError] for other block devices.
func (l *look) disk(name string) (Disk, error) {
	folder := path.Join("block", name)
	number, err := parseNumber(l.attribute(folder, "dev"))
	if err != nil {
		return Disk{}, &fs.PathError{Op: "open", Path: "/sys/" + folder, Err: fs.ErrNotExist}
	}
	d := Disk{
		Name:       name,
		Path:       devPath(name),
		Number:     number,
		Sequence:   uint64(l.number(folder, "diskseq")),
		Size:       l.number(folder, "size") * sysfsSector,
		SectorSize: int(l.number(folder, "queue/logical_block_size")),
		Vendor:     l.attribute(folder, "device/vendor"),
		Model:      l.attribute(folder, "device/model"),
		Removable:  l.number(folder, "removable") == 1,
		ReadOnly:   l.number(folder, "ro") == 1,
		IDs:        l.ids[number],
	}
	if what := l.notDisk(folder, number); what != "" {
		return Disk{}, &NotDiskError{d.Path, what}
	}
	l.identify(&d, folder)
	d.Content = l.content(d.Path, number, d.Size)
	d.Uses = l.uses(d.Path, folder, number, d.Content)
	folders, err := l.withPartitions(folder)
	if err != nil {
		return Disk{}, err
	}
	for _, sub := range folders[1:] {
		p := Partition{
			Name:   path.Base(sub),
			Path:   devPath(path.Base(sub)),
			Offset: l.number(sub, "start") * sysfsSector,
			Size:   l.number(sub, "size") * sysfsSector,
			Label:  l.partitionLabel(sub),
		}
		if p.Number, err = parseNumber(l.attribute(sub, "dev")); err != nil {
			continue // pulled out meanwhile
		}
		p.Content = l.content(p.Path, p.Number, p.Size)
		d.Uses = append(d.Uses, l.uses(p.Path, sub, p.Number, p.Content)...)
		d.Partitions = append(d.Partitions, p)
	}
	slices.SortFunc(d.Partitions, func(a, b Partition) int { return int(a.Number.Minor) - int(b.Number.Minor) })
	return d, nil
}

// partitionLabel is what the kernel read in the partition table (block/partitions/core.c, part_uevent).
func (l *look) partitionLabel(folder string) string {
	for _, line := range strings.Split(l.attribute(folder, "uevent"), "\n") {
		if name, ok := strings.CutPrefix(line, "PARTNAME="); ok {
			return name
		}
	}
	return ""
}

// notDisk says what a block device is that is not a disk of its own.
func (l *look) notDisk(folder string, n Number) string {
	has := func(name string) bool {
		_, err := fs.Stat(l.Sys, path.Join(folder, name))
		return err == nil
	}
	switch {
	case n.Major == majorSR:
		return "an optical drive"
	case n.Major == majorFloppy:
		return "a floppy drive"
	case has("dm"):
		return "a volume of the device mapper"
	case has("md"), n.Major == majorMD:
		return "a RAID of other disks"
	case has("bcache"):
		return "a cache of other disks"
	case n.Major == majorRAM, strings.HasPrefix(path.Base(folder), "zram"):
		return "memory"
	}
	for range l.entries(folder, "slaves") {
		return "made of other disks"
	}
	return ""
}

// identify finds out how the disk is connected and what is printed on it.
func (l *look) identify(d *Disk, folder string) {
	switch {
	case d.Number.Major == majorLoop:
		d.Bus, d.Model = Loop, l.attribute(folder, "loop/backing_file")
	case strings.HasPrefix(d.Name, "nvme"):
		d.Bus, d.Serial = NVMe, l.attribute(folder, "device/serial")
	case strings.HasPrefix(d.Name, "mmcblk"):
		d.Bus, d.Serial = MMC, l.attribute(folder, "device/serial")
		d.Model = l.attribute(folder, "device/name")
	case strings.HasPrefix(d.Name, "vd"):
		// The vendor is the number of the PCI device.
		d.Bus, d.Vendor, d.Serial = Virtio, "", l.attribute(folder, "serial")
	default:
		d.Bus = SCSI
		if d.Vendor == "ATA" { // libata says so instead of a vendor
			d.Bus, d.Vendor = ATA, ""
		}
		d.Serial = l.unitSerial(folder)
	}
	if usb := l.usbDevice(folder); usb != "" {
		d.Bus = USB
		if serial := l.attribute(usb, "serial"); serial != "" {
			d.Serial = serial
		}
	}
}

// unitSerial is the serial number that a SCSI disk reports on its page of
// vital product data (SPC-4 §7.8.15): four bytes of header, then text.
func (l *look) unitSerial(folder string) string {
	const header = 4
	page, err := fs.ReadFile(l.Sys, path.Join(folder, "device/vpd_pg80"))
	if err != nil || len(page) < header {
		return ""
	}
	return strings.Trim(string(page[header:]), " \x00")
}

// usbDevice is the folder of the USB device that a disk is, or empty.
func (l *look) usbDevice(folder string) string {
	target, err := fs.ReadLink(l.Sys, folder)
	if err != nil {
		return ""
	}
	for dir := path.Join(path.Dir(folder), target); dir != "." && dir != "/"; dir = path.Dir(dir) {
		// A device has these, its interfaces have not.
		if l.attribute(dir, "idVendor") != "" {
			return dir
		}
	}
	return ""
}

// probePatience is how long a disk has to say what is on it: one that sleeps
// wakes up in that time, a broken one may never answer.
const probePatience = 15 * time.Second

// content is what is on a disk or partition: what can be read from it, else
// what udev has found there.
func (l *look) content(p string, n Number, size int64) magic.Content {
	if size == 0 {
		return magic.Content{}
	}
	if l.Open == nil {
		return l.udevContent(n)
	}
	found := make(chan magic.Content, 1)
	go func() {
		r, closer, err := l.Open(p)
		if err != nil {
			found <- l.udevContent(n)
			return
		}
		defer closer.Close()
		found <- magic.Read(r, size)
	}()
	select {
	case c := <-found:
		return c
	case <-time.After(probePatience):
		return l.udevContent(n)
	}
}

// udevContent reads udev's database, which everybody may: lines such as
// E:ID_FS_TYPE=vfat.
func (l *look) udevContent(n Number) magic.Content {
	if l.Run == nil {
		return magic.Content{}
	}
	b, err := fs.ReadFile(l.Run, "udev/data/b"+n.String())
	if err != nil {
		return magic.Content{}
	}
	values := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			values[key] = value
		}
	}
	c := magic.Content{Type: values["E:ID_FS_TYPE"], Label: values["E:ID_FS_LABEL"]}
	if c.Type == "" {
		c.Type = values["E:ID_PART_TABLE_TYPE"]
	}
	c.Set = magic.SetOf(c.Type)
	return c
}
