package loader

import (
	"path"
	"reflect"
	"strings"
	"testing"
	"time"
)

// folder is files in memory by their paths.
type folder map[string]string

func (f folder) Text(name string) (string, bool, error) {
	for at, text := range f {
		if strings.EqualFold(at, name) {
			return text, true, nil
		}
	}
	return "", false, nil
}

func (f folder) Names(dir string) (names []string, err error) {
	for at := range f {
		if strings.EqualFold(path.Dir(at), dir) {
			names = append(names, path.Base(at))
		}
	}
	return names, nil
}

// archMenu is the menu of Arch Linux's installation medium, as its archiso writes it.
var archMenu = folder{
	"loader/loader.conf": "timeout 15\ndefault 01-archiso-linux.conf\nbeep on\n",
	"loader/entries/01-archiso-linux.conf": "title    Arch Linux install medium (x86_64, UEFI)\nsort-key 01\n" +
		"linux    /arch/boot/x86_64/vmlinuz-linux\ninitrd   /arch/boot/x86_64/initramfs-linux.img\n" +
		"options  archisobasedir=arch archisodevice=UUID=2024-01-01-00-00-00-00\n",
	"loader/entries/02-archiso-speech-linux.conf": "title Arch Linux with speech\nsort-key 02\n" +
		"linux /arch/boot/x86_64/vmlinuz-linux\ninitrd /arch/boot/intel-ucode.img\ninitrd /arch/boot/x86_64/initramfs-linux.img\noptions archisobasedir=arch\noptions accessibility=on\n",
	"loader/entries/03-archiso-memtest86+x64.conf": "# a program\ntitle Memtest86+\nsort-key 03\nefi /boot/memtest86+/memtest.efi\narchitecture x64\n",
}

func TestSDBoot(t *testing.T) {
	menus, ok, err := findOne(archMenu, SystemdBoot)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	want := []Item{
		{Title: "Arch Linux install medium (x86_64, UEFI)", ID: "01-archiso-linux", Initrds: []string{"/arch/boot/x86_64/initramfs-linux.img"},
			CommandLine: "/arch/boot/x86_64/vmlinuz-linux archisobasedir=arch archisodevice=UUID=2024-01-01-00-00-00-00"},
		{Title: "Arch Linux with speech", ID: "02-archiso-speech-linux", Initrds: []string{"/arch/boot/intel-ucode.img", "/arch/boot/x86_64/initramfs-linux.img"},
			CommandLine: "/arch/boot/x86_64/vmlinuz-linux archisobasedir=arch accessibility=on"},
		{Title: "Memtest86+", ID: "03-archiso-memtest86+x64", CommandLine: "/boot/memtest86+/memtest.efi"},
	}
	if !reflect.DeepEqual(menus.Items, want) || !reflect.DeepEqual(menus.Default, []int{0}) || menus.Timeout != 15*time.Second || !menus.Sure {
		t.Errorf("%+v", menus.Menu)
	}
	if got, want := menus.Needed(), []string{"arch/boot/x86_64/vmlinuz-linux", "arch/boot/x86_64/initramfs-linux.img", "arch/boot/intel-ucode.img", "boot/memtest86+/memtest.efi"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it needs %q, want %q", got, want)
	}
}

// TestSDBootOrder has the entries of NixOS: the newest generation first, and a default by pattern.
func TestSDBootOrder(t *testing.T) {
	files := folder{
		"loader/entries/nixos-generation-9.conf":      "title NixOS\nversion Generation 9\nlinux /EFI/nixos/a.efi\n",
		"loader/entries/nixos-generation-10.conf":     "title NixOS\nversion Generation 10\nlinux /EFI/nixos/b.efi\n",
		"loader/entries/nixos-generation-11+3-1.conf": "title NixOS\nversion Generation 11\nlinux /EFI/nixos/c.efi\n",
		"loader/entries/z.conf":                       "sort-key first\nlinux /k\n",
		"loader/entries/README":                       "linux /none\n",
		"EFI/Linux/arch.EFI":                          "a unified kernel",
	}
	for config, want := range map[string]struct {
		way     int
		timeout time.Duration
		sure    bool
	}{
		"":                                      {0, 0, true},
		"timeout menu-force\n":                  {0, Forever, true},
		"timeout menu-hidden\ndefault @saved\n": {0, 0, false},
		"default nixos-generation-9.conf\n":     {3, 0, true},
		"default nixos-*\n":                     {1, 0, true},
		"default [\n":                           {0, 0, true},
		"timeout 99999999999999999999\n":        {0, 0, true},
	} {
		files["loader/loader.conf"] = config
		menus, ok, err := findOne(files, SystemdBoot)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		var ids []string
		for _, item := range menus.Items {
			ids = append(ids, item.ID)
		}
		if got := strings.Join(ids, " "); got != "z nixos-generation-11 nixos-generation-10 nixos-generation-9 arch" {
			t.Errorf("the order is %s", got)
		}
		if menus.Default[0] != want.way || menus.Timeout != want.timeout || menus.Sure != want.sure {
			t.Errorf("%q: %v, %s, %t", config, menus.Default, menus.Timeout, menus.Sure)
		}
	}
	if _, ok, err := findOne(folder{"loader/loader.conf": "timeout 3\n"}, SystemdBoot); ok || err != nil {
		t.Errorf("without entries: %t, %v", ok, err)
	}
}

// FuzzSDBoot: any text is a menu or none, whose default is one of its entries.
func FuzzSDBoot(f *testing.F) {
	config := archMenu["loader/loader.conf"]
	for name, text := range archMenu {
		f.Add(path.Base(name), text, config)
	}
	f.Add("nixos-generation-11+3-1.conf", "title NixOS\nsort-key nixos\nversion Generation 11 NixOS 24.05, Linux 6.6\nmachine-id 0\nlinux /EFI/nixos/c.efi\n", "default nixos-*\ntimeout 5\nconsole-mode keep\n")
	f.Fuzz(func(t *testing.T, name, text, config string) {
		files := folder{"loader/loader.conf": config, "loader/entries/a-1.conf": text, "loader/entries/a-2.conf": "linux /b\n"}
		if !strings.Contains(name, "/") {
			files["loader/entries/"+name] = text
		}
		menus, ok, err := findOne(files, SystemdBoot)
		if err != nil || !ok {
			t.Fatalf("%t, %v", ok, err)
		}
		if len(menus.Default) != 1 || menus.Default[0] >= len(menus.Items) || menus.Timeout < 0 {
			t.Errorf("%+v", menus.Menu)
		}
		for _, needed := range menus.Needed() {
			if strings.HasPrefix(needed, "../") {
				t.Errorf("it needs %q", needed)
			}
		}
		if a, b := parseEntry(name, text), parseEntry(name, config); compareEntries(a, b) != -compareEntries(b, a) {
			t.Errorf("%+v and %+v have no order", a, b)
		}
	})
}
