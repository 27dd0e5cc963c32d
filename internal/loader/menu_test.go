package loader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/qemu"
)

// Menus as nixpkgs 24.05 writes them, shortened.
const (
	isolinux2405 = `
SERIAL 0 115200
TIMEOUT 100
UI vesamenu.c32
MENU TITLE NixOS
MENU BACKGROUND /isolinux/background.png

DEFAULT boot

LABEL boot
MENU LABEL NixOS 24.05 Installer
LINUX /boot/bzImage
APPEND init=/nix/store/x/init root=LABEL=nixos loglevel=4
INITRD /boot/initrd

# A variant to boot with 'nomodeset'
LABEL boot-nomodeset
MENU LABEL NixOS 24.05 Installer (nomodeset)
LINUX /boot/bzImage
APPEND init=/nix/store/x/init root=LABEL=nixos loglevel=4 nomodeset
INITRD /boot/initrd

LABEL boot-serial
MENU LABEL NixOS 24.05 Installer (serial console=ttyS0,115200n8)
LINUX /boot/bzImage
APPEND init=/nix/store/x/init root=LABEL=nixos loglevel=4 console=ttyS0,115200n8
INITRD /boot/initrd

LABEL memtest
MENU LABEL Memtest86+
LINUX /boot/memtest.bin
APPEND console=ttyS0,115200
`
	grub2405 = `
textmode=false
set timeout=10
clear
echo "Loading graphical boot menu..."
search --set=root --file /EFI/nixos-installer-image
insmod gfxterm
if [ "$textmode" == "false" ]; then
  terminal_output gfxterm
fi
hiddenentry 'Text mode' --hotkey 't' {
  loadfont ($root)/EFI/boot/unicode.pf2
  set textmode=true
}
if [ ${iso_path} ] ; then
  set isoboot="findiso=${iso_path}"
fi
menuentry 'NixOS 24.05 Installer ' --class installer {
  # Fallback to UEFI console for boot, efifb sometimes has difficulties.
  terminal_output console

  linux /boot/bzImage ${isoboot} init=/nix/store/x/init  root=LABEL=nixos loglevel=4
  initrd /boot/initrd
}
menuentry 'NixOS 24.05 Installer (nomodeset)' --class nomodeset {
  terminal_output console
  linux /boot/bzImage ${isoboot} init=/nix/store/x/init  root=LABEL=nixos loglevel=4 nomodeset
  initrd /boot/initrd
}
submenu "HiDPI, Quirks and Accessibility" --class hidpi --class submenu {
  search --set=root --file /EFI/nixos-installer-image
  submenu "Suggests resolution @720p" --class hidpi-720p {
    menuentry 'NixOS 24.05 Installer ' --class installer {
      linux /boot/bzImage ${isoboot} init=/nix/store/x/init video=1280x720@60 loglevel=4
    }
  }
  menuentry "" { return }
  submenu "Serial console=ttyS0,115200n8" --class serial {
    menuentry 'NixOS 24.05 Installer ' --class installer {
      linux /boot/bzImage ${isoboot} init=/nix/store/x/init console=ttyS0,115200n8 loglevel=4
    }
  }
}
if [ "$root" != "cd0" ]; then
  menuentry 'rEFInd' --class refind {
    chainloader ($root)/EFI/boot/refind_x64.efi
  }
fi
menuentry 'Shutdown' --class shutdown { halt }
`
)

func press(keys ...any) []qemu.Key {
	var all []qemu.Key
	for _, k := range keys {
		switch k := k.(type) {
		case int:
			all = append(all, slices.Repeat([]qemu.Key{qemu.KeyDown}, k)...)
		case qemu.Key:
			all = append(all, k)
		case string:
			all = append(all, qemu.Text(k)...)
		}
	}
	return all
}

const typed = " console=ttyS0,115200n8"

