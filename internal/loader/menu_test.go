package loader

import (
	"errors"
	"reflect"
	"strings"
	"testing"
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

func noInclude(string) (string, bool) { return "", false }

const plenty = 1 << 20

// TestSpeaks has menus that start a kernel with a console by themselves, and others.
func TestSpeaks(t *testing.T) {
	const linux = "linux /k console=ttyS0\n}\n"
	isolinux := strings.Replace(isolinux2405, "DEFAULT boot", "DEFAULT boot-serial", 1)
	for name, test := range map[string]struct {
		menu Menu
		want bool
	}{
		"isolinux":                  {ParseSYSLINUX(isolinux, noInclude), true},
		"isolinux, other default":   {ParseSYSLINUX(isolinux2405, noInclude), false},
		"isolinux waits":            {ParseSYSLINUX(strings.Replace(isolinux, "TIMEOUT 100", "TIMEOUT 0", 1), noInclude), false},
		"isolinux without timeout":  {ParseSYSLINUX(strings.Replace(isolinux, "TIMEOUT 100\n", "", 1), noInclude), false},
		"isolinux waits for long":   {ParseSYSLINUX(strings.Replace(isolinux, "TIMEOUT 100", "TIMEOUT 9000", 1), noInclude), false},
		"isolinux, no menu":         {ParseSYSLINUX(strings.Replace(isolinux, "UI vesamenu.c32", "", 1), noInclude), true},
		"isolinux, prompt":          {ParseSYSLINUX("PROMPT 1\nDEFAULT a\nLABEL a\nLINUX /k\nAPPEND console=ttyS0\n", noInclude), false},
		"isolinux, on timeout":      {ParseSYSLINUX(isolinux2405+"ONTIMEOUT boot-serial\n", noInclude), true},
		"isolinux, another command": {ParseSYSLINUX(isolinux+"ONTIMEOUT reboot.c32\n", noInclude), false},
		"isolinux, memory test":     {ParseSYSLINUX(strings.Replace(isolinux2405, "DEFAULT boot", "DEFAULT memtest", 1), noInclude), true},

		"GRUB":                       {ParseGRUB("set timeout=5\nmenuentry a {\n" + linux), true},
		"GRUB at once":               {ParseGRUB("timeout=0\nmenuentry a {\n" + linux), true},
		"GRUB waits":                 {ParseGRUB("set timeout=-1\nmenuentry a {\n" + linux), false},
		"GRUB without timeout":       {ParseGRUB("menuentry a {\n" + linux), false},
		"GRUB waits for long":        {ParseGRUB("set timeout=60\nmenuentry a {\n" + linux), false},
		"GRUB, other port":           {ParseGRUB("set timeout=5\nmenuentry a {\nlinux /k console=ttyS00 console=tty0\n}"), false},
		"GRUB by number":             {ParseGRUB("timeout=5\ndefault=1\nmenuentry a {\n}\nmenuentry b {\n" + linux), true},
		"GRUB by title":              {ParseGRUB("timeout=5\nset default='b c'\nmenuentry a {\n}\nmenuentry 'b c' {\n" + linux), true},
		"GRUB by identifier":         {ParseGRUB("timeout=5\nset default=x\nmenuentry a {\n}\nmenuentry b --id x {\n" + linux), true},
		"GRUB by grub-mkconfig's":    {ParseGRUB("timeout=5\nset default=x\nmenuentry a {\n}\nmenuentry b $menuentry_id_option 'x' {\n" + linux), true},
		"GRUB in a submenu":          {ParseGRUB("timeout=5\nset default='0>b'\nsubmenu a {\nmenuentry a {\n}\nmenuentry b {\n" + linux + "}\n"), true},
		"GRUB, a submenu":            {ParseGRUB("timeout=5\nsubmenu a {\nmenuentry b {\n" + linux + "}\n"), false},
		"GRUB, absent default":       {ParseGRUB("timeout=5\nset default=absent\nmenuentry a {\n" + linux), true},
		"GRUB, saved entry":          {ParseGRUB("timeout=5\nset default=\"${saved_entry}\"\nmenuentry a {\n" + linux), false},
		"GRUB, conditional entry":    {ParseGRUB("timeout=5\nif true; then\nmenuentry x {\n}\nfi\nmenuentry a {\n" + linux), false},
		"GRUB, conditional timeout":  {ParseGRUB("timeout=5\nif true; then set timeout=-1; fi\nmenuentry a {\n" + linux), false},
		"GRUB, condition in a block": {ParseGRUB("timeout=5\nmenuentry a {\nif true; then linux /k console=ttyS0; fi\n}"), true},
		"GRUB of nixpkgs":            {ParseGRUB(grub2405), false},
		"nothing":                    {ParseGRUB("echo hello"), false},
		"nothing of isolinux":        {ParseSYSLINUX("PROMPT 1\nMENU END\nMENU HIDE", noInclude), false},
	} {
		if got := test.menu.Speaks("ttyS0"); got != test.want {
			t.Errorf("%s: Speaks = %t, want %t: %+v", name, got, test.want, test.menu)
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
	adv := Item{Title: "Advanced", Items: []Item{{Title: "inner", ID: "inner", CommandLine: "/k"}}}
	want := Menu{Loader: SYSLINUX, Items: []Item{adv, {Title: "Help", ID: "help", CommandLine: "/k x"}, {Title: "last", ID: "last", CommandLine: "/k"}},
		Default: []int{1}, Timeout: Forever, Sure: true}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("ParseSYSLINUX =\n%+v, want\n%+v", m, want)
	}
	if m := ParseSYSLINUX(files["loop.cfg"], include); len(m.Items) != maxIncludes+1 {
		t.Errorf("a file that includes itself gives %d items, want %d", len(m.Items), maxIncludes+1)
	}
	many := strings.Repeat("include many.cfg\nmenu include many.cfg\nlabel a\n", 100)
	if m := ParseSYSLINUX(many, func(string) (string, bool) { return many, true }); len(m.Items) > (maxFiles+1)*100 {
		t.Errorf("files that include themselves often give %d items", len(m.Items))
	}
}

func TestParseGRUBWords(t *testing.T) {
	m := ParseGRUB("function f {\n menuentry no { true }\n}\n" +
		"menuentry --class c \"a \\\"b\\\" $c\" --id 'x{y}' { # comment {\n" +
		"  if true; then linux16 /k ${d} e\\\n    'f g' # h\n  fi\n}\n" +
		"menuentry open {\n linuxefi /l\n")
	want := []Item{{Title: "a \"b\" $c", ID: "x{y}", CommandLine: "/k ${d} e f g"}, {Title: "open", CommandLine: "/l"}}
	if !reflect.DeepEqual(m.Items, want) {
		t.Errorf("ParseGRUB =\n%+v, want\n%+v", m.Items, want)
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
		menu, found, err := findOne(files, loader)
		var titles []string
		for _, item := range menu.Items {
			titles = append(titles, item.Title)
		}
		if got := strings.Join(titles, " "); !found || err != nil || got != want || menu.Loader != loader {
			t.Errorf("Find(%d) = %q, %t, %v, want %q", loader, got, found, err, want)
		}
	}
	if found, err := Find(medium{}, GRUB); len(found) > 0 || err != nil {
		t.Errorf("Find = %d, %v, want no menu", len(found), err)
	}
	if _, _, err := findOne(medium{"isolinux.cfg": "INCLUDE /broken.cfg"}, SYSLINUX); err == nil {
		t.Error("Find has no error where a file cannot be read")
	}
}

// TestNeeded names kernels and initrds in all the ways that there are.
func TestNeeded(t *testing.T) {
	for _, test := range []struct {
		loader Loader
		path   string
		text   string
		want   string
	}{
		{SYSLINUX, "isolinux/isolinux.cfg", "LABEL a\nLINUX /k\nINITRD /u,i\nLABEL b\nKERNEL live/vmlinuz\nAPPEND initrd=../x,/y quiet\nLABEL c\nKERNEL menu.c32\nINITRD /never\n", "k u isolinux/i isolinux/live/vmlinuz x y"},
		{SYSLINUX, "syslinux.cfg", "APPEND initrd=/common\nLABEL a\nLINUX k\n", "k common"},
		{GRUB, "boot/grub/grub.cfg", "menuentry a {\nlinux (hd0)/k quiet\ninitrd /u ($root)/i\n}\nsubmenu s {\nmenuentry b {\nlinux /k $x\ninitrd $y\n}\n}\nmenuentry c {\ninitrd /never\n}\n", "k u i"},
	} {
		menus, ok, err := findOne(texts{test.path: test.text}, test.loader)
		if !ok || err != nil {
			t.Fatalf("Find in %q: %t, %v", test.text, ok, err)
		}
		if got := strings.Join(menus.Needed(), " "); got != test.want {
			t.Errorf("Needed in %q = %q, want %q", test.text, got, test.want)
		}
	}
}

type texts map[string]string

func (f texts) Text(path string) (string, bool, error) {
	text, ok := f[path]
	return text, ok, nil
}

// findOne is Find of what has one menu at most.
func findOne(files Files, loader Loader) (Menus, bool, error) {
	all, err := Find(files, loader)
	if err != nil || len(all) == 0 {
		return Menus{}, false, err
	}
	return all[0], len(all) == 1, nil
}
