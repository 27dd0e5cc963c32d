package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/storefs"
)

// failure is the error of a tree that cannot be completed.
func (l *lab) failure(s *nixos.System) error {
	l.Helper()
	tree, err := NewTree(0, s)
	if err == nil {
		_, err = tree.Complete(context.Background(), l.files(), Options{})
	}
	return err
}

func TestFaultyPackages(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*lab, *nixos.System)
		want   string
	}{
		{"no GRUB", func(_ *lab, s *nixos.System) { s.GRUB.Core = "/nix/store/grub/none" }, "GRUB's program /nix/store/grub/none does not exist"},
		{"no kernel", func(_ *lab, s *nixos.System) { s.Configurations[0].Kernel = "/nix/store/linux/absent" },
			"the kernel /nix/store/linux/absent does not exist"},
		{"no rEFInd", func(_ *lab, s *nixos.System) { s.Refind = "/nix/store/refind/absent.efi" },
			"the program of rEFInd /nix/store/refind/absent.efi does not exist"},
		{"no menu program", func(l *lab, s *nixos.System) {
			if err := os.Remove(l.place("syslinux/share/syslinux/vesamenu.c32")); err != nil {
				l.Fatal(err)
			}
		}, "the file of isolinux /nix/store/syslinux/share/syslinux/vesamenu.c32 does not exist"},
	} {
		l := newLab(t)
		s := l.installer()
		test.change(l, s)
		var missing *MissingFileError
		if err := l.failure(s); !errors.As(err, &missing) || err.Error() != test.want {
			t.Errorf("%s: Complete = %v, want a *MissingFileError: %s", test.name, err, test.want)
		}
	}
}

func TestFaultyContents(t *testing.T) {
	for _, test := range []struct {
		name    string
		content []nixos.Content
		want    string
	}{
		{"dangling link", []nixos.Content{{Source: "/nix/store/bad/dangling", Target: "a"}}, "does not exist"},
		{"file instead of a directory", []nixos.Content{{Source: "/nix/store/clash/isolinux.cfg", Target: "isolinux"}}, "isolinux on the medium is both"},
		{"second isolinux.cfg", []nixos.Content{{Source: "/nix/store/clash", Target: "isolinux"}}, "isolinux/isolinux.cfg on the medium is both"},
		{"pipe", []nixos.Content{{Source: "/nix/store/bad/pipe", Target: "a"}}, "neither a file nor a directory"},
		{"pipe in a directory", []nixos.Content{{Source: "/nix/store/bad", Target: "a"}}, "neither a file nor a directory"},
		{"two files", []nixos.Content{{Source: "/nix/store/clash", Target: "a"}, {Source: "/nix/store/clash", Target: "a"}},
			"a/isolinux.cfg on the medium is both /nix/store/clash/isolinux.cfg and /nix/store/clash/isolinux.cfg"},
		{"file below a file", []nixos.Content{{Source: "/nix/store/clash", Target: "version.txt/sub"}}, "version.txt on the medium is both livebuild's own file"},
		{"file as the root", []nixos.Content{{Source: "/nix/store/clash/isolinux.cfg", Target: "/"}}, "is not for files"},
	} {
		l := newLab(t)
		s := l.installer()
		l.link("bad/dangling", "nothing")
		if err := syscall.Mkfifo(l.place("bad/pipe"), 0o666); err != nil {
			t.Fatal(err)
		}
		l.put("clash/isolinux.cfg", "DEFAULT mine")
		s.Contents = test.content
		if err := l.failure(s); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Complete = %v, want an error with %q", test.name, err, test.want)
		}
	}
}

// TestTooManyFiles has forty folders of two links each to the next one.
func TestTooManyFiles(t *testing.T) {
	l := newLab(t)
	for i := range 40 {
		for _, name := range []string{"a", "b"} {
			l.link(fmt.Sprintf("tree/%d/%s", i, name), fmt.Sprintf("../%d", i+1))
		}
	}
	l.put("tree/40/file", "")
	s := l.installer()
	s.Contents = []nixos.Content{{Source: "/nix/store/tree/0", Target: "/a"}}
	var many *TooManyFilesError
	if err := l.failure(s); !errors.As(err, &many) || many.Source != "/nix/store/tree/40/file" || !strings.HasPrefix(many.Path, "a/a/a/a/") {
		t.Errorf("Complete = %v, want a *TooManyFilesError", err)
	}
}

