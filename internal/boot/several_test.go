package boot

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
)

// two are two systems of a lab, of which the second has a specialisation.
func (l *lab) two() []*nixos.System {
	l.Helper()
	first, second := l.installer(), l.installer()
	second.Name, second.Label = "rescue", "24.05.rescue"
	second.Configurations[0].Toplevel.Out = "/nix/store/1-rescue"
	specialise(l.T, second, "quiet")
	return []*nixos.System{first, second}
}

func (l *lab) tree(chosen int, systems ...*nixos.System) (*Tree, map[string]string) {
	l.Helper()
	tree, err := NewTree(chosen, systems...)
	if err != nil {
		l.Fatal(err)
	}
	texts, err := tree.Texts()
	if err != nil {
		l.Fatal(err)
	}
	all := map[string]string{}
	for name, text := range texts {
		all[name] = string(text)
	}
	return tree, all
}

// inOrder fails unless a text has parts one behind the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		i := strings.Index(rest, part)
		if i < 0 {
			t.Fatalf("%q is not there, or not behind those before it:\n%s", part, text)
		}
		rest = rest[i+len(part):]
	}
}

// TestSubmenus has a submenu for each system, of which one starts by itself.
func TestSubmenus(t *testing.T) {
	l := newLab(t)
	tree, texts := l.tree(1, l.two()...)
	if len(tree.Menus) != 1 || !tree.Menus[0].BIOS || tree.Menus[0].EFIArch != "x64" {
		t.Fatalf("the menus are %+v", tree.Menus)
	}
	grub := texts[grubConfig]
	checkScript(t, grub)
	inOrder(t, grub, `set default="1>0"`, "submenu 'iso: NixOS 24.05 Installer'", "submenu Options", "submenu 'rescue: ", "/nix/store/1-rescue/init", "submenu Options")
	inOrder(t, texts[isolinuxConfig], "ONTIMEOUT boot-rescue\n", "MENU BEGIN iso: NixOS", "LABEL boot-iso\n", "LABEL boot-iso-copytoram\n", "MENU END",
		"MENU BEGIN rescue: ", "MENU DEFAULT\n", "LABEL boot-rescue\n", "LABEL boot-rescue-quiet\n", "MENU BEGIN Options", "MENU END")
	if strings.Contains(texts[isolinuxConfig], "\nDEFAULT ") {
		t.Error("isolinux would open the submenu of the default")
	}
	var kernels int
	for _, g := range tree.Grafts {
		if g.What == "the kernel" {
			kernels++
		}
	}
	if kernels != 1 {
		t.Errorf("the kernel of both is there %d times", kernels)
	}
	if s, _ := l.tree(0, l.two()[0]); s.Menus[0].Systems[0].Entries[0].Label != "boot" {
		t.Error("the only system is told from others")
	}
}

// TestPlatforms gives machines of each kind a menu of their own.
func TestPlatforms(t *testing.T) {
	l := newLab(t)
	pc, arm := l.installer(), l.installer()
	arm.Name, arm.Platform, arm.EFIArch, arm.IsX86, arm.MakeBIOSBootable = "arm", "aarch64-linux", "aa64", false, false
	arm.GRUB = &nixos.GRUB{Package: "/nix/store/grub", Target: "arm64-efi", Core: l.put("grub-arm64-efi.efi", "MZ, for ARM")}
	arm.Refind, arm.Memtest = l.put("refind/refind_aa64.efi", "refind for ARM"), nil
	arm.Configurations[0].Toplevel.Out = "/nix/store/2-arm"
	arm.Configurations[0].Kernel = l.put("linux-arm/Image", "kernel for ARM")
	tree, texts := l.tree(0, pc, arm)
	if len(tree.Menus) != 2 || !tree.Menus[0].BIOS || tree.Menus[1].BIOS || tree.Menus[1].EFIArch != "aa64" {
		t.Fatalf("the menus are %+v", tree.Menus)
	}
	for name, want := range map[string]string{
		isolinuxConfig: "linux/bzImage", "EFI/BOOT/grub-x86_64.cfg": "linux/bzImage", "EFI/BOOT/grub-arm64.cfg": "linux-arm/Image",
		grubConfig: `source "/EFI/BOOT/grub-${grub_cpu}.cfg"`, "EFI/BOOT/grub-i386.cfg": "source /EFI/BOOT/grub-x86_64.cfg",
	} {
		if !strings.Contains(texts[name], want) {
			t.Errorf("%s lacks %s:\n%s", name, want, texts[name])
		}
		if other := "linux-arm/Image"; want != other && strings.Contains(texts[name], other) {
			t.Errorf("%s has the kernel of other machines", name)
		}
		if name != isolinuxConfig {
			checkScript(t, texts[name])
		}
	}
	files, err := tree.Complete(t.Context(), l.files(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI", "EFI/BOOT/refind_x64.efi", "EFI/BOOT/refind_aa64.efi"} {
		if !slices.ContainsFunc(files, func(f File) bool { return f.Path == want && f.Size > 0 }) {
			t.Errorf("the medium lacks %s", want)
		}
	}
}

// TestSharedContents merges what users of two systems put onto their medium.
func TestSharedContents(t *testing.T) {
	for name, test := range map[string]struct {
		sources [2]string
		refused bool
	}{
		"one file":      {[2]string{"book/text", "book/text"}, false},
		"equal files":   {[2]string{"book/text", "copy/text"}, false},
		"other files":   {[2]string{"book/text", "other/text"}, true},
		"equal folders": {[2]string{"book", "copy"}, false},
		"other folders": {[2]string{"book", "other"}, true},
	} {
		l := newLab(t)
		l.put("book/text", "to read")
		l.put("copy/text", "to read")
		l.put("other/text", "to hear")
		systems := l.two()
		for i, s := range systems {
			s.Contents = []nixos.Content{{Source: "/nix/store/" + test.sources[i], Target: "/book"}}
		}
		tree, _ := l.tree(0, systems...)
		_, err := tree.Complete(t.Context(), l.files(), Options{})
		refused, ok := errors.AsType[*CollisionError](err)
		switch {
		case ok != test.refused || err != nil && !ok:
			t.Errorf("%s: %v", name, err)
		case ok && (refused.Systems != [2]string{"iso", "rescue"} || !strings.Contains(err.Error(), "of iso and ")):
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two entries of one system for one place stay a mistake.
	l := newLab(t)
	l.put("book/text", "to read")
	systems := l.two()
	entry := nixos.Content{Source: "/nix/store/book/text", Target: "/book"}
	systems[0].Contents = []nixos.Content{entry, entry}
	tree, _ := l.tree(0, systems...)
	if _, err := tree.Complete(t.Context(), l.files(), Options{}); err == nil {
		t.Error("one system has a target twice")
	}
}
