package nixos

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nix"
)

// flake returns an installable of the test flake and a Nix with a store of its
// own, whose physical root is the last result.
func flake(t *testing.T, name string) (*nix.Nix, installable.Installable, string) {
	t.Helper()
	judge.Path(t, "nix-bin", "nix")
	root := storeRoot(t)
	t.Setenv("NIX_REMOTE", "local?root="+root)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "cache"))
	t.Setenv("NIX_CONFIG", "substituters =\nbuild-users-group =\n")
	n, err := nix.Find(t.Context(), nix.Options{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata/flake")
	if err != nil {
		t.Fatal(err)
	}
	// The folder lies in a Git work tree, which is of no concern here.
	return n, installable.Installable{Ref: "path:" + dir, Name: name}, root
}

// storeRoot is a folder for a store of a test's own, which who is not root can remove afterwards: Nix
// leaves no right to write in it.
func storeRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	t.Cleanup(func() {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(file, 0o755)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	return root
}

func evaluate(t *testing.T, name string, with Changes) (*System, error) {
	t.Helper()
	n, of, _ := flake(t, name)
	return Evaluate(t.Context(), n, of, with, evalcache.Cache{})
}

func mustEvaluate(t *testing.T, name string) *System {
	t.Helper()
	s, err := evaluate(t, name, Changes{})
	if err != nil {
		t.Fatalf("Evaluate(%q): %v", name, err)
	}
	return s
}

// packageName returns the name of a store path without its hash, and what
// follows it.
func packageName(path string) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(path, "/nix/store/"), "-")
	return name
}

// realised returns Realise with names for paths, sorted.
func realised(s *System) []string {
	var all []string
	for drv, outputs := range s.Realise {
		all = append(all, packageName(strings.TrimSuffix(drv, ".drv"))+"!"+strings.Join(outputs, ","))
	}
	slices.Sort(all)
	return all
}

