package loader

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestSpeakGRUB changes scripts, and reads them again.
func TestSpeakGRUB(t *testing.T) {
	const head = "set serialconsole=console=ttyS0,115200n8\nexport serialconsole\n"
	for name, test := range map[string]struct{ text, want string }{
		"one entry": {
			"menuentry a {\n  linux /k x # comment\n  initrd /i\n}\n",
			head + "menuentry a {\n  linux /k x $serialconsole # comment\n  initrd /i\n}\n\nset timeout=1\n",
		},
		"in one line": {
			"timeout=-1;menuentry a { linux /k 'x y';initrd /i }",
			head + "timeout=-1;menuentry a { linux /k 'x y' $serialconsole;initrd /i }\nset timeout=1\n",
		},
		"continued": {
			"menuentry a {\nlinuxefi /k \\\n  x\n}",
			head + "menuentry a {\nlinuxefi /k \\\n  x $serialconsole\n}\nset timeout=1\n",
		},
		"with a console": {
			"menuentry a {\nlinux /k console=ttyS0\n}\nmenuentry b {\nlinux /k\n}",
			head + "menuentry a {\nlinux /k console=ttyS0\n}\nmenuentry b {\nlinux /k $serialconsole\n}\nset timeout=1\n",
		},
		"under a condition": {
			"menuentry a {\nif true; then linux /k; else linux16 /l; fi\n}",
			head + "menuentry a {\nif true; then linux /k $serialconsole; else linux16 /l $serialconsole; fi\n}\nset timeout=1\n",
		},
		"a submenu by default": {
			"submenu s {\nmenuentry a {\nhalt\n}\nmenuentry b {\nlinux /k\n}\n}\nmenuentry c {\nlinux /k\n}",
			head + "submenu s {\nmenuentry a {\nhalt\n}\nmenuentry b {\nlinux /k $serialconsole\n}\n}\nmenuentry c {\nlinux /k $serialconsole\n}\nset timeout=1\nset default=\"0>1\"\n",
		},
		"the disk by default": {
			"menuentry d {\nchainloader /d.efi\n}\nmenuentry c {\nlinux /k\n}",
			head + "menuentry d {\nchainloader /d.efi\n}\nmenuentry c {\nlinux /k $serialconsole\n}\nset timeout=1\nset default=\"1\"\n",
		},
		"saved": {
			"set default=\"${saved_entry}\"\nmenuentry d {\n}\nmenuentry c {\nlinux /k\n}",
			head + "set default=\"${saved_entry}\"\nmenuentry d {\n}\nmenuentry c {\nlinux /k $serialconsole\n}\nset timeout=1\n",
		},
		"a password": {
			"set superusers=root\nmenuentry c {\nlinux /k\n}",
			head + "set superusers=root\nmenuentry c {\nlinux /k $serialconsole\n}\nset timeout=1\nunset superusers\n",
		},
		"no kernel": {"menuentry a { chainloader /x.efi }", ""},
		"nothing":   {"echo hello", ""},
	} {
		got, ok := SpeakGRUB(test.text, nil, "ttyS0", plenty)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: SpeakGRUB =\n%s, %t, want\n%s", name, got, ok, test.want)
		}
	}
	checkGRUBScript(t, grub2405)
	changed, ok := SpeakGRUB(grub2405, nil, "ttyS0", plenty)
	if n := strings.Count(changed, " $serialconsole"); !ok || n != 3 {
		t.Errorf("nixpkgs' menu: %d kernels have a console more, want 3:\n%s", n, changed)
	}
	checkGRUBScript(t, changed)
}

// checkGRUBScript asks GRUB about a script.
func checkGRUBScript(t *testing.T, script string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "grub.cfg")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "grub-common", "grub-script-check", file)
}

// TestSpeakInLittleRoom leaves out what has no meaning, and gives up where that is not enough.
func TestSpeakInLittleRoom(t *testing.T) {
	whole, _ := SpeakGRUB(grub2405, nil, "ttyS0", plenty)
	if same, ok := SpeakGRUB(grub2405, nil, "ttyS0", len(whole)); !ok || same != whole {
		t.Error("a script that fits is changed more than it needs")
	}
	short, ok := SpeakGRUB(grub2405, nil, "ttyS0", len(grub2405))
	if !ok || len(short) > len(grub2405) || strings.Contains(short, "#") || strings.Contains(short, "\n ") {
		t.Errorf("SpeakGRUB = %t, %d bytes for a room of %d:\n%s", ok, len(short), len(grub2405), short)
	}
	checkGRUBScript(t, short)
	for _, text := range []string{grub2405, short} {
		if a, b := ParseGRUB(whole), ParseGRUB(text); len(a.Items) != len(b.Items) || a.Items[2].Title != b.Items[2].Title {
			t.Errorf("the short script has other items: %+v", b.Items)
		}
	}
	if text, ok := SpeakGRUB(grub2405, nil, "ttyS0", len(short)-1); ok {
		t.Errorf("a script of %d bytes for a room of %d", len(text), len(short)-1)
	}
	// A newline in quotes, and what looks like a comment there, has a meaning.
	const quoted = "# c\n\n  menuentry 'a\n  # no comment\n\n' {\n  linux /k # c\n}\n"
	want := "menuentry 'a\n  # no comment\n\n' {\nlinux /k $serialconsole \n}\n\nset timeout=1\n"
	if got, ok := SpeakGRUB(quoted, nil, "ttyS0", len(want)+65); !ok || !strings.HasSuffix(got, want) {
		t.Errorf("SpeakGRUB = %q, %t, want the end %q", got, ok, want)
	}
}