// secret is what the machine keeps to itself: beside the store, and in a path of it
// that the image does not need.
const secret = "-----BEGIN OPENSSH PRIVATE KEY-----"

// secretive is a lab with secrets.
func secretive(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.put("other/key", secret)
	delete(l.paths, "/nix/store/other")
	if err := os.WriteFile(filepath.Join(l.root, "secret"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLinksOfContents checks which links stay what they are: the medium has neither
// the store nor a way to write a directory that has no end, nor anything that is not
// of the store.
func TestLinksOfContents(t *testing.T) {
	l := secretive(t)
	host := filepath.Join(l.root, "secret")
	l.put("docs/file", "content")
	l.put("library/file", "content")
	for name, target := range map[string]string{
		"inside": "file", "sub/absolute": "/nix/store/docs/file", "across": "/nix/store/library/file", "climb": "../library/file",
		"chain": "sub/absolute", "folder": "/nix/store/library", "through": "folder/file",
		"dangling": "/run/absent", "loop": "loop", "self": ".", "sub/up": "..", "below": "file/absent", "endless": strings.Repeat("n", 300),
		"host": host, "hostname": "/etc/hostname", "climb-out": "../../../secret", "climb-far": "../../../../../../../../../../../.." + host,
		"out-by-chain": "climb-out", "root": "/", "out-by-folder": "root/etc/passwd", "store": "/nix/store", "above": "/nix/store/../../etc/passwd",
		"other": "../other/key", "stdin": "/dev/stdin", "environment": "/proc/self/environ", "folder-out": "/etc",
	} {
		l.link("docs/"+name, target)
	}
	s := l.installer()
	s.Contents = []nixos.Content{{Source: "/nix/store/docs", Target: "a"}}
	_, files := l.complete(s)
	for name, link := range map[string]string{
		"file": "", "inside": "", "sub/absolute": "", "across": "", "climb": "", "chain": "", "folder/file": "", "through": "",
		"dangling": "/run/absent", "loop": "loop", "self": ".", "sub/up": "..", "below": "file/absent", "endless": strings.Repeat("n", 300),
		"host": host, "hostname": "/etc/hostname", "climb-out": "../../../secret", "climb-far": "../../../../../../../../../../../.." + host,
		"out-by-chain": "climb-out", "root": "/", "out-by-folder": "root/etc/passwd", "store": "/nix/store", "above": "/nix/store/../../etc/passwd",
		"other": "../other/key", "stdin": "/dev/stdin", "environment": "/proc/self/environ", "folder-out": "/etc",
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

// TestOutside names files that are not the image's to read, in every place that a file
// can be named.
func TestOutside(t *testing.T) {
	l := secretive(t)
	installer := l.installer()
	host := strings.TrimPrefix(l.root, "/")
	l.link("links/absolute", "/"+host+"/secret")
	l.link("links/climb", "../../../secret")
	l.link("links/chain", "climb")
	l.link("links/other", "../other/key")
	l.link("links/root", "/")
	for place, name := range map[string]struct {
		set  func(s *nixos.System, file string)
		what string
	}{
		"kernel":            {func(s *nixos.System, f string) { s.Configurations[0].Kernel = f }, "the kernel"},
		"initrd":            {func(s *nixos.System, f string) { s.Configurations[0].Initrd = f }, "the initrd"},
		"specialisation":    {func(s *nixos.System, f string) { specialise(t, s, "one").Initrd = f }, "the initrd"},
		"splash":            {func(s *nixos.System, f string) { s.SplashImage = f }, "the splash image"},
		"splash for EFI":    {func(s *nixos.System, f string) { s.EFISplashImage = f }, "the splash image for EFI"},
		"theme":             {func(s *nixos.System, f string) { s.GRUBTheme = f }, "the theme of GRUB"},
		"GRUB's program":    {func(s *nixos.System, f string) { s.GRUB.Core = f }, "GRUB's program"},
		"rEFInd":            {func(s *nixos.System, f string) { s.Refind = f }, "the program of rEFInd"},
		"memory test":       {func(s *nixos.System, f string) { s.Memtest.File = f }, "the memory test"},
		"device tree":       {func(s *nixos.System, f string) { s.Configurations[0].DeviceTree = f }, "the device tree"},
		"device trees":      {func(s *nixos.System, f string) { s.Configurations[0].DeviceTrees = f }, "the folder of device trees"},
		"contents":          {func(s *nixos.System, f string) { s.Contents = []nixos.Content{{Source: f, Target: "/a"}} }, "the source of /a on the medium,"},
		"contents merged":   {func(s *nixos.System, f string) { s.Contents = []nixos.Content{{Source: f, Target: "/isolinux"}} }, "the source of /isolinux on the medium,"},
		"contents over all": {func(s *nixos.System, f string) { s.Contents = []nixos.Content{{Source: f, Target: "/"}} }, "the source of / on the medium,"},
	} {
		t.Run(place, func(t *testing.T) {
			for _, file := range []string{
				"HOST/secret", "/nix/store/../../HOST/secret", "/nix/store/linux/../../../HOST/secret", "/etc/passwd", "/dev/stdin", "/dev/null",
				"/proc/self/environ", "/proc/self/fd/0", "/nix/store", "/nix/store/..", "/nix/store/other/key", "/nix/store/linux/../other/key",
				"/nix/store/links/absolute", "/nix/store/links/climb", "/nix/store/links/chain", "/nix/store/links/other", "/nix/store/links/root/etc/passwd",
				"secret", "../secret",
			} {
				s := *installer
				s.Configurations = slices.Clone(s.Configurations)
				s.GRUB, s.Memtest = ptr(*s.GRUB), ptr(*s.Memtest)
				if file = strings.Replace(file, "HOST", host, 1); strings.HasPrefix(file, host) {
					file = "/" + file
				}
				name.set(&s, file)
				var outside *storefs.OutsideError
				if err := l.failure(&s); !errors.As(err, &outside) || !strings.HasPrefix(err.Error(), name.what+" "+file) {
					t.Errorf("%s: %v, want a *storefs.OutsideError of %s", file, err, name.what)
				}
			}
		})
	}
}

// TestOutsideOfPackages has packages whose files are links that lead out.
func TestOutsideOfPackages(t *testing.T) {
	for name, want := range map[string]string{
		"syslinux/share/syslinux/isolinux.bin": "the file of isolinux",
		"syslinux/share/syslinux/vesamenu.c32": "the file of isolinux",
		"grub/share/grub/unicode.pf2":          "the font of GRUB",
		"linux/bzImage":                        "the kernel",
		"initrd/initrd":                        "the initrd",
		"refind/refind_x64.efi":                "the program of rEFInd",
		"memtest/memtest.bin":                  "the memory test",
		"bios-boot.png":                        "the splash image",
	} {
		l := secretive(t)
		s := l.installer()
		if err := os.Remove(l.place(name)); err != nil {
			t.Fatal(err)
		}
		l.link(name, filepath.Join(l.root, "secret"))
		var outside *storefs.OutsideError
		if err := l.failure(s); !errors.As(err, &outside) || !strings.HasPrefix(err.Error(), want+" ") {
			t.Errorf("%s: %v, want a *storefs.OutsideError of %s", name, err, want)
		}
	}
	// A theme is a folder: what leads out of it stays a link, and is no font.
	l := secretive(t)
	s := l.installer()
	l.link("theme/secret.pf2", filepath.Join(l.root, "secret"))
	l.link("theme/all", l.root)
	_, files := l.complete(s)
	for _, name := range []string{"secret.pf2", "all"} {
		if f := find(files, "EFI/BOOT/grub-theme/"+name); f == nil || f.Link == "" {
			t.Errorf("%s of the theme is %+v", name, f)
		}
	}
	if menu := find(files, grubConfig); strings.Contains(string(menu.Data), "secret") {
		t.Error("the menu loads a font that is no file")
	}
	// The boot code of disks is read when the medium is laid out.
	l = secretive(t)
	s = l.installer()
	if err := os.Remove(l.place("syslinux/share/syslinux/isohdpfx.bin")); err != nil {
		t.Fatal(err)
	}
	l.link("syslinux/share/syslinux/isohdpfx.bin", filepath.Join(l.root, "secret"))
	tree, _ := l.complete(s)
	var outside *storefs.OutsideError
	if _, err := tree.ReadMBRCode(l.files()); !errors.As(err, &outside) || !strings.HasPrefix(err.Error(), "the boot code for disks, ") {
		t.Errorf("boot code: %v", err)
	}
}
