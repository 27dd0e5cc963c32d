package boot

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nixos"
)

func targets(t *Tree) []string {
	var all []string
	for _, g := range t.Grafts {
		all = append(all, g.Target)
	}
	return all
}

// TestTree compares the tree with the one of nixpkgs' module.
func TestTree(t *testing.T) {
	both := []string{"boot/nix/store/0-linux/bzImage", "boot/nix/store/0-initrd/initrd", "version.txt", "livebuild.json", "boot/memtest.bin"}
	bios := []string{"isolinux", "isolinux/isolinux.cfg", "isolinux/background.png"}
	efi := []string{"boot/efi.img", "boot/grub/loopback.cfg", "EFI/nixos-installer-image", "EFI/BOOT/BOOTX64.EFI",
		"EFI/BOOT/grub.cfg", "EFI/BOOT/unicode.pf2", "EFI/BOOT/refind_x64.efi", "EFI/BOOT/efi-background.png",
		"EFI/BOOT/grub-theme"}
	without := func(list []string, names ...string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(names, n) })
	}
	for _, test := range []struct {
		name   string
		change func(*nixos.System)
		want   []string
	}{
		{"everything", func(*nixos.System) {}, slices.Concat(both, bios, efi)},
		{"a specialisation with the same kernel", func(s *nixos.System) { specialise(t, s, "one") }, slices.Concat(both, bios, efi)},
		{"another initrd", func(s *nixos.System) { specialise(t, s, "one").Initrd = "/nix/store/2/initrd" },
			slices.Concat(both, bios, efi, []string{"boot/nix/store/2/initrd"})},
		{"a hidden kernel", func(s *nixos.System) {
			c := specialise(t, s, "one")
			c.Kernel, c.ShowConfiguration = "/nix/store/2/bzImage", false
		}, slices.Concat(both, bios, efi)},
		{"BIOS alone", func(s *nixos.System) { s.MakeEFIBootable = false }, slices.Concat(both, bios)},
		{"systemd initrd", func(s *nixos.System) { s.SystemdInitrd = true },
			slices.Concat(both, bios, without(efi, "boot/grub/loopback.cfg"))},
		{"systemd initrd that finds files", func(s *nixos.System) { s.SystemdInitrd, s.LoopbackUnit = true, true },
			slices.Concat(both, bios, efi, []string{"ventoy.dat"})},
		{"systemd initrd that finds files, BIOS alone", func(s *nixos.System) { s.SystemdInitrd, s.LoopbackUnit, s.MakeEFIBootable = true, true, false },
			slices.Concat(both, bios, []string{"ventoy.dat"})},
		{"aarch64", func(s *nixos.System) {
			s.MakeBIOSBootable, s.IsX86, s.EFIArch, s.Memtest = false, false, "aa64", nil
			s.Refind = "/nix/store/refind/refind_aa64.efi"
		}, slices.Concat(without(both, "boot/memtest.bin"), without(efi, "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/refind_x64.efi"),
			[]string{"EFI/BOOT/BOOTAA64.EFI", "EFI/BOOT/refind_aa64.efi"})},
		{"32-bit firmware", func(s *nixos.System) { s.EFIArch, s.Refind = "ia32", "" },
			slices.Concat(both, bios, without(efi, "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/refind_x64.efi"), []string{"EFI/BOOT/BOOTIA32.EFI"})},
		{"no looks", func(s *nixos.System) { s.SplashImage, s.EFISplashImage, s.GRUBTheme = "", "", "" },
			slices.Concat(both, without(bios, "isolinux/background.png"),
				without(efi, "EFI/BOOT/efi-background.png", "EFI/BOOT/grub-theme"))},
		{"contents", func(s *nixos.System) {
			s.Contents = []nixos.Content{{Target: "/docs//a", Source: "/a"}, {Target: "efi/boot/Mine.efi", Source: "/b"}, {Target: "/", Source: "/c"}}
		}, slices.Concat(both, bios, efi, []string{"docs/a", "EFI/BOOT/Mine.efi", ""})},
		{"merged contents", func(s *nixos.System) {
			s.Contents = []nixos.Content{{Target: "/Isolinux/", Source: "/a"}, {Target: "efi", Source: "/b"}, {Target: "/boot/grub", Source: "/c"}}
		}, slices.Concat(both, bios, efi, []string{"isolinux", "EFI", "boot/grub"})},
	} {
		s := installer(t)
		s.Configurations[0].Kernel = "/nix/store/0-linux/bzImage"
		s.Configurations[0].Initrd = "/nix/store/0-initrd/initrd"
		test.change(s)
		tree, err := NewTree(0, s)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		slices.Sort(test.want)
		if got := targets(tree); !slices.Equal(got, test.want) {
			t.Errorf("%s: targets are\n%q, want\n%q", test.name, got, test.want)
		}
	}
}