func TestSerial(t *testing.T) {
	noInclude := func(string) (string, bool) { return "", false }
	without := func(menu, text string) string { return strings.ReplaceAll(menu, text, "") }
	sub := []any{qemu.KeyEnter, qemu.Settle, qemu.KeyHome}
	tests := []struct {
		name string
		menu Menu
		way  Way
		keys []qemu.Key
	}{
		{"isolinux with an entry", ParseSYSLINUX(isolinux2405, noInclude), ByEntry, press(2, qemu.KeyEnter)},
		{
			"isolinux without", ParseSYSLINUX(without(isolinux2405, " console=ttyS0,115200n8\nINITRD"), noInclude), ByTyping,
			press(qemu.KeyTab, qemu.Settle, typed, qemu.KeyEnter),
		},
		{
			"isolinux by itself", ParseSYSLINUX(strings.Replace(isolinux2405, "DEFAULT boot", "DEFAULT boot-serial", 1), noInclude),
			ByItself, nil,
		},
		{
			"GRUB with an entry", ParseGRUB(grub2405), ByEntry,
			press(append(append([]any{2}, sub...), append([]any{2}, append(sub, qemu.KeyEnter)...)...)...),
		},
		{
			"GRUB without", ParseGRUB(without(grub2405, "console=ttyS0,115200n8 ")), ByTyping,
			press(qemu.Key("e"), qemu.Settle, 5, qemu.KeyEnd, typed, qemu.Key("ctrl-x")),
		},
		{
			"GRUB with another default", ParseGRUB("set default=\"1\"\n" + without(grub2405, "console=ttyS0,115200n8 ")), ByTyping,
			press(1, qemu.Key("e"), qemu.Settle, 3, qemu.KeyEnd, typed, qemu.Key("ctrl-x")),
		},
		{"GRUB by itself", ParseGRUB(strings.Replace(grub2405, "loglevel=4", "console=ttyS0 loglevel=4", 1)), ByItself, nil},
		{"other port", ParseGRUB("menuentry a {\nlinux /k console=ttyS00 console=tty0\n}"), ByTyping, press(qemu.Key("e"), qemu.Settle, 2, qemu.KeyEnd, typed, qemu.Key("ctrl-x"))},
		{"no kernel", ParseGRUB("menuentry a { chainloader /x.efi }"), NoWay, nil},
		{"nothing", ParseGRUB("echo hello"), NoWay, nil},
		{"nothing of isolinux", ParseSYSLINUX("PROMPT 1\nMENU END\nMENU HIDE", noInclude), NoWay, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			way, keys := test.menu.Serial("ttyS0")
			if way != test.way || !slices.Equal(keys, test.keys) {
				t.Errorf("Serial = %d, %q, want %d, %q", way, keys, test.way, test.keys)
			}
		})
	}
}

// TestMenusWrittenHere finds the way through what internal/boot writes.
func TestMenusWrittenHere(t *testing.T) {
	entry := func(label, title, extra string) boot.Entry {
		return boot.Entry{Label: label, Title: title, Class: "installer", Kernel: "/boot/k", Initrd: "/boot/i",
			Params: []string{"init=/nix/store/x/init", "quiet", extra}}
	}
	menu := &boot.Menu{
		Entries: []boot.Entry{entry("boot", "NixOS it's", "a"), entry("boot-two", "NixOS \"two\"", "b")},
		Options: []boot.Group{
			{Title: "No modesetting", Class: "nomodeset", Entries: []boot.Entry{entry("n1", "NixOS", "nomodeset"), entry("n2", "NixOS", "nomodeset")}},
			{Title: "Serial", Class: "serial", Entries: []boot.Entry{entry("s1", "NixOS", "console=ttyS0,115200n8"), entry("s2", "NixOS", "console=ttyS0,115200n8")}},
		},
		Theme: true,
	}
	want := press(2, qemu.KeyEnter, qemu.Settle, qemu.KeyHome, 1, qemu.KeyEnter, qemu.Settle, qemu.KeyHome, qemu.KeyEnter)
	menus := map[string]Menu{
		"isolinux": ParseSYSLINUX(string(menu.Isolinux()), nil),
		"GRUB":     ParseGRUB(string(menu.Grub([]string{"a.pf2"}, nil))),
	}
	for name, m := range menus {
		if way, keys := m.Serial("ttyS0"); way != ByEntry || !slices.Equal(keys, want) {
			t.Errorf("%s: Serial = %d, %q, want the entry by %q", name, way, keys, want)
		}
		if m.Items[0].Title != "NixOS it's" || m.Items[2].Title != boot.OptionsTitle {
			t.Errorf("%s: the menu is read as %+v", name, m)
		}
	}
}

