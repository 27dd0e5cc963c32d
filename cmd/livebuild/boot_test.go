package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/overlay"
)

// boots is what 'livebuild test --json' prints, as its documentation has it.
type boots struct {
	File     string `json:"file"`
	VolumeID string `json:"volume_id"`
	Arch     string `json:"arch"`
	Accel    string `json:"accel"`
	Passed   bool   `json:"passed"`
	Boots    []struct {
		Configuration string   `json:"configuration"`
		Mode          string   `json:"mode"`
		Passed        bool     `json:"passed"`
		Outcome       string   `json:"outcome"`
		Line          string   `json:"line"`
		Link          string   `json:"link"`
		Serial        string   `json:"serial"`
		Menus         []string `json:"menus"`
		Error         string   `json:"error"`
		Seconds       float64  `json:"seconds"`
		Console       []string `json:"console"`
		Log           string   `json:"log"`
		Screenshot    string   `json:"screenshot"`
	} `json:"boots"`
}

// miniVerdict is how the live system of the test flake says what it found out about itself.
var miniVerdict = []string{"--expect", "^MINI-RESULT PASS", "--reject", "^MINI-(RESULT FAIL|FAIL )"}

// testImage runs 'livebuild test', which has to end with a status. Unless the arguments say otherwise,
// the live system's own verdict counts.
func testImage(t testing.TB, status int, image string, args ...string) (boots, outcome) {
	t.Helper()
	need.QEMU(t)
	if !slices.Contains(args, "--expect") {
		args = append(args, miniVerdict...)
	}
	o := livebuild(t, append([]string{"test", image, "--json"}, args...)...)
	if o.status != status {
		t.Fatalf("livebuild test: status %d, want %d\n%s%s", o.status, status, o.stdout, o.stderr)
	}
	var b boots
	if err := json.Unmarshal([]byte(o.stdout), &b); err != nil {
		t.Fatalf("livebuild test --json printed %q: %v", o.stdout, err)
	}
	if b.File != image || b.Passed != (status == 0) || b.Accel != "tcg" && b.Accel != "kvm" {
		t.Errorf("livebuild test = %+v", b)
	}
	return b, o
}

// report is a JUnit report, as far as CI systems agree.
type report struct {
	Suites []struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Type    string `xml:"type,attr"`
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func readReport(t testing.TB, file string) report {
	t.Helper()
	var r report
	if err := xml.Unmarshal(readFile(t, file), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Suites) != 1 {
		t.Fatalf("%d suites, want 1", len(r.Suites))
	}
	return r
}

// TestBoot boots an image in every way that it claims. The live system compares every
// file of its store with a list made when it was built, checks the registration, and says so on
// the serial console.
func TestBoot(t *testing.T) {
	t.Parallel()
	r := miniISO(t)
	logs := filepath.Join(t.TempDir(), "new/logs")
	junit := filepath.Join(t.TempDir(), "report.xml")
	b, o := testImage(t, 0, r.File, "--logs", logs, "--junit", junit, "--no-network")
	var modes []string
	for _, boot := range b.Boots {
		modes = append(modes, boot.Mode)
		if !boot.Passed || boot.Outcome != "passed" || boot.Line != "MINI-RESULT PASS" || boot.Serial != "default" ||
			boot.Console != nil || boot.Screenshot != "" || boot.Seconds <= 0 {
			t.Errorf("boot = %+v", boot)
		}
		checkConsole(t, r, boot.Mode, string(readFile(t, filepath.Join(logs, "mini."+boot.Mode+".log"))))
		if !strings.Contains(o.stderr, boot.Mode+": came up after ") {
			t.Errorf("standard error does not tell of %s:\n%s", boot.Mode, o.stderr)
		}
	}
	if got := strings.Join(modes, " "); got != "bios-cd bios-usb uefi-cd uefi-usb" || !slices.Equal(modes, r.Modes) {
		t.Errorf("the image boots as %s and claims %s", got, r.Modes)
	}
	if suite := readReport(t, junit).Suites[0]; suite.Tests != 4 || suite.Failures != 0 || suite.Errors != 0 || len(suite.Cases) != 4 {
		t.Errorf("report = %+v", suite)
	}
}

// TestBootSparse boots an image whose store has files of 4 GiB and more.
func TestBootSparse(t *testing.T) {
	t.Parallel()
	boot(t, iso(t, "mini-sparse", "--compression", "lz4"), "bios-cd")
}

// boot boots an image that must come up, checks what the live system says, and returns it.
func boot(t testing.TB, r result, mode string) string {
	t.Helper()
	b, _ := testImage(t, 0, r.File, "--modes", mode, "--logs", t.TempDir())
	if b.Arch+"-linux" != r.System {
		t.Errorf("an image for %s was booted on %s", r.System, b.Arch)
	}
	console := string(readFile(t, b.Boots[0].Log))
	checkConsole(t, r, mode, console)
	return console
}

// TestForeignImage boots an image that xorriso wrote, as nixpkgs has it do: with an MBR that has no
// protective entry.
func TestForeignImage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tree, image := filepath.Join(folder, "tree"), filepath.Join(folder, "foreign.iso")
	judge(t, "xorriso", "xorriso", "-osirrox", "on", "-indev", miniISO(t).File, "-extract", "/", tree)
	judge(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "3", "-volid", "MINI_LIVE", "-full-iso9660-filenames", "-joliet",
		"-eltorito-boot", "isolinux/isolinux.bin", "-eltorito-catalog", ".boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
		"-isohybrid-mbr", "/usr/lib/ISOLINUX/isohdpfx.bin", "-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat",
		"-r", "-o", image, tree)
	// As a disc it is like any other.
	for _, firmware := range []string{"--bios", "--uefi"} {
		if o := livebuild(t, "run", image, firmware, "--print"); o.status != 0 || !strings.Contains(o.stdout, "ide-cd,") {
			t.Errorf("run %s: status %d\n%s", firmware, o.status, o.stderr)
		}
	}
	b, _ := testImage(t, 0, image, "--modes", "bios-usb,uefi-usb", "--expect", "^MINI-MEDIUM ", "--jobs", "1")
	if len(b.Boots) != 2 || b.VolumeID != "MINI_LIVE" {
		t.Errorf("livebuild test = %+v, want two boots", b)
	}
}