func TestRefusedTargets(t *testing.T) {
	for _, test := range []struct{ target, reason string }{
		{"/version.txt", "is taken"},
		{"/LiveBuild.json", "is taken"},
		{"EFI/boot/grub.cfg", "is taken"},
		{"/isolinux/isolinux.cfg", "is taken"},
		{"Nix-Store.squashfs", "is the store image"},
		{"/docs/../version.txt", `has ".." in it`},
	} {
		s := installer(t)
		s.Contents = []nixos.Content{{Source: "/nix/store/docs", Target: test.target}}
		var refused *TargetError
		if _, err := NewTree(0, s); !errors.As(err, &refused) || refused.Reason != test.reason || refused.Target != test.target {
			t.Errorf("NewTree with target %q = %v, want a *TargetError: %s", test.target, err, test.reason)
		}
	}
}

func (l *lab) complete(s *nixos.System) (*Tree, []File) {
	l.Helper()
	tree, err := NewTree(0, s)
	if err != nil {
		l.Fatal(err)
	}
	files, err := tree.Complete(context.Background(), l.files(), Options{Manifest: []byte("{}\n")})
	if err != nil {
		l.Fatal(err)
	}
	return tree, files
}

func find(files []File, path string) *File {
	if i := slices.IndexFunc(files, func(f File) bool { return f.Path == path }); i >= 0 {
		return &files[i]
	}
	return nil
}

func TestComplete(t *testing.T) {
	l := newLab(t)
	s := l.installer()
	l.put("docs/real/run", "#!")
	if err := errors.Join(os.Mkdir(l.place("docs/empty"), 0o777), os.Chmod(l.place("docs/real/run"), 0o755)); err != nil {
		t.Fatal(err)
	}
	l.link("docs/file", "real/run")
	s.Contents = []nixos.Content{{Source: "/nix/store/docs", Target: "docs"}, {Source: l.link("docs/link", "real"), Target: "isolinux/extra"}}
	tree, files := l.complete(s)

	if !slices.IsSortedFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) }) {
		t.Error("files are not sorted")
	}
	for _, want := range []File{
		{Path: "docs/empty", Dir: true},
		{Path: "docs/real/run", Size: 2, Executable: true},
		{Path: "docs/link/run", Size: 2, Executable: true},
		{Path: "docs/file", Size: 2, Executable: true},
		{Path: "isolinux/extra/run", Size: 2, Executable: true},
		{Path: "EFI/nixos-installer-image"},
		{Path: "EFI/BOOT/grub-theme/b/DejaVu Regular.pf2", Size: 4},
		{Path: "boot" + s.Configurations[0].Kernel, Size: 6},
		{Path: "boot/grub/loopback.cfg", Data: []byte("source /EFI/BOOT/grub.cfg\n"), Size: 26},
		{Path: "livebuild.json", Data: []byte("{}\n"), Size: 3},
		{Path: "version.txt", Data: []byte("24.05"), Size: 5},
	} {
		got := find(files, want.Path)
		if got == nil {
			t.Errorf("%s is missing", want.Path)
			continue
		}
		plain := *got
		plain.Source = ""
		if len(plain.Data) == 0 {
			plain.Data = nil
		}
		if !reflect.DeepEqual(plain, want) {
			t.Errorf("got %+v, want %+v", plain, want)
		}
		if got.Source != "" {
			if info, err := os.Lstat(filepath.Join(l.root, got.Source)); err != nil || info.Mode()&os.ModeSymlink != 0 {
				t.Errorf("source %s of %s is no real file: %v", got.Source, got.Path, err)
			}
		}
	}
	for _, path := range []string{tree.BIOSImage, tree.EFIImage} {
		if find(files, path) == nil {
			t.Errorf("boot image %q is missing", path)
		}
	}
	if code, err := tree.ReadMBRCode(l.files()); err != nil || len(code) != 432 {
		t.Errorf("boot code of %d bytes, %v", len(code), err)
	}
}

