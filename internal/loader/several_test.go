package loader

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// severalSYSLINUX has a submenu for each of two systems.
const severalSYSLINUX = `TIMEOUT 50
UI vesamenu.c32
ONTIMEOUT boot-b
MENU BEGIN a: first
MENU TITLE a: first
LABEL boot-a
LINUX /a
APPEND init=/a/init
MENU END
MENU BEGIN b: second
MENU TITLE b: second
MENU DEFAULT
LABEL boot-b
LINUX /b
APPEND init=/b/init
MENU END
`

// severalGRUB is the same for GRUB.
const severalGRUB = `set timeout=5
set default="1>0"
submenu 'a: first' { menuentry first { linux /a init=/a/init
} }
submenu 'b: second' { menuentry second { linux /b init=/b/init
} }
`

// TestSubmenus reads menus of which the default is in a submenu, and has each of the entries start.
func TestSubmenus(t *testing.T) {
	for name, find := range map[string]struct {
		files medium
		of    Loader
	}{
		"SYSLINUX": {medium{"isolinux/isolinux.cfg": severalSYSLINUX}, SYSLINUX},
		"GRUB":     {medium{"EFI/BOOT/grub.cfg": severalGRUB}, GRUB},
	} {
		m, ok, err := findOne(find.files, find.of)
		if !ok || err != nil {
			t.Fatalf("%s: %t, %v", name, ok, err)
		}
		if !slices.Equal(m.Default, []int{1, 0}) || !m.Sure || m.Timeout != 5*time.Second {
			t.Errorf("%s: the default is %v after %s, sure %t", name, m.Default, m.Timeout, m.Sure)
		}
		for n, init := range []string{"init=/a/init", "init=/b/init"} {
			way := m.Starting(init)
			if !slices.Equal(way, []int{n, 0}) {
				t.Fatalf("%s: %s is at %v", name, init, way)
			}
			for _, port := range []string{"ttyS0", ""} {
				texts, ok := m.Speak(way, port, func(string) int { return plenty })
				if !ok || len(texts) != 1 {
					t.Fatalf("%s: changed to %v, %t", name, texts, ok)
				}
				for _, text := range texts {
					changed := ParseGRUB(text)
					if find.of == SYSLINUX {
						changed = ParseSYSLINUX(text, noInclude)
					}
					if !slices.Equal(changed.Default, way) || hasConsole(changed.DefaultItem().CommandLine, "ttyS0") != (port != "") && find.of == SYSLINUX {
						t.Errorf("%s: the changed default is %v %q", name, changed.Default, changed.DefaultItem().CommandLine)
					}
					if strings.Contains(text, "console") != (port != "") {
						t.Errorf("%s: port %q: the text is\n%s", name, port, text)
					}
				}
			}
		}
		if m.Starting("init=/c/init") != nil {
			t.Errorf("%s starts what it has not", name)
		}
	}
}

// TestProcessors finds the menus of a medium that starts machines of two kinds.
func TestProcessors(t *testing.T) {
	files := medium{
		"EFI/BOOT/grub.cfg":        "source \"/EFI/BOOT/grub-${grub_cpu}.cfg\"\n",
		"EFI/BOOT/grub-x86_64.cfg": "menuentry pc { linux /pc init=/pc/init\n}\n",
		"EFI/BOOT/grub-i386.cfg":   "source /EFI/BOOT/grub-x86_64.cfg\n",
		"EFI/BOOT/grub-arm64.cfg":  "menuentry arm { linux /arm init=/arm/init\n}\n",
	}
	all, err := Find(files, GRUB)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for n, want := range []struct{ cpu, title, kernel string }{{"x86_64", "pc", "pc"}, {"arm64", "arm", "arm"}} {
		m := all[n]
		if m.CPU != want.cpu || m.Items[0].Title != want.title || !slices.Equal(m.Kernels(), []string{want.kernel}) || !m.Sure {
			t.Errorf("%+v, want %+v", m, want)
		}
		if !m.For(want.cpu) || m.For("arm") {
			t.Errorf("%s is shown by others", want.cpu)
		}
	}
}