// checkConsole checks what the live system says.
func checkConsole(t testing.TB, r result, mode, console string) {
	t.Helper()
	firmware, medium := "bios", "/dev/sr0"
	if strings.HasPrefix(mode, "uefi") {
		firmware = "efi"
	}
	if strings.HasSuffix(mode, "usb") {
		medium = "/dev/sda"
	}
	paths := len(closureOf(t, r.Toplevel))
	for _, want := range []string{
		"MINI-FIRMWARE " + firmware,
		"MINI-MEDIUM " + medium,
		fmt.Sprintf("MINI-REGISTRATION %d records", paths),
		fmt.Sprintf("MINI-STORE-ENTRIES %d", paths),
		"MINI-CHECK ok manifest",
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want)).MatchString(console) {
			t.Errorf("%s: the guest did not say %q", mode, want)
		}
	}
}

// other is a parameter of the same length as the console's that means nothing.
const other = "nothing=ttyS0,115200n8"

// TestSerialConsole boots images whose default entry leaves the serial console alone, with and without
// another entry that does not. It is the default entry that is started.
func TestSerialConsole(t *testing.T) {
	t.Parallel()
	tests := map[string]func([]byte) []byte{
		// The entry for it has the parameter once more.
		"entry": func(data []byte) []byte {
			data = replace(t, data, console, other)
			return replace(t, data, other+" "+other, other+" "+console)
		},
		"no entry": func(data []byte) []byte { return replace(t, data, console, other) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			image := changedMini(t, change)
			b, _ := testImage(t, 0, image, "--modes", "bios-cd,uefi-usb", "--expect", "^MINI-CMDLINE .*"+other+" "+console+"( initrd=|$)")
			for _, boot := range b.Boots {
				if boot.Serial != "added" {
					t.Errorf("%s: the serial console came by %q, want added", boot.Mode, boot.Serial)
				}
			}
		})
	}
}

// menuCase is how the boot menus of an image behave.
type menuCase struct {
	name           string
	isolinux, grub func(menu string) string
	serial         string
	long           bool // left out unless all cases are asked for
}

// set is a change of texts, the first of each pair into the second.
func set(pairs ...string) func(string) string {
	return strings.NewReplacer(pairs...).Replace
}

// menuCases leave the serial console alone, but for the last.
var menuCases = []menuCase{
	{"timeout 0", set("TIMEOUT 10", "TIMEOUT 0"), set("timeout=1", "timeout=0\nset timeout_style=hidden"), "added", false},
	{"none, by title", set("TIMEOUT 10\n", ""), set("set timeout=1", "set default='Firmware Setup>'"), "added", true},
	{"waits for ever", set("TIMEOUT 10", "TIMEOUT 0\nPROMPT 1", "UI vesamenu.c32", ""), set("timeout=1", "timeout=-1"), "added", true},
	{
		"by identifier", set("DEFAULT boot\n", "DEFAULT boot-debug\nMENU HIDDEN\n"),
		set("set timeout=1", "timeout=900\ndefault=here", "--class installer {", "--id here {"), "added", false,
	},
	{"saved entry", set("DEFAULT boot\n", "ONTIMEOUT reboot.c32\n"), set("set timeout=1", "load_env\nset default=\"${saved_entry}\""), "added", true},
	{
		"a submenu, another system", set("DEFAULT boot\n", "DEFAULT disk\nLABEL disk\nLOCALBOOT -1\n"),
		set("set timeout=1", "timeout=-1\ndefault=1"), "added", false,
	},
	{"a password", set("LABEL boot\n", "LABEL boot\nMENU PASSWD secret\n"), set("set timeout=1", "set superusers=root\npassword root secret"), "added", true},
}