func TestParseSYSLINUX(t *testing.T) {
	files := map[string]string{
		"menu.cfg": "include more.cfg\nlabel last\n  linux /k\n",
		"more.cfg": "LABEL hidden\nMENU HIDE\nKERNEL /k\nlabel help\n  menu label ^Help\n text help\nlabel no\nendtext\n append x\n kernel /k\n  menu default\n",
		"loop.cfg": "include loop.cfg\nlabel a\n",
	}
	include := func(name string) (string, bool) {
		text, ok := files[name]
		return text, ok
	}
	m := ParseSYSLINUX("default vesamenu.c32\nmenu begin adv\n menu title Advanced\n label inner\n menu default\n  kernel /k\nmenu end\ninclude menu.cfg\ninclude absent.cfg", include)
	got := fmt.Sprintf("%+v", m)
	want := "{Loader:0 Items:[{Title:Advanced Items:[{Title:inner Items:[] CommandLine:/k kernelLine:0}] CommandLine: kernelLine:0} " +
		"{Title:Help Items:[] CommandLine:/k x kernelLine:0} {Title:last Items:[] CommandLine:/k kernelLine:0}] Default:1}"
	if got != want {
		t.Errorf("ParseSYSLINUX =\n%s, want\n%s", got, want)
	}
	if m := ParseSYSLINUX(files["loop.cfg"], include); len(m.Items) != maxIncludes+1 {
		t.Errorf("a file that includes itself gives %d items, want %d", len(m.Items), maxIncludes+1)
	}
}

func TestParseGRUBWords(t *testing.T) {
	m := ParseGRUB("function f {\n menuentry no { true }\n}\n" +
		"menuentry \"a \\\"b\\\" $c\" --id 'x{y}' { # comment {\n" +
		"  if true; then linux16 /k ${d} e\\\n    'f g' # h\n  fi\n}\n" +
		"menuentry open {\n linuxefi /l\n")
	got := fmt.Sprintf("%+v", m.Items)
	want := "[{Title:a \"b\" $c Items:[] CommandLine: kernelLine:0} {Title:open Items:[] CommandLine:/l kernelLine:2}]"
	// A command after "then" is not looked for.
	if got != want {
		t.Errorf("ParseGRUB =\n%s, want\n%s", got, want)
	}
}

// medium is files by their paths.
type medium map[string]string

func (m medium) Text(path string) (string, bool, error) {
	if path == "broken.cfg" {
		return "", false, errors.New("broken")
	}
	text, ok := m[path]
	return text, ok, nil
}

func TestFind(t *testing.T) {
	files := medium{
		"isolinux/isolinux.cfg":  "INCLUDE entries.cfg\n",
		"isolinux/entries.cfg":   "LABEL a\nINCLUDE /more.cfg\n",
		"more.cfg":               "LABEL b\n",
		"EFI/BOOT/grub.cfg":      "search --set=root --file /x\nconfigfile /boot/grub/grub.cfg\n",
		"boot/grub/grub.cfg":     "menuentry c {\n}\n",
		"boot/grub/loopback.cfg": "menuentry d {\n}\n",
	}
	for loader, want := range map[Loader]string{SYSLINUX: "a b", GRUB: "c"} {
		menu, found, err := Find(files, loader)
		var titles []string
		for _, item := range menu.Items {
			titles = append(titles, item.Title)
		}
		if got := strings.Join(titles, " "); !found || err != nil || got != want || menu.Loader != loader {
			t.Errorf("Find(%d) = %q, %t, %v, want %q", loader, got, found, err, want)
		}
	}
	if _, found, err := Find(medium{}, GRUB); found || err != nil {
		t.Errorf("Find = %t, %v, want no menu", found, err)
	}
	if _, _, err := Find(medium{"isolinux.cfg": "INCLUDE /broken.cfg"}, SYSLINUX); err == nil {
		t.Error("Find has no error where a file cannot be read")
	}
}

func FuzzMenus(f *testing.F) {
	f.Add(isolinux2405)
	f.Add(grub2405)
	f.Add("menuentry a { { { } submenu b { menuentry '")
	f.Add("MENU BEGIN\nMENU BEGIN\nLABEL x\nMENU END\nTEXT HELP\n")
	f.Fuzz(func(t *testing.T, text string) {
		include := func(string) (string, bool) { return "LABEL x\nMENU END\n", true }
		for _, m := range []Menu{ParseSYSLINUX(text, include), ParseGRUB(text)} {
			way, keys := m.Serial("ttyS0")
			if (way == ByEntry || way == ByTyping) != (len(keys) > 0) {
				t.Errorf("Serial = %d, %q", way, keys)
			}
		}
	})
}