// TestMenuPathsExist looks up every path that a menu names.
func TestMenuPathsExist(t *testing.T) {
	l := newLab(t)
	s := l.installer()
	specialise(t, s, "quiet")
	_, files := l.complete(s)
	var check func(items []item)
	check = func(items []item) {
		for _, i := range items {
			for _, path := range []string{i.kernel, i.initrd} {
				path = strings.TrimPrefix(strings.TrimPrefix(path, "($root)"), "/")
				if path != "" && find(files, path) == nil {
					t.Errorf("%s: %s is not on the medium", i.title, path)
				}
			}
			check(i.items)
		}
	}
	grub := string(find(files, "EFI/BOOT/grub.cfg").Data)
	_, isolinux := parseIsolinux(t, string(find(files, "isolinux/isolinux.cfg").Data))
	check(isolinux)
	check(parseGrub(t, grub))
	for line := range strings.SplitSeq(grub, "\n") {
		for _, word := range strings.SplitAfter(line, "($root)")[1:] {
			path := strings.Trim(strings.TrimSuffix(word, "; then"), "'/")
			if path, _, _ = strings.Cut(path, " console"); find(files, path) == nil {
				t.Errorf("%q is not on the medium: %s", path, line)
			}
		}
	}
}

func TestESP(t *testing.T) {
	l := newLab(t)
	s := l.installer()
	_, files := l.complete(s)
	image := find(files, "boot/efi.img")
	if len(image.Data)%(1<<20) != 0 {
		t.Errorf("size is %d", len(image.Data))
	}
	path := filepath.Join(t.TempDir(), "efi.img")
	if err := os.WriteFile(path, image.Data, 0o666); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "dosfstools", "fsck.vfat", "-vn", path)
	listing := judge.Run(t, "mtools", "mdir", "-/", "-b", "-i", path, "::")
	if want := "::/EFI/\n::/EFI/BOOT/\n::/EFI/BOOT/BOOTX64.EFI\n::/EFI/BOOT/grub.cfg\n::/EFI/BOOT/refind_x64.efi\n"; listing != want {
		t.Errorf("mdir lists\n%s, want\n%s", listing, want)
	}
	if got := judge.Run(t, "util-linux", "blkid", "-p", "-o", "export", path); !strings.Contains(got, "\nLABEL=EFIBOOT\nUUID=1234-5678\n") {
		t.Errorf("blkid says\n%s", got)
	}
	for _, name := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg"} {
		if got := judge.Run(t, "mtools", "mtype", "-i", path, "::"+name); got != string(find(files, name).Data) {
			t.Errorf("%s differs from that of the medium", name)
		}
	}
	if loader := find(files, "EFI/BOOT/BOOTX64.EFI"); !bytes.HasPrefix(loader.Data, []byte("MZ")) {
		t.Error("the loader is no PE program")
	}
	if _, again := l.complete(s); !reflect.DeepEqual(files, again) {
		t.Error("the same tree has other bytes the second time")
	}
}

func TestESPSize(t *testing.T) {
	for _, test := range []struct{ contents, want int64 }{
		{1, 2}, {1 << 20, 2}, {2 << 20, 3}, {1<<20 + 1, 3}, {10 << 20, 12}, {20 << 20, 23},
	} {
		if got := espSize(test.contents); got != test.want<<20 {
			t.Errorf("espSize(%d) = %d, want %d MiB", test.contents, got, test.want)
		}
	}
}
