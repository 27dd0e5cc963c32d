package boot

import (
	"crypto/sha512"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
)

// nixpkgsVariable names the environment variable with a tree of nixpkgs 24.05.
const nixpkgsVariable = "LIVEBUILD_NIXPKGS"

type oracle struct {
	Isolinux string   `json:"isolinux"`
	EFI      string   `json:"efi"` // derivation
	Kernel   string   `json:"kernel"`
	Initrd   string   `json:"initrd"`
	Targets  []string `json:"targets"`
	Roots    []string `json:"roots"`
	VolumeID string   `json:"volumeID"`
	Waits    struct {
		FileSystems   []string `json:"fileSystems"`
		Devices       []string `json:"devices"`
		Loaders       []string `json:"loaders"`
		SystemdInitrd bool     `json:"systemdInitrd"`
	} `json:"waits"`
}

// nixpkgs is a Nix, a file with the configurations of testdata/nixpkgs.nix, and what
// nixpkgs' own module makes of one of them.
func nixpkgs(t *testing.T, tree string) (*nix.Nix, installable.Installable, func(name string) oracle) {
	t.Helper()
	// Nix before 2.24 crashes in its garbage collector on such evaluations.
	t.Setenv("GC_DONT_GC", "1")
	t.Setenv("NIX_CONFIG", "substituters =\nbuild-users-group =\n")
	n, err := nix.Find(t.Context(), nix.Options{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("(import %s/testdata/nixpkgs.nix { nixpkgs = %s; liveModule = import %[1]s/../nixos/live.nix; })", here, tree)
	file := filepath.Join(t.TempDir(), "configurations.nix")
	if err := os.WriteFile(file, []byte(all+".configurations"), 0o644); err != nil {
		t.Fatal(err)
	}
	return n, installable.Installable{File: file}, func(name string) (o oracle) {
		if err := n.EvalExpression(t.Context(), fmt.Sprintf("%s.oracle %s", all, nix.Quote(name)), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
}

// TestNixpkgs compares menus and trees with what nixpkgs' own module, of
// another layout, makes of the same configurations.
func TestNixpkgs(t *testing.T) {
	tree := os.Getenv(nixpkgsVariable)
	if tree == "" {
		judge.LeaveOut(t, "nixpkgs", nixpkgsVariable+" names no tree of NixOS 24.05")
	}
	n, file, oracleOf := nixpkgs(t, tree)
	for _, test := range []struct {
		name, volumeID string
		entries        int // besides the variants
	}{
		{"minimal", "nixos-minimal-24.05-x86_64", 1},
		{"aarch64", "nixos-minimal-24.05-aarch64", 1},
		{"plasma", "nixos-plasma6-24.05-x86_64", 1},
		{"special.one", "SPECIAL_1", 2},
		{"options", "nixos-rescue-24.05-x86_64", 1},
		{"efi32", "nixos-minimal-24.05-x86_64", 1},
		{"host", "nixos-farmer-24.05-x86_64", 2},
		{"bios", "nixos-24.05-x86_64", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			of := file
			of.Name = test.name
			s, err := nixos.Evaluate(t.Context(), n, of, nixos.Changes{}, evalcache.Cache{})
			if err != nil {
				t.Fatal(err)
			}
			oracle := oracleOf(test.name)
			if s.VolumeID != test.volumeID || s.VolumeID != oracle.VolumeID {
				t.Errorf("volume ID is %q, want %q and %q", s.VolumeID, test.volumeID, oracle.VolumeID)
			}
			if !slices.Equal(s.StoreContents, oracle.Roots) {
				t.Errorf("roots are %q, want %q", s.StoreContents, oracle.Roots)
			}
			tree, err := NewTree(0, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(tree.Menus[0].Systems[0].Entries); got != test.entries {
				t.Errorf("menu has %d entries, want %d", got, test.entries)
			}
			if root := s.Root(); root.Kernel != oracle.Kernel || root.Initrd != oracle.Initrd {
				t.Errorf("kernel and initrd are %s, %s, want %s, %s", root.Kernel, root.Initrd, oracle.Kernel, oracle.Initrd)
			}
			compareTargets(t, tree, oracle.Targets)
			checkWaits(t, oracle)
			if s.MakeBIOSBootable != (oracle.Isolinux != "") || s.MakeEFIBootable != (oracle.EFI != "") {
				t.Fatalf("boots from BIOS %t, from EFI %t", s.MakeBIOSBootable, s.MakeEFIBootable)
			}
			if s.MakeBIOSBootable {
				compareIsolinux(t, tree.Menus[0], oracle.Isolinux)
			}
			if s.MakeEFIBootable {
				script := builderScript(t, oracle.EFI)
				compareModules(t, s, script)
				compareGrub(t, tree.Menus[0], script)
			}
		})
	}
}

// TestNixpkgsCheck puts the medium check into the two kinds of stage 1 that nixpkgs has. The
// shells of both take its script.
func TestNixpkgsCheck(t *testing.T) {
	tree := os.Getenv(nixpkgsVariable)
	if tree == "" {
		judge.LeaveOut(t, "nixpkgs", nixpkgsVariable+" names no tree of NixOS 24.05")
	}
	n, file, _ := nixpkgs(t, tree)
	file.Name = "minimal"
	plain, err := nixos.Evaluate(t.Context(), n, file, nixos.Changes{}, evalcache.Cache{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := nixos.Evaluate(t.Context(), n, file, nixos.Changes{MediaCheck: true}, evalcache.Cache{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.MediaCheck || plain.MediaCheck || s.Root().Toplevel == plain.Root().Toplevel || s.GRUB.Core == plain.GRUB.Core {
		t.Errorf("with a medium check the system is %+v, without one %+v", s, plain)
	}
	// The unit for stamps is of systemd's stage 1 alone.
	stamped, err := nixos.Evaluate(t.Context(), n, file, nixos.Changes{Stamp: true}, evalcache.Cache{})
	if err != nil {
		t.Fatal(err)
	}
	if !stamped.StampUnit || stamped.Root().Toplevel != plain.Root().Toplevel {
		t.Errorf("with a unit for stamps the system is %s, without one %s", stamped.Root().Toplevel.Out, plain.Root().Toplevel.Out)
	}
	var stage1 map[string]struct{ Scripted, Unit, Script, Stamp string }
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.EvalExpression(t.Context(), fmt.Sprintf(`
		let
		  of = modules: (((import %[1]s).minimal.extendModules {
		    modules = [ (import %[2]s/nixos/medium.nix) (import %[2]s/nixos/stamp.nix) ] ++ modules;
		  }).config.boot.initrd);
		  facts = initrd: {
		    Scripted = initrd.postMountCommands;
		    Unit = initrd.systemd.units."livebuild-check.service".text or "";
		    Script = initrd.systemd.services.livebuild-check.script or "";
		    Stamp = initrd.systemd.units."livebuild-copy-stamp.service".text or "";
		  };
		in {
		  scripted = facts (of [ ]);
		  systemd = facts (of [ { boot.initrd.systemd.enable = true; } ]);
		  secret = facts (of [ { boot.initrd.systemd.enable = true; boot.initrd.secrets."/run/key" = "/etc/key"; } ]);
		  uefi = facts (of [ { isoImage.makeBiosBootable = false; } ]);
		}`, file.File, here), &stage1); err != nil {
		t.Fatal(err)
	}
	if got := stage1["uefi"]; strings.Contains(got.Scripted+got.Unit, "livebuild") {
		t.Errorf("by UEFI alone stage 1 has %+v", got)
	}
	if got := stage1["scripted"]; got.Unit != "" {
		t.Errorf("the scripted stage 1 has the unit\n%s", got.Unit)
	}
	if got := stage1["systemd"]; strings.Contains(got.Scripted, "livebuild") {
		t.Errorf("systemd's stage 1 has the commands\n%s", got.Scripted)
	}
	for name, has := range map[string]bool{"scripted": false, "systemd": true, "secret": false} {
		if unit := stage1[name].Stamp; strings.Contains(unit, "ConditionPathIsDirectory=/.initrd-secrets/run\n") != has {
			t.Errorf("%s: the unit for stamps is %q", name, unit)
		}
	}
	for _, want := range []string{
		"ConditionKernelCommandLine=livebuild.check\n", "DefaultDependencies=false\n", "StandardOutput=tty\n",
		"After=sysroot-iso.mount\n", "Requires=sysroot-iso.mount\n", `Before=sysroot-nix-.ro\x2dstore.mount` + "\n",
	} {
		if !strings.Contains(stage1["systemd"].Unit, want) {
			t.Errorf("the unit lacks %q:\n%s", want, stage1["systemd"].Unit)
		}
	}
	checkStage1(t, "busybox", []string{"ash"}, strings.ReplaceAll(stage1["scripted"].Scripted, "$(cat /proc/cmdline)", "livebuild.check"), "/mnt-root/iso")
	checkStage1(t, "bash", []string{"-e"}, stage1["systemd"].Script, "/sysroot/iso")
}

// checkStage1 runs the script of a stage 1 in a shell that is like its own, on a folder
// instead of a medium.
func checkStage1(t *testing.T, shell string, args []string, script, iso string) {
	t.Helper()
	root, off := t.TempDir(), filepath.Join(t.TempDir(), "off")
	script = strings.NewReplacer(iso, root, "/run/livebuild-sum", off+".sum", "/dev/console", "/dev/null", "sleep 86400", "echo waited",
		"poweroff -f", "echo off", "systemctl --force --force poweroff", "echo off").Replace(script)
	run := func() string {
		out, err := exec.Command(shell, append(args, "-c", script)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
		return string(out)
	}
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what, out string, wanted ...string) {
		for _, want := range wanted {
			if !strings.Contains(out, want) {
				t.Errorf("%s, %s: there is no %q in\n%s", shell, what, want, out)
			}
		}
	}
	expect("no list", run(), "THIS MEDIUM IS DAMAGED: /livebuild/SHA512SUMS is missing\n", "waited\noff\n")
	large := strings.Repeat("0123456789abcdef", 5<<20) // its progress is told
	var list []byte
	for name, text := range map[string]string{"boot/kernel": "kernel", "with space": "", "large": large} {
		write(name, text)
		list = medium.Sum{Path: name, SHA512: sha512.Sum512([]byte(text))}.AppendTo(list)
	}
	write(medium.Sums, string(list))
	out := run()
	expect("good", out, "good: /boot/kernel\n", "good: /with space\n", "reading /large, 80 MiB\n", "good: /large\n", "This medium is good. Starting the system.\n")
	if strings.Contains(out, "off\n") || strings.Contains(out, "DAMAGED") {
		t.Errorf("%s: a good medium is stopped:\n%s", shell, out)
	}
	write("boot/kernel", "Kernel")
	if err := os.Remove(filepath.Join(root, "with space")); err != nil {
		t.Fatal(err)
	}
	out = run()
	expect("damaged", out, "  DAMAGED: /boot/kernel\n", "  DAMAGED: /with space\n", "good: /large\n", "THIS MEDIUM IS DAMAGED:", "waited\noff\n")
}

// checkWaits looks for what an installed system has and the medium lacks.
func checkWaits(t *testing.T, o oracle) {
	t.Helper()
	w := o.Waits
	if want := []string{"/", "/iso", "/nix/.ro-store", "/nix/.rw-store", "/nix/store"}; !slices.Equal(w.FileSystems, want) {
		t.Errorf("file systems are %q, want %q", w.FileSystems, want)
	}
	if len(w.Devices) > 0 || len(w.Loaders) > 0 || w.SystemdInitrd {
		t.Errorf("the system waits for %+v", w)
	}
}

// compareTargets looks for everything that the module of 24.05 has, and for what
// it has not.
func compareTargets(t *testing.T, tree *Tree, theirs []string) {
	t.Helper()
	ours := targets(tree)
	known := map[string]bool{}
	for _, target := range theirs {
		target = strings.Trim(target, "/")
		switch target {
		case "boot/bzImage", "boot/Image", "boot/initrd": // now below /boot/nix/store
			continue
		case "EFI":
			target = "EFI/BOOT/grub.cfg"
		case "boot/grub":
			target = "boot/grub/loopback.cfg"
		}
		if strings.HasPrefix(target, "EFI/boot/") {
			target = "EFI/BOOT/" + strings.TrimPrefix(target, "EFI/boot/")
		}
		// 24.05 grafts the theme of GRUB on media that do not have GRUB.
		if target == "EFI/BOOT/grub-theme" && tree.EFIImage == "" {
			continue
		}
		known[target] = true
		if !slices.Contains(ours, target) {
			t.Errorf("the tree has no %s", target)
		}
	}
	for _, target := range ours {
		// The module's /EFI is one folder, made by a derivation.
		inside := strings.HasPrefix(target, "EFI/") && known["EFI/BOOT/grub.cfg"] || strings.HasPrefix(target, "boot/nix/store/")
		if !inside && target != "EFI" && !known[target] {
			t.Errorf("the tree has %s, which the module has not", target)
		}
	}
}

func compareIsolinux(t *testing.T, m *Menu, text string) {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " ")
		if !strings.HasPrefix(line, "# A variant to boot with") && line != "APPEND" {
			lines = append(lines, line)
		}
	}
	wantHeader, want := parseIsolinux(t, strings.Join(lines, "\n"))
	header, got := parseIsolinux(t, string(m.Isolinux()))
	// To isolinux 0 means to wait, to NixOS to boot at once.
	if i := slices.Index(wantHeader, "TIMEOUT 0"); i >= 0 {
		wantHeader[i] = "TIMEOUT 1"
	}
	if !slices.Equal(header, wantHeader) {
		t.Errorf("header of isolinux.cfg is\n%q, want\n%q", header, wantHeader)
	}
	ours := map[string]item{}
	var collect func([]item)
	collect = func(items []item) {
		for _, i := range items {
			ours[i.label] = i
			collect(i.items)
		}
	}
	collect(got)
	for _, w := range want {
		// 24.05 has loglevel=7 here, later releases debug as in GRUB.
		if w.label == "boot-debug" {
			w.append = strings.TrimSuffix(w.append, "loglevel=7") + "debug"
		}
		g := ours[w.label]
		if g.append != w.append {
			t.Errorf("isolinux.cfg starts %s with\n%s, want\n%s", w.label, g.append, w.append)
		}
		// Variants name themselves in their submenu, not in their title.
		if !strings.HasPrefix(w.title, g.title) || g.title == "" {
			t.Errorf("isolinux.cfg calls %s %q, want the beginning of %q", w.label, g.title, w.title)
		}
	}
}

// builderScript returns the script of a derivation (an ATerm).
func builderScript(t *testing.T, drv string) string {
	t.Helper()
	text, err := os.ReadFile(drv)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\("buildCommand","((?:[^"\\]|\\.)*)"\)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no buildCommand", drv)
	}
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(string(found[1]))
}

// compareModules reads the modules of GRUB's program out of its derivation.
func compareModules(t *testing.T, s *nixos.System, builder string) {
	t.Helper()
	list := regexp.MustCompile(`(?s)MODULES=\((.*?)\)`).FindStringSubmatch(builder)
	if list == nil {
		t.Fatal("the builder has no list of modules")
	}
	var theirs []string
	for _, found := range regexp.MustCompile(`(?m)^\s*"(\w+)"`).FindAllStringSubmatch(list[1], -1) {
		theirs = append(theirs, found[1])
	}
	if s.IsX86 { // added where the package has it
		theirs = append(theirs, "efi_uga")
	}
	for drv := range s.Realise {
		if !strings.HasSuffix(drv, "-grub-"+s.GRUB.Target+".efi.drv") {
			continue
		}
		text, err := os.ReadFile(drv)
		if err != nil {
			t.Fatal(err)
		}
		args := regexp.MustCompile(`"/nix/store/[^"]*/bin/grub-mkimage",\["--directory=([^"]*)","--prefix=([^"]*)","--format=([^"]*)","--output=[^"]*",("[^\]]*")\]`).FindStringSubmatch(string(text))
		if args == nil {
			t.Fatalf("the derivation of GRUB's program is %s", text)
		}
		if args[1] != s.GRUB.Package+"/lib/grub/"+s.GRUB.Target || args[2] != "/"+efiDir || args[3] != s.GRUB.Target {
			t.Errorf("GRUB's program is made with %q", args[1:4])
		}
		if ours := strings.Split(strings.ReplaceAll(args[4], `"`, ""), ","); !slices.Equal(ours, theirs) {
			t.Errorf("modules are %q, want %q", ours, theirs)
		}
		return
	}
	t.Error("GRUB's program is not realised")
}

func compareGrub(t *testing.T, m *Menu, builder string) {
	t.Helper()
	_, config, _ := strings.Cut(builder, "grub.cfg\n")
	config, _, _ = strings.Cut(config, "\nEOF\n")
	config = strings.ReplaceAll(config, `\$`, "$") // within a here-document
	config = strings.ReplaceAll(config, "  --class", " --class")
	want := parseGrub(t, strings.ReplaceAll(config, "{return}", "{\n}"))
	got := parseGrub(t, string(m.Grub(nil, nil)))
	menus := func(items []item) map[string][]item {
		all := map[string][]item{}
		var collect func(string, []item)
		collect = func(class string, items []item) {
			for _, i := range items {
				if i.label == "submenu" {
					_, name, _ := strings.Cut(i.title, "--class ")
					collect(name, i.items)
				} else if i.label == "menuentry" {
					all[class] = append(all[class], i)
				}
			}
		}
		collect("", items)
		return all
	}
	ours, module := menus(got), menus(want)

	// 24.05 has the variants on its top level.
	variants := map[string]string{"installer": "", "nomodeset": "nomodeset", "copytoram": "copytoram", "debug": "debug"}
	tail := 0
	for _, w := range module[""] {
		title, class, _ := strings.Cut(w.title, "' --class ")
		ourClass, isVariant := variants[strings.TrimSpace(class)]
		if !isVariant {
			tail++
			continue
		}
		g := ours[ourClass][0]
		if got, want := words(g.append), words(w.append); !slices.Equal(got, want) {
			t.Errorf("grub.cfg starts %s with\n%q, want\n%q", class, got, want)
		}
		if base, _, _ := strings.Cut(title, " ("); !strings.HasPrefix(g.title, strings.TrimRight(base, " ")+"'") {
			t.Errorf("grub.cfg calls %s %q, want %q", class, g.title, base)
		}
	}
	for _, class := range []string{"rotate-90cw", "rotate-180", "rotate-90ccw", "serial"} {
		want := slices.Sorted(slices.Values(words(module[class][0].append)))
		// On ARM there is a second serial console.
		if !slices.ContainsFunc(ours[class], func(g item) bool {
			return slices.Equal(slices.Sorted(slices.Values(words(g.append))), want)
		}) {
			t.Errorf("grub.cfg starts %s with\n%+v, want\n%q", class, ours[class], want)
		}
	}
	for _, w := range module[""][len(module[""])-tail:] {
		if !slices.ContainsFunc(ours[""], func(g item) bool { return g.title == w.title }) {
			t.Errorf("grub.cfg has no %s", w.title)
		}
	}
}

// words splits a command line of grub.cfg as GRUB does.
func words(line string) []string {
	var all []string
	for _, found := range regexp.MustCompile(`(?:"[^"]*"|'[^']*'|[^ "'])+`).FindAllString(line, -1) {
		all = append(all, strings.NewReplacer(`"`, "", `'`, "").Replace(found))
	}
	return all
}

// TestNixpkgsLoopback puts the unit for images in files into the two kinds of stage 1 that
// nixpkgs has. Of systemd's, all is in the initrd that the unit needs.
func TestNixpkgsLoopback(t *testing.T) {
	tree := os.Getenv(nixpkgsVariable)
	if tree == "" {
		judge.LeaveOut(t, "nixpkgs", nixpkgsVariable+" names no tree of NixOS 24.05")
	}
	n, file, _ := nixpkgs(t, tree)
	file.Name = "minimal"
	systems := map[bool]*nixos.System{}
	for _, with := range []bool{false, true} {
		s, err := nixos.Evaluate(t.Context(), n, file, nixos.Changes{Loopback: with}, evalcache.Cache{})
		if err != nil {
			t.Fatal(err)
		}
		systems[with] = s
	}
	if systems[true].LoopbackUnit || systems[true].Root().Toplevel != systems[false].Root().Toplevel {
		t.Errorf("a scripted stage 1 is changed: %+v", systems[true])
	}
	of := file
	of.Name = "systemd"
	for _, with := range []bool{false, true} {
		s, err := nixos.Evaluate(t.Context(), n, of, nixos.Changes{Loopback: with}, evalcache.Cache{})
		if err != nil {
			t.Fatal(err)
		}
		if s.LoopbackUnit != with || !s.SystemdInitrd || s.FindsFile() != with {
			t.Errorf("asked for: %t; the system has a unit: %t, and systemd in stage 1: %t", with, s.LoopbackUnit, s.SystemdInitrd)
		}
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Unit, Script, Modules, Losetup string
		StorePaths, Programs           []string
	}
	if err := n.EvalExpression(t.Context(), fmt.Sprintf(`
		let
		  final = (import %[1]s).systemd.extendModules { modules = [ (import %[2]s/nixos/loopback.nix) ]; };
		  initrd = final.config.boot.initrd.systemd;
		  modules = builtins.head (builtins.filter (p: builtins.isAttrs p && p ? rootModules) initrd.storePaths);
		in {
		  Unit = initrd.units."livebuild-find-image.service".text;
		  Script = initrd.services.livebuild-find-image.script;
		  StorePaths = map (p: builtins.unsafeDiscardStringContext "${p}") initrd.storePaths;
		  Modules = builtins.unsafeDiscardStringContext "${modules}";
		  Losetup = builtins.unsafeDiscardStringContext "${initrd.package.util-linux}/bin/losetup";
		  Programs = map (p: p.pname or "") initrd.initrdBin ++ builtins.attrNames initrd.extraBin;
		}`, file.File, here), &said); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ConditionKernelCommandLine=|findiso\n", "ConditionPathExists=|/sys/firmware/acpi/tables/VTOY\n", "DefaultDependencies=false\n",
		"After=systemd-udevd.service systemd-modules-load.service\n", "Before=sysroot-iso.mount shutdown.target\n",
	} {
		if !strings.Contains(said.Unit, want) {
			t.Errorf("the unit lacks %q:\n%s", want, said.Unit)
		}
	}
	for _, path := range []string{said.Modules, said.Losetup} {
		if !slices.Contains(said.StorePaths, path) || !strings.Contains(said.Script, path) {
			t.Errorf("%s is not both in the initrd and in the script", path)
		}
	}
	// What else the script calls, in the folders of its PATH.
	for _, program := range []string{"coreutils", "kmod", "systemd", "mount", "umount"} {
		if !slices.Contains(said.Programs, program) {
			t.Errorf("the initrd has no %s, but %q", program, said.Programs)
		}
	}
}
