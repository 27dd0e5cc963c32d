package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nixos"
)

// optionTable is nixpkgs' list of variants, as its ISO module of 2026 has it.
var optionTable = [][3]string{
	{"Copy ISO Files to RAM", "copytoram", "copytoram"},
	{"No modesetting", "nomodeset", "nomodeset"},
	{"Debug Console Output", "debug", "debug"},
	{"Disable display-manager", "quirk-disable-displaymanager", "systemd.mask=display-manager.service plymouth.enable=0"},
	{"Rotate framebuffer Clockwise", "rotate-90cw", "fbcon=rotate:1"},
	{"Rotate framebuffer Upside-Down", "rotate-180", "fbcon=rotate:2"},
	{"Rotate framebuffer Counter-Clockwise", "rotate-90ccw", "fbcon=rotate:3"},
	{"Serial console=ttyS0,115200n8", "serial", "console=ttyS0,115200n8"},
}

// item is an entry of a menu as a loader reads it, or a submenu.
type item struct {
	label, title, kernel, append, initrd string
	items                                []item
}

// parseIsolinux reads isolinux.cfg as strictly as it is written here: every
// directive known, in its place, once.
func parseIsolinux(t *testing.T, config string) (header []string, items []item) {
	t.Helper()
	root := &item{}
	stack := []*item{root}
	labels := map[string]bool{}
	inEntry := false
	for number, line := range strings.Split(config, "\n") {
		fail := func() { t.Fatalf("isolinux.cfg:%d: unexpected %q", number+1, line) }
		if line == "" {
			continue
		}
		menu := stack[len(stack)-1]
		var last *item
		if inEntry {
			last = &menu.items[len(menu.items)-1]
		}
		set := func(field *string, value string) {
			if last == nil || *field != "" || value == "" {
				fail()
			}
			*field = value
		}
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "LABEL":
			if labels[rest] || strings.Contains(rest, " ") {
				fail()
			}
			labels[rest] = true
			menu.items = append(menu.items, item{label: rest})
			inEntry = true
		case strings.HasPrefix(line, "MENU LABEL "):
			set(&last.title, strings.TrimPrefix(line, "MENU LABEL "))
		case word == "LINUX":
			set(&last.kernel, rest)
		case word == "APPEND":
			set(&last.append, rest)
		case word == "INITRD":
			set(&last.initrd, rest)
		case strings.HasPrefix(line, "MENU BEGIN "):
			menu.items = append(menu.items, item{title: strings.TrimPrefix(line, "MENU BEGIN ")})
			stack = append(stack, &menu.items[len(menu.items)-1])
			inEntry = false
		case strings.HasPrefix(line, "MENU TITLE ") && len(stack) > 1:
			if rest := strings.TrimPrefix(line, "MENU TITLE "); rest != menu.title {
				fail()
			}
		case line == "MENU END":
			if len(stack) == 1 {
				fail()
			}
			stack = stack[:len(stack)-1]
			inEntry = false
		case len(root.items) == 0:
			header = append(header, line)
		default:
			fail()
		}
	}
	if len(stack) != 1 {
		t.Fatalf("isolinux.cfg: %d menus are not ended", len(stack)-1)
	}
	return header, root.items
}

func TestIsolinux(t *testing.T) {
	s := installer(t)
	quiet := specialise(t, s, "quiet")
	quiet.KernelParams = []string{"quiet"}
	quiet.ConfigurationName = ptr("Quiet")
	hidden := specialise(t, s, "hidden")
	hidden.ShowConfiguration = false
	specialise(t, s, "hidden", "in side")
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	header, items := parseIsolinux(t, string(m.Isolinux()))

	want := "SERIAL 0 115200|TIMEOUT 100|UI vesamenu.c32|MENU BACKGROUND /isolinux/background.png|" +
		strings.ReplaceAll(theme, "\n", "|") + "DEFAULT boot"
	if got := strings.Join(header, "|"); got != want {
		t.Errorf("header is\n%s, want\n%s", got, want)
	}
	root := s.Configurations[0]
	entries := func(suffix, extra string) []item {
		common := item{kernel: "/boot" + root.Kernel, initrd: "/boot" + root.Initrd}
		if extra != "" {
			extra = " " + extra
		}
		first, second, third := common, common, common
		first.label, first.title = "boot"+suffix, "NixOS 24.05 Installer"
		first.append = "init=/nix/store/0-nixos-system/init root=LABEL=nixos-minimal boot.shell_on_fail loglevel=4" + extra
		second.label, second.title = "boot"+suffix+"-quiet", "NixOS 24.05 Installer Quiet"
		second.append = "init=/nix/store/1-quiet/init quiet" + extra
		third.label, third.title = "boot"+suffix+"-hidden-in_side", "NixOS 24.05 Installer (hidden.in side)"
		third.append = "init=/nix/store/1-hidden-in side/init root=LABEL=nixos-minimal boot.shell_on_fail loglevel=4" + extra
		return []item{first, second, third}
	}
	wanted := entries("", "")
	options := item{title: "Options"}
	for _, row := range optionTable {
		options.items = append(options.items, item{title: row[0], items: entries("-"+row[1], row[2])})
	}
	wanted = append(wanted, options, item{label: "memtest", title: "Memtest86+", kernel: "/boot/memtest.bin", append: "console=ttyS0,115200"})
	compare(t, "", items, wanted)
}