var allMenus = flag.Bool("menus", false, "boot images with every kind of boot menu")

// TestMenuBehaviour boots images whose menus do not start a kernel with a serial console by themselves. Each is
// good, and has to come up, however slow the machine is.
func TestMenuBehaviour(t *testing.T) {
	for _, test := range menuCases {
		if test.long && !*allMenus {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			image := withMenus(t, func(menu string) string { return strings.ReplaceAll(test.isolinux(menu), " "+console, "") },
				func(menu string) string { return strings.ReplaceAll(test.grub(menu), " "+console, "") })
			b, o := testImage(t, 0, image, "--modes", "bios-cd,uefi-usb", "--expect", "^MINI-CMDLINE .*"+console, "--jobs", "1")
			for _, boot := range b.Boots {
				if boot.Serial != test.serial || len(boot.Menus) == 0 {
					t.Errorf("%s: the serial console came by %q, with the menus %q, want %q", boot.Mode, boot.Serial, boot.Menus, test.serial)
				}
			}
			if !strings.Contains(o.stderr, "uefi-usb: the boot loader is shown a changed EFI system partition: EFI/BOOT/grub.cfg") {
				t.Errorf("nothing is said about the changed menu:\n%s", o.stderr)
			}
		})
	}
}

// withMenus is the shared image with other menus.
func withMenus(t testing.TB, isolinux, grub func(string) string) string {
	t.Helper()
	return changeMenus(t, miniISO(t).File, isolinux, grub)
}

// changeMenus makes a copy of an image with other menus, on the medium and in its EFI system partition.
func changeMenus(t testing.TB, file string, isolinux, grub func(string) string) string {
	t.Helper()
	data := readFile(t, file)
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	disk := overlay.New(bytes.NewReader(data), m.Size)
	changed := 0
	for _, tree := range m.Trees() {
		err := fs.WalkDir(tree.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
			change := map[string]func(string) string{"isolinux.cfg": isolinux, "grub.cfg": grub}[strings.ToLower(filepath.Base(path))]
			if err != nil || change == nil {
				return err
			}
			f, err := tree.Find(path)
			if err != nil {
				return err
			}
			text, _, err := tree.Text(path)
			if err != nil {
				return err
			}
			changed++
			return disk.Replace(overlay.Of(tree, f), []byte(change(text)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if changed < 3 {
		t.Fatalf("%d menus are changed, want those of both loaders", changed)
	}
	image := filepath.Join(t.TempDir(), "menus.iso")
	out, err := io.ReadAll(io.NewSectionReader(disk, 0, disk.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, out, 0o666); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestNotJudged boots an image whose menu is not found, and whose system says nothing. Nothing follows from
// that.
func TestNotJudged(t *testing.T) {
	t.Parallel()
	image := withMenus(t, func(menu string) string { return strings.ReplaceAll(menu, " "+console, "") },
		func(string) string { return "terminal_output console\nlinux /absent ${root}; halt\n" })
	data := readFile(t, image)
	data = rename(t, data, "grub.cfg", "absent-g")
	if err := os.WriteFile(image, data, 0o666); err != nil {
		t.Fatal(err)
	}
	junit := filepath.Join(t.TempDir(), "report.xml")
	b, o := testImage(t, 1, image, "--modes", "uefi-usb", "--junit", junit)
	boot := b.Boots[0]
	if boot.Outcome != "not-judged" || boot.Serial != "unknown" || boot.Error == "" || boot.Passed {
		t.Errorf("boot = %+v, want not-judged", boot)
	}
	checkRefusal(t, outcome{o.status, "", o.stderr}, 1, "error: uefi-usb cannot be judged", "console=ttyS0,115200n8")
	if suite := readReport(t, junit).Suites[0]; suite.Errors != 1 || suite.Failures != 0 {
		t.Errorf("report = %+v, want an error and no failure", suite)
	}
	before, _, ok := strings.Cut(o.stderr, "booting menus as")
	if !ok || !strings.Contains(before, "uefi-usb: no boot menu was found, so the boot can be judged only if") {
		t.Errorf("it is not said before the boot:\n%s", o.stderr)
	}
}

// console is the parameter of the kernel that the test flake's menus have.
const console = "console=ttyS0,115200n8"
