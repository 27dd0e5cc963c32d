package boot

import (
	"bytes"
	"errors"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
)

func TestGrubWords(t *testing.T) {
	for _, test := range []struct{ param, want string }{
		{"quiet", "quiet"},
		{"root=LABEL=nixos", "root=LABEL=nixos"},
		{"two  words", "two words"},
		{"a=$b", "'a=$b'"},
		{"a={b;c}&|<>#*", "'a={b;c}&|<>#*'"},
		{`dyndbg="file a.c +p"`, "'dyndbg=file a.c +p'"},
		{`"dyndbg=file a.c +p" x`, "'dyndbg=file a.c +p' x"},
		{`a="b"`, "a=b"},
		{"", ""},
	} {
		words, err := grubWords(test.param)
		if got := strings.Join(words, " "); err != nil || got != test.want {
			t.Errorf("grubWords(%q) = %s, %v, want %s", test.param, got, err, test.want)
		}
	}
	for _, param := range []string{`a="b c`, `a=b"c"d`, `a\b`, `it's`, `a="b"c"`} {
		if words, err := grubWords(param); err == nil {
			t.Errorf("grubWords(%q) = %q, want an error", param, words)
		}
	}
}

func TestOddTitles(t *testing.T) {
	s := installer(t)
	s.Configurations[0].PrependToMenuLabel = `It's "$5" \ {x} ; #`
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	config := string(m.Grub(nil, nil))
	checkScript(t, config)
	if want := `menuentry 'It'\''s "$5" \ {x} ; #NixOS 24.05 Installer' --class installer {`; !strings.Contains(config, want) {
		t.Errorf("grub.cfg has no %s", want)
	}
}

func TestRefusedTexts(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*nixos.System)
		what   string
	}{
		{"line break in a title", func(s *nixos.System) { s.Configurations[0].Label = "a\nb" }, "title"},
		{"hot key in a title", func(s *nixos.System) { s.Configurations[0].Label = "a^b" }, "title"},
		{"line break in a parameter", func(s *nixos.System) { s.Configurations[0].KernelParams = []string{"a\nMENU"} }, "kernel parameter"},
		{"quote in a parameter", func(s *nixos.System) { s.Configurations[0].KernelParams = []string{"it's"} }, "kernel parameter"},
		{"next line in a title", func(s *nixos.System) { s.Configurations[0].Label = "a\u0085b" }, "title"},
		{"dash in a title", func(s *nixos.System) { s.Configurations[0].AppendToMenuLabel = " – live" }, "title"},
		{"snowman in a title", func(s *nixos.System) { s.Configurations[0].PrependToMenuLabel = "☃ " }, "title"},
		{"Cyrillic in a title", func(s *nixos.System) { s.Configurations[0].DistroName = "Система" }, "title"},
		{"accent of its own in a title", func(s *nixos.System) { s.Configurations[0].Label = "e\u0301" }, "title"},
		{"name of a specialisation", func(s *nixos.System) { specialise(t, s, "Škoda") }, "title"},
		{"configurationName", func(s *nixos.System) { s.Configurations[0].ConfigurationName = ptr("„quoted“") }, "title"},
		{"theme", func(s *nixos.System) { s.SyslinuxTheme = "MENU TITLE Žluťoučký\n" }, "isoImage.syslinuxTheme"},
	} {
		s := installer(t)
		test.change(s)
		var refused *TextError
		if _, err := newMenu(s); !errors.As(err, &refused) || refused.What != test.what {
			t.Errorf("%s: NewMenu = %v, want a *TextError of a %s", test.name, err, test.what)
		}
	}
	s := installer(t)
	s.MakeEFIBootable = false
	s.Configurations[0].KernelParams = []string{"it's"}
	if _, err := newMenu(s); err != nil {
		t.Errorf("newMenu without GRUB = %v", err)
	}
}