// compare reports where two menus differ.
func compare(t *testing.T, where string, got, want []item) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("menu %q has %d items, want %d", where, len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		compare(t, where+"/"+w.title, g.items, w.items)
		g.items, w.items = nil, nil
		if fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("menu %q item %d is\n%+v, want\n%+v", where, i, g, w)
		}
	}
}

// TestInitrds has entries with several initrds, and with none.
func TestInitrds(t *testing.T) {
	s := installer(t)
	specialise(t, s, "bare")
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	first := m.Systems[0].Entries[0].Initrds[0]
	m.Systems[0].Entries[0].Initrds = append(m.Systems[0].Entries[0].Initrds, "/boot/stamp.cpio", "/boot/third")
	m.Systems[0].Entries[1].Initrds = nil
	_, items := parseIsolinux(t, string(m.Isolinux()))
	if want := first + ",/boot/stamp.cpio,/boot/third"; items[0].initrd != want || items[1].initrd != "" {
		t.Errorf("isolinux.cfg has %q and %q, want %q and none", items[0].initrd, items[1].initrd, want)
	}
	config := string(m.Grub(nil, nil))
	checkScript(t, config)
	items = slices.DeleteFunc(parseGrub(t, config), func(i item) bool { return i.label != "menuentry" })
	if want := first + " /boot/stamp.cpio /boot/third"; items[0].initrd != want || items[1].initrd != "" {
		t.Errorf("grub.cfg has %q and %q, want %q and none", items[0].initrd, items[1].initrd, want)
	}
}

func TestTimeouts(t *testing.T) {
	for _, test := range []struct {
		timeout        *int
		isolinux, grub string
	}{
		{nil, "TIMEOUT 35996\n", "set timeout=-1\n"},
		{ptr(0), "TIMEOUT 1\n", "set timeout=0\n"},
		{ptr(10), "TIMEOUT 100\n", "set timeout=10\n"},
		{ptr(86400), "TIMEOUT 35996\n", "set timeout=86400\n"},
	} {
		s := installer(t)
		s.Timeout = test.timeout
		m, err := newMenu(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.Isolinux()); !strings.Contains(got, test.isolinux) {
			t.Errorf("isolinux.cfg has no %q", test.isolinux)
		}
		if got := string(m.Grub(nil, nil)); !strings.HasPrefix(got, test.grub) {
			t.Errorf("grub.cfg does not begin with %q", test.grub)
		}
	}
}

func TestHiddenRoot(t *testing.T) {
	s := installer(t)
	s.Configurations[0].ShowConfiguration = false
	if _, err := newMenu(s); !errors.Is(err, ErrNoEntries) {
		t.Errorf("newMenu without entries = %v, want ErrNoEntries", err)
	}
	specialise(t, s, "gnome").ShowConfiguration = true
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Isolinux()); !strings.Contains(got, "DEFAULT boot-gnome\n") {
		t.Errorf("isolinux.cfg does not start the first shown entry:\n%s", got)
	}
}

func TestLabelsAreUnique(t *testing.T) {
	s := installer(t)
	specialise(t, s, "debug") // boot-debug, as the variant
	specialise(t, s, "a", "b")
	specialise(t, s, "a-b")
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	_, items := parseIsolinux(t, string(m.Isolinux())) // fails for equal ones
	if got := items[3].label; got != "boot-a-b-2" {
		t.Errorf("label of a-b is %q, want boot-a-b-2", got)
	}
}

// parseGrub reads the menus of grub.cfg. It leaves quotes in place.
func parseGrub(t *testing.T, config string) []item {
	t.Helper()
	root := &item{}
	stack := []*item{root}
	for number, line := range strings.Split(config, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		menu := stack[len(stack)-1]
		switch word {
		case "menuentry", "submenu", "hiddenentry":
			menu.items = append(menu.items, item{label: word, title: strings.TrimSuffix(rest, " {")})
			stack = append(stack, &menu.items[len(menu.items)-1])
		case "}":
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				t.Fatalf("grub.cfg:%d: unexpected }", number+1)
			}
		case "linux":
			menu.kernel, menu.append, _ = strings.Cut(rest, " ")
		case "initrd":
			menu.initrd = rest
		case "chainloader":
			menu.kernel = rest
		}
	}
	if len(stack) != 1 {
		t.Fatal("grub.cfg: a block is not closed")
	}
	return root.items
}

