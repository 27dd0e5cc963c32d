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
	"github.com/livebuild/livebuild/internal/nix"
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
	both := []string{"boot/nix/store/0-linux/bzImage", "boot/nix/store/0-initrd/initrd", "version.txt", "boot/memtest.bin"}
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
		tree, err := NewTree(s)
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
		{"EFI/boot/grub.cfg", "is taken"},
		{"/isolinux/isolinux.cfg", "is taken"},
		{"Nix-Store.squashfs", "is the store image"},
		{"/docs/../version.txt", `has ".." in it`},
	} {
		s := installer(t)
		s.Contents = []nixos.Content{{Source: "/nix/store/docs", Target: test.target}}
		var refused *TargetError
		if _, err := NewTree(s); !errors.As(err, &refused) || refused.Reason != test.reason || refused.Target != test.target {
			t.Errorf("NewTree with target %q = %v, want a *TargetError: %s", test.target, err, test.reason)
		}
	}
}

func complete(t *testing.T, s *nixos.System) (*Tree, []File) {
	t.Helper()
	tree, err := NewTree(s)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.Complete(context.Background(), nix.Store{})
	if err != nil {
		t.Fatal(err)
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
	s := installer(t)
	docs := filepath.Join(t.TempDir(), "docs")
	for _, dir := range []string{"empty", "real"} {
		if err := os.MkdirAll(filepath.Join(docs, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(docs, "real/run"), []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "real", "file": "real/run"} {
		if err := os.Symlink(target, filepath.Join(docs, link)); err != nil {
			t.Fatal(err)
		}
	}
	s.Contents = []nixos.Content{{Source: docs, Target: "docs"}, {Source: filepath.Join(docs, "link"), Target: "isolinux/extra"}}
	tree, files := complete(t, s)

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
			if info, err := os.Lstat(got.Source); err != nil || info.Mode()&os.ModeSymlink != 0 {
				t.Errorf("source %s of %s is no real file: %v", got.Source, got.Path, err)
			}
		}
	}
	for _, path := range []string{tree.BIOSImage, tree.EFIImage} {
		if find(files, path) == nil {
			t.Errorf("boot image %q is missing", path)
		}
	}
	if _, err := os.Stat(tree.MBRCode); err != nil {
		t.Error(err)
	}
}

// TestMenuPathsExist looks up every path that a menu names.
func TestMenuPathsExist(t *testing.T) {
	s := installer(t)
	specialise(t, s, "quiet")
	_, files := complete(t, s)
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
	s := installer(t)
	_, files := complete(t, s)
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
	if _, again := complete(t, s); !reflect.DeepEqual(files, again) {
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

func TestFaultyPackages(t *testing.T) {
	broken := func(t *testing.T, s *nixos.System) {
		fake := filepath.Join(t.TempDir(), "bin/grub-mkimage")
		if err := os.MkdirAll(filepath.Dir(fake), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fake, []byte("#!/bin/sh\necho no memory >&2\nexit 3\n"), 0o777); err != nil {
			t.Fatal(err)
		}
		s.GRUB.Builder = filepath.Dir(filepath.Dir(fake))
	}
	for _, test := range []struct {
		name    string
		change  func(*testing.T, *nixos.System)
		missing string
		tool    string
	}{
		{"no grub-mkimage", func(t *testing.T, s *nixos.System) { s.GRUB.Builder = "/nonexistent" }, "/nonexistent/bin/grub-mkimage", ""},
		{"no modules", func(t *testing.T, s *nixos.System) { s.GRUB.Target = "arm64-efi" }, "lib/grub/arm64-efi/fat.mod", ""},
		{"no kernel", func(t *testing.T, s *nixos.System) { s.Configurations[0].Kernel = "/nonexistent/bzImage" }, "/nonexistent/bzImage", ""},
		{"no rEFInd", func(t *testing.T, s *nixos.System) { s.Refind = "/nonexistent/refind_x64.efi" }, "/nonexistent/refind_x64.efi", ""},
		{"no menu program", func(t *testing.T, s *nixos.System) {
			if err := os.Remove(filepath.Join(s.Syslinux, "share/syslinux/vesamenu.c32")); err != nil {
				t.Fatal(err)
			}
		}, "vesamenu.c32", ""},
		{"failing grub-mkimage", broken, "", "no memory"},
	} {
		s := installer(t)
		test.change(t, s)
		tree, err := NewTree(s)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tree.Complete(context.Background(), nix.Store{})
		var missing *MissingFileError
		var tool *ToolError
		switch {
		case test.missing != "" && (!errors.As(err, &missing) || !strings.HasSuffix(missing.Path, test.missing)):
			t.Errorf("%s: Complete = %v, want a *MissingFileError of %s", test.name, err, test.missing)
		case test.tool != "" && (!errors.As(err, &tool) || tool.Stderr != test.tool):
			t.Errorf("%s: Complete = %v, want a *ToolError with %q", test.name, err, test.tool)
		}
	}
}

func TestFaultyContents(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"dangling": "nothing", "fifo": ""} {
		path := filepath.Join(dir, "bad", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if target != "" {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	clash := filepath.Join(dir, "clash")
	if err := os.MkdirAll(clash, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(clash, "isolinux.cfg"), []byte("DEFAULT mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		content []nixos.Content
		want    string
	}{
		{"dangling link", []nixos.Content{{Source: dir + "/bad/dangling", Target: "a"}}, "does not exist"},
		{"file instead of a directory", []nixos.Content{{Source: clash + "/isolinux.cfg", Target: "isolinux"}}, "isolinux on the medium is both"},
		{"second isolinux.cfg", []nixos.Content{{Source: clash, Target: "isolinux"}}, "isolinux/isolinux.cfg on the medium is both"},
		{"device", []nixos.Content{{Source: "/dev/null", Target: "a"}}, "neither a file nor a directory"},
		{"two files", []nixos.Content{{Source: clash, Target: "a"}, {Source: clash, Target: "a"}},
			"a/isolinux.cfg on the medium is both " + clash + "/isolinux.cfg and " + clash + "/isolinux.cfg"},
		{"file below a file", []nixos.Content{{Source: clash, Target: "version.txt/sub"}}, "version.txt on the medium is both livebuild's own file"},
		{"file as the root", []nixos.Content{{Source: clash + "/isolinux.cfg", Target: "/"}}, "is not for files"},
	} {
		s := installer(t)
		s.Contents = test.content
		tree, err := NewTree(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Complete(context.Background(), nix.Store{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Complete = %v, want an error with %q", test.name, err, test.want)
		}
	}
}

// TestLinksOfContents checks which links stay what they are: the medium has
// neither the store nor a way to write a directory that has no end.
func TestLinksOfContents(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"inside": "file", "sub/outside": filepath.Join(dir, "file"), "dangling": "/run/absent", "loop": "loop",
		"self": ".", "sub/up": "..", "below": "file/absent",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := installer(t)
	s.Contents = []nixos.Content{{Source: dir, Target: "a"}}
	_, files := complete(t, s)
	for name, link := range map[string]string{
		"file": "", "inside": "", "sub/outside": "", "dangling": "/run/absent", "loop": "loop", "self": ".", "sub/up": "..", "below": "file/absent",
	} {
		f := find(files, "a/"+name)
		switch {
		case f == nil:
			t.Errorf("the medium has no a/%s", name)
		case f.Link != link:
			t.Errorf("a/%s is a link to %q, want %q", name, f.Link, link)
		case link == "" && f.Size != int64(len("content")):
			t.Errorf("a/%s has %d bytes", name, f.Size)
		}
	}
}
