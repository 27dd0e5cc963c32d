package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
)

// checkedImage makes an image with a medium check. More is a module.
func checkedImage(t testing.TB, more string, args ...string) result {
	t.Helper()
	folder := t.TempDir()
	module := filepath.Join(folder, "module.nix")
	writeFile(t, module, []byte(`{ lib, ... }: { boot.loader.timeout = lib.mkForce 1; `+more+` }`))
	file := filepath.Join(folder, "image.iso")
	o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--media-check", "--module", module, "--json", "-o", file}, fast, args)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMediaCheckList has sha512sum(1) check what is on the medium, however the image is made.
func TestMediaCheckList(t *testing.T) {
	plain := checkedImage(t, "")
	root := extracted(t, plain.File)
	list := string(readFile(t, filepath.Join(root, medium.Sums)))
	local := filepath.Join(t.TempDir(), "list")
	writeFile(t, local, []byte(strings.ReplaceAll(list, "  /", "  "+root+"/")))
	judge(t, "coreutils", "sha512sum", "--check", "--strict", "--quiet", local)
	for _, name := range []string{"bzImage\n", "/initrd\n", "/" + squashfsName + "\n"} {
		if strings.Count(list, name) != 1 {
			t.Errorf("the list does not have %q once:\n%s", name, list)
		}
	}

	again := checkedImage(t, "", "--reuse", plain.File, "--jobs", "3")
	judge(t, "diffutils", "cmp", plain.File, again.File)

	compressed := checkedImage(t, "isoImage.compressImage = true;").File
	expanded := filepath.Join(t.TempDir(), "image.iso")
	judge(t, "zstd", "zstd", "-d", "-q", compressed, "-o", expanded)
	if v := verifyOf(t, 0, expanded); slices.Contains(v.Unverified, medium.Sums) || !slices.Contains(v.Unverified, "version.txt") {
		t.Errorf("verify = %+v", v)
	}

	s := newStick(t, 256*mib)
	module := filepath.Join(t.TempDir(), "module.nix")
	writeFile(t, module, []byte(`{ lib, ... }: { boot.loader.timeout = lib.mkForce 1;  }`))
	o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--media-check", "--module", module, "--write", s.name, "--yes"}, fast)...)
	if o.status != 0 {
		t.Fatalf("iso --write: status %d\n%s", o.status, o.stderr)
	}
	s.check(t, readFile(t, plain.File))

	// Without the flag nothing of it is there.
	if p := livebuild(t, "plan", plainHost(t)); p.status != 0 || strings.Contains(p.stdout, "heck") || strings.Contains(p.stdout, "SHA512SUMS") {
		t.Errorf("plan without --media-check: status %d\n%s", p.status, p.stdout)
	}
	if p := livebuild(t, "plan", plainHost(t), "--media-check"); !strings.Contains(p.stdout, "  Check this medium, then start\n") || !strings.Contains(p.stdout, "/"+medium.Sums) {
		t.Errorf("plan --media-check:\n%s", p.stdout)
	}
}

// choosingCheck is a copy of an image whose menus start the check by themselves.
func choosingCheck(t testing.TB, file string) string {
	t.Helper()
	return changeMenus(t, file, set("DEFAULT boot\n", "DEFAULT check\n"), set("set timeout=1", "set timeout=1\nset default='Check this medium, then start'"))
}

// flipped is a copy of an image with one bit changed, in the middle of a file.
func flipped(t testing.TB, file, name string) (copied, path string) {
	t.Helper()
	data := readFile(t, file)
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := medium.ParseSums(listOf(t, m))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(sums, func(s medium.Sum) bool { return filepath.Base(s.Path) == name })
	f, err := m.Files().Find(sums[i].Path)
	if err != nil {
		t.Fatal(err)
	}
	data[f.At(f.Size/2)] ^= 0x10
	copied = filepath.Join(t.TempDir(), "flipped.iso")
	writeFile(t, copied, data)
	return copied, "/" + f.Path
}

func listOf(t testing.TB, m *medium.Medium) []byte {
	t.Helper()
	text, ok, err := m.Files().Text(medium.Sums)
	if err != nil || !ok {
		t.Fatalf("the list of sums: %t, %v", ok, err)
	}
	return []byte(text)
}

var allChecks = flag.Bool("checks", false, "boot images with a medium check, and installed systems, in every mode")

// TestMediaCheck boots the entry that checks the medium, of a good image and of damaged ones.
func TestMediaCheck(t *testing.T) {
	image := checkedImage(t, "").File
	boots := func(t *testing.T, image, modes, expect, reject string, wanted ...string) {
		logs := t.TempDir()
		b, _ := testImage(t, 0, choosingCheck(t, image), "--modes", modes, "--jobs", "1", "--expect", expect, "--reject", reject, "--logs", logs)
		for _, boot := range b.Boots {
			console := string(readFile(t, boot.Log))
			for _, want := range append(wanted, "Checking this medium, before anything is started from it.") {
				if !strings.Contains(console, want) {
					t.Errorf("%s: the console does not say %q:\n%s", boot.Mode, want, console)
				}
			}
			// By UEFI it is GRUB that checks, not stage 1 once more.
			if grub := !strings.Contains(console, "  reading /"); grub != strings.HasPrefix(boot.Mode, "uefi") {
				t.Errorf("%s: GRUB checks: %t", boot.Mode, grub)
			}
		}
	}
	const damaged = "THIS MEDIUM IS DAMAGED"
	some := func(few, all string) string {
		if *allChecks {
			return all
		}
		return few
	}
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		boots(t, image, some("bios-usb,uefi-cd", "bios-cd,bios-usb,uefi-cd,uefi-usb"), "^MINI-RESULT PASS", damaged+"|NOT checked|MINI-FAIL", "This medium is good. Starting the system.")
	})
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		bad, _ := flipped(t, image, squashfsName)
		v := verifyOf(t, 4, bad)
		if !v.has("list of sums", squashfsName) {
			t.Errorf("verify = %+v", v)
		}
		boots(t, bad, some("bios-cd", "bios-cd,bios-usb"), "Press Enter to switch", "MINI-STAGE2", damaged+": /"+squashfsName, "good: /boot/")
		boots(t, bad, some("uefi-usb", "uefi-cd,uefi-usb"), "Press Enter to go back", "MINI-STAGE1", damaged, "/"+squashfsName+": HASH MISMATCH", "/bzImage: OK")
	})
	for _, name := range []string{"bzImage", "initrd"} {
		if !*allChecks {
			break
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, path := flipped(t, image, name)
			if v := verifyOf(t, 4, bad); !v.has("list of sums", strings.TrimPrefix(path, "/")) {
				t.Errorf("verify = %+v", v)
			}
			boots(t, bad, "uefi-usb", "Press Enter to go back", "MINI-STAGE1", damaged, path+": HASH MISMATCH", squashfsName+": OK")
		})
	}
}