func TestGrub(t *testing.T) {
	s := installer(t)
	specialise(t, s, "quiet").ConfigurationName = ptr("Quiet")
	m, err := newMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	config := string(m.Grub([]string{"a.PF2", "b/DejaVu Regular.pf2"}, nil))
	checkScript(t, config)

	root := s.Configurations[0]
	hidden := []item{{label: "hiddenentry", title: "'Text mode' --hotkey 't'"}, {label: "hiddenentry", title: "'GUI mode' --hotkey 'g'"}}
	entries := func(extra string) []item {
		if extra != "" {
			extra = " " + extra
		}
		const params = "root=LABEL=nixos-minimal boot.shell_on_fail loglevel=4"
		common := item{label: "menuentry", kernel: "/boot" + root.Kernel, initrd: "/boot" + root.Initrd}
		first, second := common, common
		first.title, first.append = "'NixOS 24.05 Installer' --class installer",
			"${isoboot} init=/nix/store/0-nixos-system/init "+params+extra
		second.title, second.append = "'NixOS 24.05 Installer Quiet' --class installer",
			"${isoboot} init=/nix/store/1-quiet/init "+params+extra
		return []item{first, second}
	}
	wanted := slices.Concat(hidden, entries(""))
	options := item{label: "submenu", title: "Options --class submenu --class hidpi", items: slices.Clone(hidden)}
	for _, row := range optionTable {
		title := "'" + row[0] + "' --class " + row[1]
		options.items = append(options.items, item{label: "submenu", title: title, items: slices.Concat(hidden, entries(row[2]))})
	}
	wanted = append(wanted, options,
		item{label: "menuentry", title: "'rEFInd' --class refind", kernel: "($root)/EFI/BOOT/refind_x64.efi"},
		item{label: "menuentry", title: "'Memtest86+' --class debug", kernel: "($root)/boot/memtest.bin", append: "console=ttyS0,115200"},
		item{label: "menuentry", title: "'Firmware Setup' --class settings"},
		item{label: "menuentry", title: "'Shutdown' --class shutdown"})
	compare(t, "", parseGrub(t, config), wanted)

	// The top level and each of the nine submenus set up their terminal.
	for line, count := range map[string]int{
		"search --set=root --file /EFI/nixos-installer-image":                        10,
		"set theme=($root)/EFI/BOOT/grub-theme/theme.txt":                            10,
		"loadfont ($root)'/EFI/BOOT/grub-theme/b/DejaVu Regular.pf2'":                20,
		"loadfont ($root)/EFI/BOOT/unicode.pf2":                                      10,
		"set textmode=false\nexport textmode":                                        1,
		"search --set=root --no-floppy --fs-uuid 1234-5678":                          1,
		`set isoboot="findiso=${iso_path}"` + "\n  export isoboot":                   1,
		"set gfxmode=1920x1200,1920x1080,1366x768,1280x800,1280x720,1200x1920,1024x": 10,
	} {
		if got := strings.Count(config, line); got != count {
			t.Errorf("grub.cfg has %q %d times, want %d", line, got, count)
		}
	}
}

func TestGrubVariants(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*nixos.System)
		has     []string
		hasNone []string
	}{
		{"no theme", func(s *nixos.System) { s.GRUBTheme = "" },
			[]string{"if background_image ($root)/EFI/BOOT/efi-background.png; then", "set color_normal=black/black"},
			[]string{"grub-theme", "GUI mode"}},
		{"no looks", func(s *nixos.System) { s.GRUBTheme, s.EFISplashImage = "", "" },
			[]string{"set menu_color_normal=cyan/blue"}, []string{"background", "GUI mode"}},
		{"text mode", func(s *nixos.System) { s.ForceTextMode = true }, []string{"set textmode=true\nexport textmode"}, nil},
		{"systemd initrd", func(s *nixos.System) { s.SystemdInitrd = true }, nil, []string{"isoboot", "iso_path"}},
		{"systemd initrd that finds files", func(s *nixos.System) { s.SystemdInitrd, s.LoopbackUnit = true, true },
			[]string{`set isoboot="findiso=${iso_path}"`, "initrd", " ${isoboot} "}, nil},
		{"no rEFInd", func(s *nixos.System) { s.Refind = "" }, nil, []string{"rEFInd", "1234-5678"}},
		{"old memtest", func(s *nixos.System) { s.Memtest.EFI = false }, nil, []string{"memtest"}},
		{"no memtest", func(s *nixos.System) { s.Memtest = nil }, nil, []string{"memtest"}},
	} {
		s := installer(t)
		test.change(s)
		m, err := newMenu(s)
		if err != nil {
			t.Fatal(err)
		}
		config := string(m.Grub(nil, nil))
		checkScript(t, config)
		for _, text := range test.has {
			if !strings.Contains(config, text) {
				t.Errorf("%s: grub.cfg has no %q", test.name, text)
			}
		}
		for _, text := range test.hasNone {
			if strings.Contains(config, text) {
				t.Errorf("%s: grub.cfg has %q", test.name, text)
			}
		}
	}
}

func checkScript(t *testing.T, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "grub.cfg")
	if err := os.WriteFile(file, []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "grub-common", "grub-script-check", file)
}
