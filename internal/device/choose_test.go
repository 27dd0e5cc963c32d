package device

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// desk is the office with a second stick and a large disk on USB, and links to
// the sticks by their serial numbers.
func desk() machine {
	m := office()
	const second = "devices/pci0000:00/0000:00:14.0/usb2/2-2/host7/block/sdc"
	m.sys["devices/pci0000:00/0000:00:14.0/usb2/2-2/idVendor"] = "0781\n"
	m.sys["devices/pci0000:00/0000:00:14.0/usb2/2-2/serial"] = "4C530002\n"
	m.sys[second+"/dev"], m.sys[second+"/size"], m.sys[second+"/removable"] = "8:32\n", "62333952\n", "1\n"
	const large = "devices/pci0000:00/0000:00:14.0/usb2/2-3/host8/block/sdd"
	m.sys["devices/pci0000:00/0000:00:14.0/usb2/2-3/idVendor"] = "1058\n"
	m.sys["devices/pci0000:00/0000:00:14.0/usb2/2-3/serial"] = "WX1\n"
	m.sys[large+"/dev"], m.sys[large+"/size"], m.sys[large+"/device/model"] = "8:48\n", "7814037168\n", "Elements\n"
	m.nodes = map[string]Number{"/dev/disk/by-id/usb-SanDisk": {8, 16}, "/dev/disk/by-id/ata-WDC": {8, 0}, "/dev/disk/by-path/usb": {8, 16}}
	return m
}