// TestCodePage checks that isolinux gets its own code page on what it shows, and
// others get UTF-8. iconv judges the encoding.
func TestCodePage(t *testing.T) {
	s := installer(t)
	const title, param = "Rettung äöüÄÖÜß éèñ ½ µ ░", "systemd.setenv=GRUSS=äöü–☃"
	s.Configurations[0].PrependToMenuLabel = title
	s.Configurations[0].KernelParams = []string{param}
	s.SyslinuxTheme = "MENU TITLE Größe\n"
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("iconv", "-f", "UTF-8", "-t", "CP437")
	cmd.Stdin = strings.NewReader("MENU TITLE Größe\nMENU LABEL " + title)
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("iconv: %v", err)
	}
	config := m.Isolinux()
	for line := range bytes.Lines(want) {
		if !bytes.Contains(config, line) {
			t.Errorf("isolinux.cfg has no %q", line)
		}
	}
	if !bytes.Contains(config, []byte(" "+param+"\n")) {
		t.Errorf("isolinux.cfg has no %s", param)
	}
	grub := string(m.Grub(nil, nil))
	checkScript(t, grub)
	if !strings.Contains(grub, "menuentry '"+title) || !strings.Contains(grub, param) {
		t.Errorf("grub.cfg has no %s or no %s", title, param)
	}
	// GRUB has all of Unicode, and draws it.
	s.MakeBIOSBootable = false
	s.Configurations[0].PrependToMenuLabel = "☃ Система – "
	s.SyslinuxTheme = "☃"
	if _, err := newMenu(s); err != nil {
		t.Errorf("newMenu without isolinux = %v", err)
	}
}

// TestLongCommandLines fills the command line of every platform to its last byte. The
// limits on PCs are those at which GRUB and isolinux start a kernel in QEMU with all of
// its command line.
func TestLongCommandLines(t *testing.T) {
	for _, test := range []struct {
		platform string
		bios     bool
		limit    int
		taker    string
	}{
		{"x86_64-linux", false, 2047, "a kernel for x86_64-linux"},
		{"x86_64-linux", true, 2047, "isolinux"},
		{"i686-linux", false, 2047, "a kernel for i686-linux"},
		{"i686-linux", true, 2047, "isolinux"},
		{"aarch64-linux", false, 2047, "a kernel for aarch64-linux"},
		{"armv7l-linux", false, 1023, "a kernel for armv7l-linux"},
		{"armv6l-linux", false, 1023, "a kernel for armv6l-linux"},
		{"riscv64-linux", false, 1023, "a kernel for riscv64-linux"},
		{"loongarch64-linux", false, 4095, "a kernel for loongarch64-linux"},
		{"powerpc64le-linux", false, 2047, "a kernel for powerpc64le-linux"},
		{"s390x-linux", false, 4095, "a kernel for s390x-linux"},
		{"sparc64-linux", false, 511, "a kernel for sparc64-linux"},
	} {
		s := installer(t)
		s.Platform, s.MakeBIOSBootable, s.Memtest = test.platform, test.bios, nil
		root := &s.Configurations[0]
		root.KernelParams = []string{""}
		m, err := newMenu(s)
		if err != nil {
			t.Fatal(err)
		}
		// Every entry is the same but for what Options add.
		longest := m.Systems[0].Entries[0]
		for _, e := range m.entries() {
			if len(e.CommandLine()) > len(longest.CommandLine()) {
				longest = e
			}
		}
		used := len("BOOT_IMAGE=" + longest.Kernel + " " + longest.CommandLine())
		if test.bios {
			used = len(".linux " + longest.Kernel + " " + longest.CommandLine() + " initrd=" + longest.Initrds[0])
		}
		root.KernelParams[0] = strings.Repeat("x", test.limit-used)
		if _, err := newMenu(s); err != nil {
			t.Errorf("%s: a full command line: %v", test.platform, err)
		}
		root.KernelParams[0] += "x"
		want := &CommandLineError{Title: longest.Title, Size: test.limit + 1, Limit: test.limit, Taker: test.taker}
		if _, err := newMenu(s); !reflect.DeepEqual(err, want) {
			t.Errorf("%s: one byte more: %v, want %v", test.platform, err, want)
		}
	}
}

func TestLabelOfTheESP(t *testing.T) {
	s := installer(t)
	s.VolumeID = "EFIBOOT"
	var refused *nixos.VolumeIDError
	if _, err := NewTree(0, s); !errors.As(err, &refused) {
		t.Errorf("NewTree = %v, want a *VolumeIDError", err)
	}
	for _, id := range []string{"EFIBOOT2", "efiboot"} {
		s.VolumeID = id
		if _, err := NewTree(0, s); err != nil {
			t.Errorf("NewTree of %s = %v", id, err)
		}
	}
	s.VolumeID, s.MakeEFIBootable = "EFIBOOT", false
	if _, err := NewTree(0, s); err != nil {
		t.Errorf("NewTree without the partition = %v", err)
	}
}