// TestSpeakSYSLINUX changes configuration files.
func TestSpeakSYSLINUX(t *testing.T) {
	const head, console = "TIMEOUT 1\nPROMPT 0\n", " console=ttyS0,115200n8"
	for name, test := range map[string]struct{ text, want string }{
		"one entry": {
			"UI menu.c32\nTIMEOUT 0\nLABEL a\n LINUX /k\n APPEND x\n",
			head + "UI menu.c32\nLABEL a\n LINUX /k\n APPEND x" + console + "\n",
		},
		"no parameters": {
			"PROMPT 1\nDEFAULT a\nLABEL a\nKERNEL /k\nINITRD /i",
			head + "DEFAULT a\nLABEL a\nKERNEL /k\nAPPEND" + console + "\nINITRD /i",
		},
		"common parameters": {
			"DEFAULT a\nAPPEND x\nLABEL a\nKERNEL /k\nLABEL b\nKERNEL /k\nAPPEND -\n",
			head + "DEFAULT a\nAPPEND x" + console + "\nLABEL a\nKERNEL /k\nLABEL b\nKERNEL /k\nAPPEND" + console + "\n",
		},
		"other programs": {
			"DEFAULT a\nLABEL a\nKERNEL /k\nAPPEND x\nLABEL c\nCOM32 chain.c32\nAPPEND hd0\nLABEL m\nKERNEL memtest.bin\nLABEL l\nLOCALBOOT -1\nLABEL b\nKERNEL hdt.c32\nAPPEND y\n",
			head + "DEFAULT a\nLABEL a\nKERNEL /k\nAPPEND x" + console + "\nLABEL c\nCOM32 chain.c32\nAPPEND hd0\nLABEL m\nKERNEL memtest.bin\nLABEL l\nLOCALBOOT -1\nLABEL b\nKERNEL hdt.c32\nAPPEND y\n",
		},
		"the disk by default": {
			"UI menu.c32\nDEFAULT l\nLABEL l\nLOCALBOOT -1\nLABEL a\nLINUX /k\nAPPEND x\n",
			head + "ONTIMEOUT a\nUI menu.c32\nDEFAULT l\nLABEL l\nLOCALBOOT -1\nLABEL a\nLINUX /k\nAPPEND x" + console + "\n",
		},
		"the disk on timeout": {
			"UI menu.c32\nONTIMEOUT l\nLABEL a\nLINUX /k\nAPPEND x\nLABEL l\nLOCALBOOT -1\n",
			head + "ONTIMEOUT a\nUI menu.c32\nLABEL a\nLINUX /k\nAPPEND x" + console + "\nLABEL l\nLOCALBOOT -1\n",
		},
		"a command on timeout": {
			"UI menu.c32\nONTIMEOUT reboot.c32\nLABEL a\nLINUX /k\nAPPEND x\n",
			head + "ONTIMEOUT a\nUI menu.c32\nLABEL a\nLINUX /k\nAPPEND x" + console + "\n",
		},
		"another kernel on timeout": {
			"UI menu.c32\nDEFAULT a\nONTIMEOUT b\nLABEL a\nLINUX /k\nAPPEND x\nMENU BEGIN\nLABEL b\nLINUX /k\nAPPEND y\nMENU END\n",
			head + "UI menu.c32\nDEFAULT a\nONTIMEOUT b\nLABEL a\nLINUX /k\nAPPEND x" + console + "\nMENU BEGIN\nLABEL b\nLINUX /k\nAPPEND y" + console + "\nMENU END\n",
		},
		"a password": {
			"UI menu.c32\nLABEL a\nMENU PASSWD x\nLINUX /k\nAPPEND x\n",
			head + "UI menu.c32\nLABEL a\nLINUX /k\nAPPEND x" + console + "\n",
		},
		"help": {
			"UI menu.c32\nLABEL a\nTEXT HELP\n APPEND no\nENDTEXT\nLINUX /k\nAPPEND x\n",
			head + "UI menu.c32\nLABEL a\nTEXT HELP\n APPEND no\nENDTEXT\nLINUX /k\nAPPEND x" + console + "\n",
		},
		"no kernel": {"LABEL a\nKERNEL x.c32\n", ""},
	} {
		texts, ok := SpeakSYSLINUX(test.text, nil, "ttyS0", noInclude, func(string) int { return plenty })
		if got := texts[""]; got != test.want || ok != (test.want != "") {
			t.Errorf("%s: SpeakSYSLINUX =\n%s, %t, want\n%s", name, got, ok, test.want)
		}
	}
}

