package device

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/magic"
)

// machine is a host made of files: those of sysfs by their paths, with links
// marked by an arrow, and those of procfs.
type machine struct {
	sys       map[string]string
	mountinfo string
	swaps     string
	udev      map[string]string
	nodes     map[string]Number // beside the disks of sysfs
	ids       map[string]Number
}

func (m machine) host(t *testing.T) Host {
	t.Helper()
	sys, proc, run := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(root, name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nodes := maps.Clone(m.nodes)
	if nodes == nil {
		nodes = map[string]Number{}
	}
	for _, name := range slices.Sorted(maps.Keys(m.sys)) {
		text := m.sys[name]
		write(sys, name, text)
		if folder, ok := strings.CutSuffix(name, "/dev"); ok {
			n, err := parseNumber(text)
			if err != nil {
				t.Fatal(err)
			}
			device := filepath.Base(folder)
			nodes["/dev/"+device] = n
			write(sys, "dev/block/"+n.String(), "-> ../../"+folder)
			if parent := filepath.Base(filepath.Dir(folder)); m.sys[filepath.Dir(folder)+"/dev"] == "" || parent == "block" {
				write(sys, "block/"+device, "-> ../"+folder)
			}
		}
	}
	write(proc, "self/mountinfo", m.mountinfo)
	write(proc, "swaps", "Filename\tType\tSize\tUsed\tPriority\n"+m.swaps)
	for number, text := range m.udev {
		write(run, "udev/data/b"+number, text)
	}
	return Host{
		Sys: os.DirFS(sys), Proc: os.DirFS(proc), Run: os.DirFS(run),
		Number: func(path string) (Number, error) {
			if n, ok := nodes[path]; ok {
				return n, nil
			}
			return Number{}, &MissingError{path}
		},
		IDs: func() map[string]Number { return m.ids },
	}
}

// The folders of some disks in sysfs, as Linux 6 has them.
const (
	usbFolder  = "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb"
	ataFolder  = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"
	nvmeFolder = "devices/pci0000:00/0000:00:1d.0/0000:3c:00.0/nvme/nvme0/nvme0n1"
)

func office() machine {
	m := machine{sys: map[string]string{
		usbFolder + "/dev": "8:16\n", usbFolder + "/size": "62333952\n", usbFolder + "/removable": "1\n", usbFolder + "/ro": "0\n",
		usbFolder + "/diskseq": "23\n", usbFolder + "/queue/logical_block_size": "512\n",
		usbFolder + "/device/vendor": "SanDisk \n", usbFolder + "/device/model": "Ultra Fit       \n",
		usbFolder + "/sdb1/dev": "8:17\n", usbFolder + "/sdb1/partition": "1\n", usbFolder + "/sdb1/start": "2048\n", usbFolder + "/sdb1/size": "62331904\n",
		"devices/pci0000:00/0000:00:14.0/usb2/2-1/idVendor": "0781\n", "devices/pci0000:00/0000:00:14.0/usb2/2-1/serial": "4C530001\n",
		"devices/pci0000:00/0000:00:14.0/usb2/idVendor": "1d6b\n", "devices/pci0000:00/0000:00:14.0/usb2/serial": "0000:00:14.0\n",

		ataFolder + "/dev": "8:0\n", ataFolder + "/size": "15628053168\n", ataFolder + "/removable": "0\n", ataFolder + "/ro": "0\n",
		ataFolder + "/queue/logical_block_size": "4096\n", ataFolder + "/device/vendor": "ATA     \n", ataFolder + "/device/model": "WDC WD80EFAX-68K\n",
		ataFolder + "/device/vpd_pg80": "\x00\x80\x00\x08 VAGLL1H",
		ataFolder + "/sda1/dev":        "8:1\n", ataFolder + "/sda1/partition": "1\n", ataFolder + "/sda1/start": "2048\n", ataFolder + "/sda1/size": "409600\n",
		ataFolder + "/sda2/dev": "8:2\n", ataFolder + "/sda2/partition": "2\n", ataFolder + "/sda2/start": "411648\n", ataFolder + "/sda2/size": "409600\n",

		nvmeFolder + "/dev": "259:0\n", nvmeFolder + "/size": "1000215216\n", nvmeFolder + "/removable": "0\n", nvmeFolder + "/ro": "0\n",
		nvmeFolder + "/device/serial": "S4EVNX0\n", nvmeFolder + "/device/model": "Samsung SSD 970 EVO\n",
		nvmeFolder + "/nvme0n1p1/dev": "259:1\n", nvmeFolder + "/nvme0n1p1/partition": "1\n", nvmeFolder + "/nvme0n1p1/size": "409600\n",
		nvmeFolder + "/nvme0n1p2/dev": "259:2\n", nvmeFolder + "/nvme0n1p2/partition": "2\n", nvmeFolder + "/nvme0n1p2/size": "409600\n",
		nvmeFolder + "/nvme0n1p2/holders/dm-0": "",

		"devices/virtual/block/dm-0/dev": "254:0\n", "devices/virtual/block/dm-0/size": "409600\n",
		"devices/virtual/block/dm-0/dm/name": "vg-root\n", "devices/virtual/block/dm-0/dm/uuid": "LVM-abc\n",
		"devices/virtual/block/dm-0/slaves/nvme0n1p2": "",
		"devices/virtual/block/loop0/dev":             "7:0\n", "devices/virtual/block/loop0/size": "0\n",
		"devices/virtual/block/loop1/dev": "7:1\n", "devices/virtual/block/loop1/size": "4096\n", "devices/virtual/block/loop1/ro": "1\n",
		"devices/virtual/block/loop1/loop/backing_file": "/snap/core.snap\n",
		"devices/virtual/block/loop2/dev":               "7:2\n", "devices/virtual/block/loop2/size": "4096\n", "devices/virtual/block/loop2/loop/backing_file": "/tmp/a file\n",
		"devices/virtual/block/zram0/dev": "252:0\n", "devices/virtual/block/zram0/size": "4096\n",
		"devices/pci0000:00/sr0/dev": "11:0\n", "devices/pci0000:00/sr0/size": "4096\n",
	},
		mountinfo: "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n" +
			"23 22 259:1 / /boot rw,relatime shared:2 master:3 propagate_from:2 - vfat /dev/nvme0n1p1 rw\n" +
			"24 22 0:22 / /proc rw - proc proc rw\n" +
			"25 22 7:1 / /snap/core ro - squashfs /dev/loop1 ro\n",
		udev: map[string]string{"8:16": "E:ID_PART_TABLE_TYPE=gpt\nS:disk/by-id/x\n", "8:17": "E:ID_FS_TYPE=vfat\nE:ID_FS_LABEL=MY STICK\n"},
		ids:  map[string]Number{"/dev/disk/by-id/usb-SanDisk": {8, 16}, "/dev/disk/by-id/ata-WDC": {8, 0}, "/dev/disk/by-id/usb-SanDisk-part1": {8, 17}},
	}
	return m
}

func disksByName(t *testing.T, m machine) (map[string]Disk, []string) {
	t.Helper()
	disks, err := m.host(t).Disks()
	if err != nil {
		t.Fatal(err)
	}
	byName, order := map[string]Disk{}, []string{}
	for _, d := range disks {
		byName[d.Name] = d
		order = append(order, d.Name)
	}
	return byName, order
}

func TestDisks(t *testing.T) {
	disks, order := disksByName(t, office())
	if want := []string{"sdb", "sda", "loop2", "nvme0n1"}; !slices.Equal(order, want) {
		t.Fatalf("disks are %q, want %q", order, want)
	}
	stick := disks["sdb"]
	if stick.Bus != USB || stick.Serial != "4C530001" || stick.Vendor != "SanDisk" || stick.Model != "Ultra Fit" || stick.Size != 31914983424 ||
		!stick.Removable || stick.Sequence != 23 || stick.SectorSize != 512 || !slices.Equal(stick.IDs, []string{"/dev/disk/by-id/usb-SanDisk"}) {
		t.Errorf("the stick is %+v", stick)
	}
	if !stick.Stick() || stick.System() || stick.Check() != nil {
		t.Error("the stick is not offered")
	}
	if p := stick.Partitions; len(p) != 1 || p[0].Path != "/dev/sdb1" || p[0].Offset != 1<<20 || p[0].Content != (magic.Content{Type: "vfat", Label: "MY STICK"}) || stick.Content.Type != "gpt" {
		t.Errorf("the stick has %+v and the partitions %+v", stick.Content, p)
	}
	if d := disks["sda"]; d.Bus != ATA || d.Vendor != "" || d.Serial != "VAGLL1H" || d.Stick() || d.SectorSize != 4096 {
		t.Errorf("the ATA disk is %+v", d)
	}
	system := disks["nvme0n1"]
	if system.Bus != NVMe || system.Serial != "S4EVNX0" || !system.System() {
		t.Errorf("the system's disk is %+v", system)
	}
	var used *InUseError
	if err := system.Check(); !errors.As(err, &used) || !strings.Contains(err.Error(), "running system") ||
		!strings.Contains(err.Error(), "/dev/nvme0n1p1 is mounted at /boot") || !strings.Contains(err.Error(), "/dev/nvme0n1p2 is part of the LVM volume vg-root") {
		t.Errorf("the system's disk is refused with %v", err)
	}
	if disks["loop2"].Model != "/tmp/a file" {
		t.Errorf("the loop device is %+v", disks["loop2"])
	}
}

// TestUses checks how a stick can be held.
func TestUses(t *testing.T) {
	tests := map[string]struct {
		change func(*machine)
		want   string // of the refusal; empty for none
	}{
		"not":     {func(*machine) {}, ""},
		"mounted": {func(m *machine) { m.mountinfo += "30 22 8:17 / /media/my\\040stick rw - vfat /dev/sdb1 rw\n" }, "/dev/sdb1 is mounted at /media/my stick"},
		"mounted by another name": {func(m *machine) { m.mountinfo += "30 22 8:17 / /mnt rw - vfat /dev/disk/by-label/X rw\n" },
			"/dev/sdb1 is mounted at /mnt"},
		"a name like it": {func(m *machine) { m.mountinfo += "30 22 65:16 / /mnt rw - vfat /dev/sdb17 rw\n" }, ""},
		"whole":          {func(m *machine) { m.mountinfo += "30 22 8:16 / /mnt rw - ext4 /dev/sdb rw\n" }, "/dev/sdb is mounted at /mnt"},
		"swap":           {func(m *machine) { m.swaps = "/dev/sdb1 partition 1 0 -2\n" }, "/dev/sdb1 is swap space"},
		"swap file":      {func(m *machine) { m.swaps = "/swapfile file 1 0 -2\n" }, ""},
		"btrfs": {func(m *machine) {
			m.mountinfo += "30 22 0:45 /root /data rw shared:7 - btrfs /dev/sda2 rw\n"
			m.sys["fs/btrfs/abc/devices/sda2"] = "-> ../../../../" + ataFolder + "/sda2"
			m.sys["fs/btrfs/abc/devices/sdb1"] = "-> ../../../../" + usbFolder + "/sdb1"
			m.sys["fs/btrfs/features/x"] = ""
		}, "/dev/sdb1 is mounted at /data"},
		"another btrfs": {func(m *machine) {
			m.mountinfo += "30 22 0:45 /root /data rw - btrfs /dev/sda2 rw\n"
			m.sys["fs/btrfs/abc/devices/sda2"] = "-> ../../../../" + ataFolder + "/sda2"
		}, ""},
		"bcachefs": {func(m *machine) { m.mountinfo += "30 22 0:45 / /data rw - bcachefs /dev/sda2:/dev/sdb1 rw\n" }, "/dev/sdb1 is mounted at /data"},
		"RAID": {func(m *machine) {
			m.sys[usbFolder+"/sdb1/holders/md127"] = ""
			m.sys["devices/virtual/block/md127/dev"] = "9:127\n"
			m.sys["devices/virtual/block/md127/md/level"] = "raid1\n"
		}, "/dev/sdb1 is part of the RAID /dev/md127"},
		"encrypted": {func(m *machine) {
			m.sys[usbFolder+"/holders/dm-1"] = ""
			m.sys["devices/virtual/block/dm-1/dev"] = "254:1\n"
			m.sys["devices/virtual/block/dm-1/dm/name"] = "secret\n"
			m.sys["devices/virtual/block/dm-1/dm/uuid"] = "CRYPT-LUKS2-1\n"
		}, "/dev/sdb is part of the encrypted volume secret"},
		"system on LVM on RAID": {func(m *machine) {
			m.sys[usbFolder+"/holders/md1"] = ""
			m.sys["devices/virtual/block/md1/dev"] = "9:1\n"
			m.sys["devices/virtual/block/md1/holders/dm-2"] = ""
			m.sys["devices/virtual/block/dm-2/dev"] = "254:2\n"
			m.mountinfo += "30 22 254:2 / /nix rw - ext4 /dev/mapper/nix rw\n"
		}, "holds the running system"},
		"member": {func(m *machine) { m.udev["8:17"] = "E:ID_FS_TYPE=zfs_member\n" }, "/dev/sdb1 is a member of a ZFS pool"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := office()
			test.change(&m)
			disks, _ := disksByName(t, m)
			err := disks["sdb"].Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("refused with %v, want %q", err, test.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	m := office()
	m.nodes = map[string]Number{"/dev/disk/by-id/usb-SanDisk": {8, 16}, "/dev/unknown": {99, 9}}
	host := m.host(t)
	if d, err := host.Find("/dev/disk/by-id/usb-SanDisk"); err != nil || d.Name != "sdb" || d.Path != "/dev/sdb" {
		t.Errorf("found %+v, %v", d, err)
	}
	var partition *PartitionError
	if _, err := host.Find("/dev/sdb1"); !errors.As(err, &partition) || partition.Disk != "/dev/sdb" {
		t.Errorf("a partition: %v", err)
	}
	for path, want := range map[string]string{"/dev/dm-0": "a volume of the device mapper", "/dev/sr0": "an optical drive", "/dev/zram0": "memory", "/dev/unknown": "does not know"} {
		var not *NotDiskError
		if _, err := host.Find(path); !errors.As(err, &not) || !strings.Contains(err.Error(), want) || not.Path != path {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	var missing *MissingError
	if _, err := host.Find("/dev/sdz"); !errors.As(err, &missing) {
		t.Errorf("nothing: %v", err)
	}
	d, err := host.Find("/dev/loop0")
	if err != nil {
		t.Fatal(err)
	}
	var noMedium *NoMediumError
	if err := d.Check(); !errors.As(err, &noMedium) {
		t.Errorf("an empty drive: %v", err)
	}
}

func TestStableName(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev/disk/by-id/usb-X": true, "/dev/disk/by-id//usb-X": true, "/dev/sdb": false, "/dev/disk/by-path/pci-1": false,
		"/dev/disk/by-id/../../sdb": false, "/dev/disk/by-id": false, "by-id/usb-X": false,
	} {
		if got := StableName(path); got != want {
			t.Errorf("StableName(%q) = %t, want %t", path, got, want)
		}
	}
}

func TestParseMountinfo(t *testing.T) {
	got := parseMountinfo("36 35 98:0 /mnt1 /mnt\\0112 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n" +
		"37 35 0:3 / /no/optional rw - btrfs /dev/a\\134b rw\n" +
		"38 35 8:1 / /cut rw\n" + "nonsense\n" + "39 35 8:x / /bad rw - ext4 /dev/sda1 rw\n")
	want := []mount{{Number{98, 0}, "/mnt\t2", "ext3", "/dev/root"}, {Number{0, 3}, "/no/optional", "btrfs", `/dev/a\b`}, {Number{8, 1}, "/cut", "", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("parsed %+v, want %+v", got, want)
	}
}

func FuzzMountinfo(f *testing.F) {
	for _, file := range []string{"/proc/self/mountinfo", "/proc/swaps"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n")
	f.Add("a\n/swap\\040file file 1 2 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMountinfo(text) {
			if m.point == "" {
				t.Errorf("a mount without a place: %+v", m)
			}
		}
		for _, name := range parseSwaps(text) {
			if name == "" {
				t.Error("a swap without a name")
			}
		}
	})
}