// TestChoose chooses among the disks of a desk.
func TestChoose(t *testing.T) {
	const stick, second, ata, large = "/dev/sdb", "/dev/sdc", "/dev/sda", "/dev/sdd"
	mounted := func(m *machine) { m.mountinfo += "30 22 8:17 / /media/stick rw - vfat /dev/sdb1 rw\n" }
	for name, test := range map[string]struct {
		change func(*machine)
		choice Choice
		policy Policy
		want   []string
		err    error // of the type of this one
	}{
		"a stick":                     {nil, Choice{Paths: []string{stick}}, Policy{}, []string{stick}, nil},
		"two":                         {nil, Choice{Paths: []string{second, stick}}, Policy{}, []string{second, stick}, nil},
		"by serial":                   {nil, Choice{Serials: []string{"4C530002", "4C530001"}}, Policy{Unasked: true}, []string{second, stick}, nil},
		"by both":                     {nil, Choice{Paths: []string{stick}, Serials: []string{"4C530001"}}, Policy{Unasked: true}, []string{stick}, nil},
		"by a link":                   {nil, Choice{Paths: []string{"/dev/disk/by-id/usb-SanDisk"}}, Policy{Unasked: true}, []string{stick}, nil},
		"by another link":             {nil, Choice{Paths: []string{"/dev/disk/by-path/usb"}}, Policy{Unasked: true}, nil, &UnstableNameError{}},
		"by a name":                   {nil, Choice{Paths: []string{stick}}, Policy{Unasked: true}, nil, &UnstableNameError{}},
		"one of two by a name":        {nil, Choice{Paths: []string{"/dev/disk/by-id/usb-SanDisk", second}}, Policy{Unasked: true}, nil, &UnstableNameError{}},
		"no stick":                    {nil, Choice{Paths: []string{ata}}, Policy{}, nil, &NotStickError{}},
		"no stick, by serial":         {nil, Choice{Serials: []string{"VAGLL1H"}}, Policy{}, []string{ata}, nil},
		"no stick, by a link":         {nil, Choice{Paths: []string{"/dev/disk/by-id/ata-WDC"}}, Policy{Unasked: true}, []string{ata}, nil},
		"a large one":                 {nil, Choice{Paths: []string{large}}, Policy{}, nil, &NotStickError{}},
		"one twice":                   {nil, Choice{Paths: []string{stick, "/dev/disk/by-id/usb-SanDisk"}}, Policy{}, nil, &TwiceError{}},
		"another serial":              {nil, Choice{Paths: []string{stick}, Serials: []string{"4C530002"}}, Policy{}, nil, &WrongSerialError{}},
		"a serial too many":           {nil, Choice{Paths: []string{stick}, Serials: []string{"4C530001", "4C530002"}}, Policy{}, nil, &SerialError{}},
		"a serial of none":            {nil, Choice{Serials: []string{"X"}}, Policy{}, nil, &SerialError{}},
		"an empty serial":             {nil, Choice{Serials: []string{""}}, Policy{}, nil, &SerialError{}},
		"a serial of two":             {func(m *machine) { m.sys["devices/pci0000:00/0000:00:14.0/usb2/2-2/serial"] = "4C530001\n" }, Choice{Serials: []string{"4C530001"}}, Policy{}, nil, &SerialError{}},
		"the system":                  {nil, Choice{Paths: []string{"/dev/nvme0n1"}}, Policy{}, nil, &InUseError{}},
		"the system, by serial":       {nil, Choice{Serials: []string{"S4EVNX0"}}, Policy{Unmount: true, Unasked: true}, nil, &InUseError{}},
		"mounted":                     {mounted, Choice{Paths: []string{stick}}, Policy{}, nil, &InUseError{}},
		"mounted, to be unmounted":    {mounted, Choice{Paths: []string{stick}}, Policy{Unmount: true}, []string{stick}, nil},
		"mounted, and by a name":      {mounted, Choice{Paths: []string{stick}}, Policy{Unmount: true, Unasked: true}, nil, &UnstableNameError{}},
		"mounted by the system":       {func(m *machine) { m.mountinfo += "30 22 8:17 / /home rw - ext4 /dev/sdb1 rw\n" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &InUseError{}},
		"mounted, and swap":           {func(m *machine) { mounted(m); m.swaps = "/dev/sdb partition 1 0 -2\n" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &InUseError{}},
		"mounted, and a member":       {func(m *machine) { mounted(m); m.sys[usbFolder+"/holders/md9"] = "" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &InUseError{}},
		"mounted, and read-only":      {func(m *machine) { mounted(m); m.sys[usbFolder+"/ro"] = "1\n" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &InUseError{}},
		"read-only":                   {func(m *machine) { m.sys[usbFolder+"/ro"] = "1\n" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &ReadOnlyError{}},
		"without a medium":            {func(m *machine) { m.sys[usbFolder+"/size"] = "0\n" }, Choice{Paths: []string{stick}}, Policy{Unmount: true}, nil, &NoMediumError{}},
		"a partition":                 {nil, Choice{Paths: []string{"/dev/sdb1"}}, Policy{}, nil, &PartitionError{}},
		"nothing":                     {nil, Choice{Paths: []string{"/dev/sdz"}}, Policy{}, nil, &MissingError{}},
		"a good one, and a partition": {nil, Choice{Paths: []string{second, "/dev/sdb1"}}, Policy{}, nil, &PartitionError{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := desk()
			if test.change != nil {
				test.change(&m)
			}
			disks, err := m.host(t).Choose(test.choice, test.policy)
			var got []string
			for _, d := range disks {
				got = append(got, d.Path)
			}
			if !slices.Equal(got, test.want) || !sameType(err, test.err) {
				t.Errorf("chose %q, %T %v; want %q, %T", got, err, err, test.want, test.err)
			}
		})
	}
}

// sameType reports whether an error is, or wraps, one of the type of another.
func sameType(err, like error) bool {
	if like == nil {
		return err == nil
	}
	return err != nil && errors.As(err, reflect.New(reflect.TypeOf(like)).Interface())
}

// TestNotStick reads why a disk is no stick.
func TestNotStick(t *testing.T) {
	disks, _ := disksByName(t, desk())
	for name, want := range map[string]string{
		"sda": "/dev/sda is no stick, but a disk on ata (WDC WD80EFAX-68K) with 8001 GB",
		"sdd": "/dev/sdd is no stick, but a disk on usb (Elements) with 4000 GB",
	} {
		if got := (&NotStickError{disks[name]}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	fixed := disks["sda"]
	fixed.Size = 64 << 30
	if got, want := (&NotStickError{fixed}).Error(), "/dev/sda is no stick, but a disk on ata (WDC WD80EFAX-68K) that cannot be taken out"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