// TestSpeakFiles changes all files of menus, in the room that they have.
func TestSpeakFiles(t *testing.T) {
	files := medium{
		"isolinux/isolinux.cfg": "UI menu.c32\nINCLUDE entries.cfg\nMENU INCLUDE /more.cfg\n",
		"isolinux/entries.cfg":  "LABEL a\nLINUX ../k\nAPPEND a\n",
		"more.cfg":              "# comment\n  LABEL b\n  LINUX /boot/l\n  APPEND b\n",
		"EFI/BOOT/grub.cfg":     "search --set=root --file /x\nconfigfile ($root)/boot/my.cfg\n",
		"boot/my.cfg":           "menuentry c {\nlinux (hd0)/boot/k\n}\n",
		"boot/grub/grub.cfg":    "menuentry d {\nlinux /boot/k\n}\nsource /boot/my.cfg\n",
	}
	wants := map[Loader]map[string]string{
		SYSLINUX: {
			"isolinux/isolinux.cfg": "TIMEOUT 1\nPROMPT 0\nUI menu.c32\nINCLUDE entries.cfg\nMENU INCLUDE /more.cfg\n",
			"isolinux/entries.cfg":  "LABEL a\nLINUX ../k\nAPPEND a console=ttyS0,115200n8\n",
			"more.cfg":              "LABEL b\nLINUX /boot/l\nAPPEND b console=ttyS0,115200n8\n",
		},
		GRUB: {
			"boot/my.cfg":        "set serialconsole=console=ttyS0,115200n8\nexport serialconsole\nmenuentry c {\nlinux (hd0)/boot/k $serialconsole\n}\n\nset timeout=1\n",
			"boot/grub/grub.cfg": "set serialconsole=console=ttyS0,115200n8\nexport serialconsole\nmenuentry d {\nlinux /boot/k $serialconsole\n}\nsource /boot/my.cfg\n\nset timeout=1\n",
		},
	}
	kernels := map[Loader]string{SYSLINUX: "k boot/l", GRUB: "boot/k"}
	for loader, want := range wants {
		menus, ok, err := findOne(files, loader)
		if !ok || err != nil {
			t.Fatalf("Find(%d) = %t, %v", loader, ok, err)
		}
		got, ok := menus.Speak(nil, "ttyS0", func(path string) int {
			if path == "more.cfg" {
				return 60
			}
			return plenty
		})
		if !ok || !maps.Equal(got, want) {
			t.Errorf("Speak = %q, %t, want %q", got, ok, want)
		}
		if got := strings.Join(menus.Kernels(), " "); got != kernels[loader] {
			t.Errorf("Kernels = %q, want %q", got, kernels[loader])
		}
		if got, ok := menus.Speak(nil, "ttyS0", func(string) int { return 50 }); ok {
			t.Errorf("Speak without room = %q", got)
		}
	}
}

// FuzzMenus reads and changes anything. What is changed has a console wherever it starts a kernel.
func FuzzMenus(f *testing.F) {
	f.Add(isolinux2405, 2000)
	f.Add(grub2405, 2500)
	f.Add("menuentry a { { { } submenu b { menuentry '", 100)
	f.Add("MENU BEGIN\nMENU BEGIN\nLABEL x\nMENU END\nTEXT HELP\n", 100)
	f.Add("label a\nkernel k\nappend -\nlabel b\nlinux k", 100)
	f.Fuzz(func(t *testing.T, text string, room int) {
		include := func(string) (string, bool) { return "LABEL x\nMENU END\n", true }
		texts, ok := SpeakSYSLINUX(text, nil, "ttyS0", include, func(string) int { return room })
		if ok && len(texts[""]) > room {
			t.Errorf("SpeakSYSLINUX = %d bytes in a room of %d", len(texts[""]), room)
		}
		changed, ok := SpeakGRUB(text, nil, "ttyS0", room)
		if ok && len(changed) > room {
			t.Errorf("SpeakGRUB = %d bytes in a room of %d", len(changed), room)
		}
		if ok {
			for _, l := range readGRUB(changed).lines {
				if !hasConsole(l.line, "ttyS0") && !strings.HasSuffix(l.line, "$"+consoleVariable) {
					t.Errorf("the kernel's line %q has no console", l.line)
				}
			}
		}
		ParseSYSLINUX(text, include).Speaks("ttyS0")
	})
}