func TestMinimal(t *testing.T) {
	n, of, root := flake(t, "minimal")
	s, err := Evaluate(t.Context(), n, of, Changes{}, evalcache.Cache{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ what, got, want string }{
		{"Name", s.Name, "minimal"}, {"HostName", s.HostName, ""},
		{"Platform", s.Platform, "x86_64-linux"}, {"BuildPlatform", s.BuildPlatform, "x86_64-linux"},
		{"EFIArch", s.EFIArch, "x64"}, {"DistroName", s.DistroName, "NixOS"}, {"DistroID", s.DistroID, "nixos"},
		{"Label", s.Label, "24.05"}, {"ImageName", s.ImageName, "nixos.iso"}, {"VolumeID", s.VolumeID, "live"},
		{"Syslinux", packageName(s.Syslinux), "syslinux"}, {"SplashImage", s.SplashImage, ""},
		{"GRUBTheme", s.GRUBTheme, ""}, {"Refind", s.Refind, ""}, {"ISODevice", s.ISODevice, ""},
		{"Kernel", packageName(s.Root().Kernel), "linux/bzImage"}, {"KernelVersion", s.Root().KernelVersion, ""},
		{"Initrd", packageName(s.Root().Initrd), "initrd/initrd"},
		{"Toplevel", packageName(s.Root().Toplevel.Out), "toplevel"},
		{"Toplevel.Drv", packageName(s.Root().Toplevel.Drv), "toplevel.drv"},
		{"KernelParams", strings.Join(s.Root().KernelParams, " "), "root=LABEL=live"},
		{"AppendToMenuLabel", s.Root().AppendToMenuLabel, " Installer"},
		{"StoreContents", packageName(strings.Join(s.StoreContents, " ")), "toplevel"},
		{"Realise", strings.Join(realised(s), " "), "initrd!out linux!out syslinux!out toplevel!out"},
	} {
		if test.got != test.want {
			t.Errorf("%s = %q, want %q", test.what, test.got, test.want)
		}
	}
	if !s.IsX86 || !s.MakeBIOSBootable || s.MakeEFIBootable || s.MakeUSBBootable || s.CompressImage || s.SystemdInitrd {
		t.Errorf("switches are %+v", s)
	}
	if s.GRUB != nil || s.Memtest != nil || s.Timeout == nil || *s.Timeout != 10 || !s.Root().ShowConfiguration {
		t.Errorf("facts are %+v", s)
	}
	for drv := range s.Realise {
		if _, err := os.Stat(filepath.Join(root, drv)); err != nil {
			t.Errorf("the evaluation did not write %v", err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, host := range map[string]string{
		"dots.in.name": "dots", `qu"ote`: "quote", "dollar${x}": "dollar", `back\slash`: "backslash", "white space\n\t": "white",
	} {
		if s := mustEvaluate(t, name); s.Name != name || s.HostName != host {
			t.Errorf("Evaluate(%q) = %q with host %q, want host %q", name, s.Name, s.HostName, host)
		}
	}
}

func TestEFI(t *testing.T) {
	s := mustEvaluate(t, "efi")
	if want := "grub!out grub-x86_64-efi.efi!out initrd!out linux!out memtest86plus!out refind!out splash!out syslinux!out theme!out toplevel!out"; strings.Join(realised(s), " ") != want {
		t.Errorf("Realise = %q, want %s", realised(s), want)
	}
	if s.Timeout != nil || !s.ForceTextMode || packageName(s.Refind) != "refind/share/refind/refind_x64.efi" {
		t.Errorf("facts are %+v", s)
	}
	if m := s.Memtest; m == nil || packageName(m.File) != "memtest86plus/memtest.bin" || !m.EFI || !slices.Equal(m.Params, []string{"btrace"}) {
		t.Errorf("Memtest = %+v", m)
	}
	if g := s.GRUB; g == nil || packageName(g.Package) != "grub" || g.Target != "x86_64-efi" || packageName(g.Core) != "grub-x86_64-efi.efi" {
		t.Errorf("GRUB = %+v", g)
	}

	s = mustEvaluate(t, "forcei686")
	if s.EFIArch != "ia32" || s.GRUB.Target != "i386-efi" || packageName(s.GRUB.Package) != "grub-ia32" || s.Refind != "" {
		t.Errorf("forcei686: %q, %+v, rEFInd %q", s.EFIArch, s.GRUB, s.Refind)
	}

	s = mustEvaluate(t, "aarch64")
	if s.Platform != "aarch64-linux" || s.BuildPlatform != "x86_64-linux" || s.IsX86 || s.EFIArch != "aa64" ||
		packageName(s.Refind) != "refind/share/refind/refind_aa64.efi" ||
		s.Memtest != nil || s.Syslinux != "" {
		t.Errorf("aarch64: %+v", s)
	}
}

// TestForeign evaluates configurations whose packages do not run on this machine.
func TestForeign(t *testing.T) {
	s := mustEvaluate(t, "aarch64-native")
	if s.Platform != "aarch64-linux" || s.BuildPlatform != "aarch64-linux" {
		t.Errorf("platforms are %q and %q", s.Platform, s.BuildPlatform)
	}
	// By default there are device trees, which is no wish for them.
	root, board := s.Configurations[0], s.Configurations[1]
	if root.DeviceTree != "" || root.DeviceTrees != "" {
		t.Errorf("device trees %q, %q, want none", root.DeviceTree, root.DeviceTrees)
	}
	if packageName(board.DeviceTree) != "dtbs/vendor/board.dtb" || board.DeviceTrees != "" || !slices.Contains(realised(s), "dtbs!out") {
		t.Errorf("the board has %q, %q, and there is %q", board.DeviceTree, board.DeviceTrees, realised(s))
	}
	root = mustEvaluate(t, "device-trees").Root()
	if root.DeviceTree != "" || packageName(root.DeviceTrees) != "dtbs" {
		t.Errorf("device trees %q, %q, want a choice", root.DeviceTree, root.DeviceTrees)
	}
	// A PC has none, whatever is said.
	if root = mustEvaluate(t, "efi").Root(); root.DeviceTree+root.DeviceTrees != "" {
		t.Errorf("device trees %q, %q of a PC", root.DeviceTree, root.DeviceTrees)
	}
}

// TestGRUBProgram reads the derivation that makes GRUB's program.
func TestGRUBProgram(t *testing.T) {
	foreign := "grub-of-" + nix.Machine() + "-overlaid"
	if nix.Machine() == "aarch64-linux" {
		foreign = "grub"
	}
	for _, test := range []struct {
		name, builder, system, target string
		fdt, uga                      bool
	}{
		{"efi", "grub", "x86_64-linux", "x86_64-efi", false, true},
		{"forcei686", "grub", "x86_64-linux", "i386-efi", false, true},
		{"aarch64", "grub-for-build", "x86_64-linux", "x86_64-efi", false, true},
		{"aarch64-native", foreign, nix.Machine(), "x86_64-efi", true, true},
		{"arm-target", "grub", "x86_64-linux", "arm64-efi", false, false},
	} {
		n, of, root := flake(t, test.name)
		s, err := Evaluate(t.Context(), n, of, Changes{}, evalcache.Cache{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, derivationOf(t, s, "grub-"+test.target+".efi")))
		if err != nil {
			t.Fatal(err)
		}
		call := regexp.MustCompile(`"([^"]*)","([^"]*)/bin/grub-mkimage",\["--directory=([^"]*)","--prefix=/EFI/BOOT","--format=([^"]*)",(".*?")\]`).FindStringSubmatch(string(text))
		if call == nil {
			t.Fatalf("%s: the derivation is %s", test.name, text)
		}
		if call[1] != test.system || packageName(call[2]) != test.builder || call[3] != s.GRUB.Package+"/lib/grub/"+test.target || call[4] != test.target {
			t.Errorf("%s: GRUB's program is made so: %q", test.name, call[1:5])
		}
		if fdt, uga := strings.Contains(call[5], `"fdt"`), strings.Contains(call[5], `"efi_uga"`); fdt != test.fdt || uga != test.uga {
			t.Errorf("%s: the modules are %s", test.name, call[5])
		}
	}
}

// TestBuildMachine asks for GRUB's program where things are built on another machine, of
// which nothing is known: then it is made where the packages are.
func TestBuildMachine(t *testing.T) {
	text, err := function(installable.Installable{}, []string{"aarch64-native"}, "", Changes{})
	if err != nil {
		t.Fatal(err)
	}
	n, of, root := flake(t, "aarch64-native")
	var results []struct{ System System }
	if _, err := apply(t.Context(), n, of, text, &results); err != nil {
		t.Fatal(err)
	}
	drv, err := os.ReadFile(filepath.Join(root, derivationOf(t, &results[0].System, "grub-x86_64-efi.efi")))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`"aarch64-linux","/nix/store/[^"]*-grub/bin/grub-mkimage"`).Match(drv) {
		t.Errorf("GRUB's program is made so: %s", drv)
	}
}

// derivationOf returns the derivation of a name that is realised.
func derivationOf(t *testing.T, s *System, name string) string {
	t.Helper()
	for path := range s.Realise {
		if packageName(path) == name+".drv" {
			return path
		}
	}
	t.Fatalf("%s is not realised", name)
	return ""
}

// TestSources names files of the machine in every option that takes one.
func TestSources(t *testing.T) {
	base := mustEvaluate(t, "efi")
	for option, set := range map[string]func(s *System, file string){
		"isoImage.splashImage":       func(s *System, f string) { s.SplashImage = f },
		"isoImage.efiSplashImage":    func(s *System, f string) { s.EFISplashImage = f },
		"isoImage.grubTheme":         func(s *System, f string) { s.GRUBTheme = f },
		"pkgs.syslinux":              func(s *System, f string) { s.Syslinux = f },
		"pkgs.refind":                func(s *System, f string) { s.Refind = f },
		"pkgs.grub2_efi":             func(s *System, f string) { s.GRUB.Package = f },
		"boot.loader.grub.memtest86": func(s *System, f string) { s.Memtest.File = f },
		"system.build.toplevel":      func(s *System, f string) { s.Configurations[0].Toplevel.Out = f },
		"boot.kernelPackages.kernel with system.boot.loader.kernelFile":  func(s *System, f string) { s.Configurations[0].Kernel = f },
		"system.build.initialRamdisk with system.boot.loader.initrdFile": func(s *System, f string) { s.Configurations[0].Initrd = f },
		"hardware.deviceTree.name":                                       func(s *System, f string) { s.Configurations[0].DeviceTree = f },
		"hardware.deviceTree.package":                                    func(s *System, f string) { s.Configurations[0].DeviceTrees = f },
		"isoImage.storeContents":                                         func(s *System, f string) { s.StoreContents = append(s.StoreContents, f) },
		"the source of /a in isoImage.contents":                          func(s *System, f string) { s.Contents = []Content{{Source: f, Target: "/a"}} },
	} {
		for file, fine := range map[string]bool{
			"/tmp/secret": false, "/nix/store/../../etc/passwd": false, "/nix/store/a/../../../etc/passwd": false, "/nix/store": false,
			"/nix/store/": false, "/nix/storehouse/a": false, "/dev/stdin": false, "/proc/self/environ": false, "relative": false, "../up": false,
			"/nix/store/0-a": true, "/nix/store/0-a/b/../c": true,
		} {
			s := *base
			s.Configurations, s.StoreContents = slices.Clone(s.Configurations), slices.Clone(s.StoreContents)
			grub, memtest := *s.GRUB, *s.Memtest
			s.GRUB, s.Memtest = &grub, &memtest
			set(&s, file)
			var outside *SourceError
			if err := s.check(); fine && err != nil || !fine && (!errors.As(err, &outside) || outside.Option != option || outside.File != file) {
				t.Errorf("%s = %q: %v", option, file, err)
			}
		}
	}
}

func TestNewest(t *testing.T) {
	s := mustEvaluate(t, "newest")
	if s.ImageName != "nixos-minimal-26.05-x86_64-linux.iso.zst" || !s.CompressImage || s.SquashfsCompression != nil || !s.SystemdInitrd {
		t.Errorf("facts are %+v", s)
	}
	var paths, shown []string
	for _, c := range s.Configurations {
		paths = append(paths, strings.Join(c.Path, "."))
	}
	for _, c := range s.Shown() {
		shown = append(shown, strings.Join(c.Path, "."))
	}
	if !slices.Equal(paths, []string{"", "a", "b", "b.inner"}) || !slices.Equal(shown, []string{"a", "b", "b.inner"}) {
		t.Errorf("configurations are %q, shown %q", paths, shown)
	}
	if name := s.Configurations[2].ConfigurationName; name == nil || *name != "B" {
		t.Error("specialisation b has lost its configurationName")
	}
	if len(s.Warnings) != 2 || s.Warnings[0] != "old option" || !strings.Contains(s.Warnings[1], "plain") {
		t.Errorf("Warnings = %q", s.Warnings)
	}
	// Kernels moved, so that one in the old place is the user's.
	if len(s.Contents) != 1 || s.Contents[0].Target != "/boot/bzImage" {
		t.Errorf("Contents = %q", s.Contents)
	}
	if want := "initrd!out linux!out linux-a!out syslinux!out toplevel!out toplevel-b!out"; strings.Join(realised(s), " ") != want {
		t.Errorf("Realise = %q, want %s", realised(s), want)
	}
}

func TestOld(t *testing.T) {
	s := mustEvaluate(t, "old")
	if s.ImageName != "nixos-22.05.iso" || !s.ForceTextMode || len(s.Contents) != 0 {
		t.Errorf("ImageName %q, ForceTextMode %t, Contents %q", s.ImageName, s.ForceTextMode, s.Contents)
	}
	if want := "initrd!out linux!out syslinux!out toplevel!out"; strings.Join(realised(s), " ") != want {
		t.Errorf("Realise = %q, want %s", realised(s), want)
	}
}

func TestContents(t *testing.T) {
	s := mustEvaluate(t, "contents")
	var contents []string
	for _, c := range s.Contents {
		contents = append(contents, packageName(c.Source)+"="+c.Target)
	}
	// The source of a flake is one store path, a file of it a path below.
	if want := []string{"multiple-dev=/docs//dev", "flake.nix=docs/flake.nix", "multiple/file=docs/out"}; !slices.Equal(contents, want) {
		t.Errorf("Contents = %q, want %q", contents, want)
	}
	// All outputs of the derivation that is a root: includeSystemBuildDependencies.
	if want := "initrd!out linux!out multiple!dev,out syslinux!out toplevel!"; strings.Join(realised(s), " ") != want {
		t.Errorf("Realise = %q, want %s", realised(s), want)
	}
	if len(s.StoreContents) != 3 || packageName(s.StoreContents[1]) != "toplevel.drv" {
		t.Errorf("StoreContents = %q", s.StoreContents)
	}
	if len(s.Sources) == 0 {
		t.Error("Sources has no source of the flake")
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		want error
	}{
		{"contentz", &NoConfigurationError{Name: "contentz"}},
		{"", &SeveralConfigurationsError{}},
		{"failing", &AssertionError{Name: "failing", Messages: []string{"first", "second\nline two"}}},
		{"no-iso-module", &NotExtensibleError{Name: "no-iso-module", Missing: true}},
		{"number", &NotNixOSError{Name: "number", Found: "a value of type int"}},
		{"modules", &NotNixOSError{Name: "modules", Found: "a set of modules without lib.nixosSystem around it"}},
		{"home", &NotNixOSError{Name: "home", Found: "a home-manager configuration"}},
		{"darwin", &NotNixOSError{Name: "darwin", Found: "a nix-darwin configuration"}},
		{"no-toplevel", &NotNixOSError{Name: "no-toplevel", Found: "an attribute set without config.system.build.toplevel or without pkgs"}},
		{"old-darwin", &NotNixOSError{Name: "old-darwin", Found: "a nix-darwin configuration"}},
		{"other-class", &NotNixOSError{Name: "other-class", Found: "a configuration of the class flake"}},
		{"clash", &ContentsError{Name: "clash", Targets: []string{"version.txt"}}},
		{"long-volume-id", &VolumeIDError{"abcdefghijklmnopqrstuvwxyz-0123456", "is longer than 32 bytes"}},
		{"odd-volume-id", &VolumeIDError{"my label", "has other characters than letters, digits, '.', '_' and '-'"}},
		{"two-volume-ids", &VolumeIDError{"live", "differs from other of specialisation other"}},
		{"bad-name", &NameError{"isoImage.isoName, image.baseName or image.fileName", "../nixos.iso", "it has a slash"}},
		{"systemd-initrd", &InitrdError{"systemd-initrd", "/dev/root"}},
	} {
		_, err := evaluate(t, test.name, Changes{})
		switch e := err.(type) {
		case *NoConfigurationError:
			if len(e.Names) == 0 || e.Names[0] != "contents" {
				t.Errorf("names like contentz are %q, want contents first", e.Names)
			}
			if !e.Near {
				t.Error("contents is not near to contentz")
			}
			e.Names, e.Near = nil, false
		case *SeveralConfigurationsError:
			if !slices.IsSorted(e.Names) || !slices.Contains(e.Names, "dots.in.name") {
				t.Errorf("names are %q", e.Names)
			}
			if e.Of.Ref == "" || e.Of.Name != "" {
				t.Errorf("they are of %+v", e.Of)
			}
			e.Names, e.Of = nil, installable.Installable{}
		}
		if !reflect.DeepEqual(err, test.want) {
			t.Errorf("Evaluate(%q) = %v, want %v", test.name, err, test.want)
		}
	}
}

// TestNotExtended asks for what a configuration without extendModules cannot do.
func TestNotExtended(t *testing.T) {
	for _, test := range []struct {
		name string
		with Changes
		want error
	}{
		{"no-iso-module", Changes{NoLive: true}, &NoISOModuleError{Name: "no-iso-module"}},
		{"minimal", Changes{VolumeID: "other"}, &NotExtensibleError{Name: "minimal"}},
		{"minimal", Changes{Modules: []string{"/absent.nix"}}, &NotExtensibleError{Name: "minimal"}},
		{"minimal", Changes{NoLive: true}, nil},
	} {
		if _, err := evaluate(t, test.name, test.with); !reflect.DeepEqual(err, test.want) {
			t.Errorf("Evaluate(%q) with %+v = %v, want %v", test.name, test.with, err, test.want)
		}
	}
}

func TestAssertionText(t *testing.T) {
	err := &AssertionError{Name: "iso", Messages: []string{"first", "second\nline two\n"}}
	if got, want := err.Error(), "configuration \"iso\" fails its assertions:\n- first\n- second\n  line two"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestEvaluationFails(t *testing.T) {
	n, of, _ := flake(t, "iso")
	for _, ref := range []string{of.Ref + "?dir=absent", "path:/absent"} {
		var failed *nix.Error
		if s, err := Evaluate(t.Context(), n, installable.Installable{Ref: ref, Name: "iso"}, Changes{}, evalcache.Cache{}); s != nil || !errors.As(err, &failed) {
			t.Errorf("Evaluate(%s) = %v, want a *nix.Error", ref, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Evaluate(stopped, n, of, Changes{}, evalcache.Cache{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Evaluate after the end = %v", err)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"iso", "isos", 1}, {"flaw", "lawn", 2},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestNear(t *testing.T) {
	for _, test := range []struct {
		name, other string
		want        bool
	}{
		{"mimi", "mini", true}, {"MINI", "mini", true}, {"iso", "isos", true}, {"exampleiso", "exampleIso", true},
		{"thinkpad", "thinkpad-x1", true}, {"thinkpad-x1", "thinkpad", true}, {"latpop", "laptop", true},
		{"server", "laptop", false}, {"a", "b", false}, {"a", "mini", false}, {"m", "mini", false}, {"packages.x86_64-linux.iso", "mini", false},
	} {
		if got := isNear(test.name, test.other); got != test.want {
			t.Errorf("isNear(%q, %q) = %t", test.name, test.other, got)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"nixos.iso": true, "my image–2 ü.iso": true, strings.Repeat("x", 244) + ".iso": true,
		"": false, ".iso": false, "..": false, "a/b.iso": false, "a\tb.iso": false, "a\x1b[2Jb.iso": false, "a\nb.iso": false,
		"a\u0085.iso": false, "a\u202eosi.iso": false, "a\u00a0.iso": false, strings.Repeat("x", 245) + ".iso": false,
	} {
		if reason := nameFault(name); (reason == "") != ok {
			t.Errorf("nameFault(%q) = %q", name, reason)
		}
	}
}

func TestVolumeIDs(t *testing.T) {
	for id, ok := range map[string]bool{
		"NIXOS": true, ".a": true, "...": true, "a.": true, strings.Repeat("x", 32): true,
		"": false, ".": false, "..": false, "a b": false, "a/b": false, "ü": false, strings.Repeat("x", 33): false,
	} {
		var refused *VolumeIDError
		if err := CheckVolumeID(id); (err == nil) != ok || err != nil && !errors.As(err, &refused) {
			t.Errorf("CheckVolumeID(%q) = %v", id, err)
		}
	}
}

// TestImageName checks which of the options name the file.
func TestImageName(t *testing.T) {
	for name, want := range map[string]string{
		"file-name": "chosen.iso", "file-path": "elsewhere.iso", "base-name": "based.iso", "file-name-zst": "chosen.iso.zst",
	} {
		if s := mustEvaluate(t, name); s.ImageName != want {
			t.Errorf("the image of %s is called %s, want %s", name, s.ImageName, want)
		}
	}
}
