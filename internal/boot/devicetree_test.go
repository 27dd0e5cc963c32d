package boot

import (
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
)

// boards is a system for ARM boards, and the folder of their device trees.
func boards(t *testing.T) (*lab, *nixos.System, string) {
	t.Helper()
	l := newLab(t)
	s := l.installer()
	s.MakeBIOSBootable, s.IsX86, s.EFIArch, s.Memtest, s.Refind = false, false, "aa64", nil, ""
	for _, name := range []string{"rockchip/rk3399-rockpro64.dtb", "rockchip/rk3588-rock-5b.dtb", "broadcom/bcm2711-rpi-4-b.dtb", "it's mine.dtb", "overlays/uart.dtbo"} {
		l.put("device-trees/"+name, name)
	}
	return l, s, "/nix/store/device-trees"
}

// menuOf returns the tree, and the menu that it has in GRUB.
func menuOf(t *testing.T, l *lab, s *nixos.System) (*Tree, string) {
	t.Helper()
	tree, err := NewTree(0, s)
	if err != nil {
		t.Fatal(err)
	}
	files, err := deviceTreeFiles(l.files(), []*nixos.System{s})
	if err != nil {
		t.Fatal(err)
	}
	config := string(tree.Menus[0].Grub(nil, files))
	checkScript(t, config)
	return tree, config
}

func TestNoDeviceTree(t *testing.T) {
	l, s, _ := boards(t)
	_, config := menuOf(t, l, s)
	for _, text := range []string{"devicetree", "dtb", "Device tree"} {
		if strings.Contains(config, text) {
			t.Errorf("the menu has %q", text)
		}
	}
}

func TestChosenDeviceTree(t *testing.T) {
	l, s, folder := boards(t)
	s.Configurations[0].DeviceTree = folder + "/rockchip/rk3399-rockpro64.dtb"
	specialise(t, s, "mine").DeviceTree = folder + "/it's mine.dtb"
	specialise(t, s, "plain").DeviceTree = ""
	tree, config := menuOf(t, l, s)
	wanted := []string{"boot" + folder + "/it's mine.dtb", "boot" + folder + "/rockchip/rk3399-rockpro64.dtb"}
	got := slices.DeleteFunc(targets(tree), func(name string) bool { return !strings.HasSuffix(name, ".dtb") })
	if !slices.Equal(got, wanted) {
		t.Errorf("the medium has the device trees %q, want %q", got, wanted)
	}
	if strings.Contains(config, "${dtb}") || strings.Contains(config, deviceTreeMenu) {
		t.Error("there is a choice of device trees")
	}
	// Each entry and its nine variants: two serial consoles, unlike on a PC.
	for line, want := range map[string]int{
		"devicetree /boot" + folder + "/rockchip/rk3399-rockpro64.dtb\n": 10,
		"devicetree '/boot" + folder + `/it'\''s mine.dtb'` + "\n":       10,
		"devicetree ": 20,
	} {
		if got := strings.Count(config, line); got != want {
			t.Errorf("%q is in the menu %d times, want %d", line, got, want)
		}
	}
}

func TestChoiceOfDeviceTrees(t *testing.T) {
	l, s, folder := boards(t)
	s.Configurations[0].DeviceTrees = folder
	specialise(t, s, "fixed").DeviceTrees = ""
	s.Configurations[1].DeviceTree = folder + "/rockchip/rk3399-rockpro64.dtb"
	tree, config := menuOf(t, l, s)
	// The folder has the file of the second entry already.
	got := slices.DeleteFunc(targets(tree), func(name string) bool { return !strings.HasPrefix(name, "boot"+folder) })
	if !slices.Equal(got, []string{"boot" + folder}) {
		t.Errorf("the medium has the device trees %q, want the folder", got)
	}
	items := parseGrub(t, config)
	i := slices.IndexFunc(items, func(i item) bool { return strings.Contains(i.title, deviceTreeMenu) })
	if i < 0 {
		t.Fatal("there is no menu of device trees")
	}
	var titles []string
	var walk func(items []item)
	walk = func(items []item) {
		for _, i := range items {
			if i.label != "hiddenentry" {
				titles = append(titles, strings.TrimSuffix(strings.TrimSuffix(i.title, " --class settings"), " --class submenu"))
			}
			walk(i.items)
		}
	}
	walk(items[i].items)
	want := []string{`'The firmware'\''s'`, `'it'\''s mine.dtb'`, "broadcom", "bcm2711-rpi-4-b.dtb", "rockchip", "rk3399-rockpro64.dtb", "rk3588-rock-5b.dtb"}
	if !slices.Equal(titles, want) {
		t.Errorf("the menu of device trees has %q, want %q", titles, want)
	}
	for _, text := range []string{
		"set dtb=rockchip/rk3588-rock-5b.dtb\n", "configfile /EFI/BOOT/grub.cfg\n",
		"  devicetree /boot" + folder + "/\"${dtb}\"\n", "  devicetree /boot" + folder + "/rockchip/rk3399-rockpro64.dtb\n",
	} {
		if !strings.Contains(config, text) {
			t.Errorf("the menu lacks %q", text)
		}
	}
}

func TestSerialVariants(t *testing.T) {
	for arch, want := range map[string]string{
		"x64": "ttyS0", "ia32": "ttyS0", "riscv64": "ttyS0", "aa64": "ttyAMA0 ttyS0", "arm": "ttyAMA0 ttyS0",
	} {
		_, s, _ := boards(t)
		s.EFIArch = arch
		m, err := newMenu(s)
		if err != nil {
			t.Fatal(err)
		}
		var devices []string
		for _, g := range m.Systems[0].Options {
			if device, ok := strings.CutPrefix(g.Title, "Serial console="); ok {
				devices = append(devices, strings.TrimSuffix(device, ",115200n8"))
			}
		}
		if got := strings.Join(devices, " "); got != want {
			t.Errorf("%s: serial consoles are %q, want %q", arch, got, want)
		}
	}
}
