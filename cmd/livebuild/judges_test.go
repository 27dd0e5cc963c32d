package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Other programs judge the image of an ordinary configuration.

// squashfsName and registrationName are names that NixOS looks for.
const (
	squashfsName     = "nix-store.squashfs"
	registrationName = "nix-path-registration"
)

// TestSquashfs lets three readers unpack the store and compares what they find
// with the store of this machine.
func TestSquashfs(t *testing.T) {
	r := miniISO(t)
	store := listPaths(t, closureOf(t, r.Toplevel))
	file := filepath.Join(extracted(t, r.File), squashfsName)
	check := func(t *testing.T, root string) {
		t.Helper()
		got := list(t, root)
		if !strings.HasPrefix(got[registrationName], "file -r--r--r--") {
			t.Errorf("%s is %q, want a file for reading", registrationName, got[registrationName])
		}
		delete(got, registrationName)
		store.compare(t, got)
	}

	t.Run("kernel", func(t *testing.T) {
		root := mount(t, "-t", "squashfs", "-o", fmt.Sprintf("ro,loop,offset=%d", offsetOf(t, r.File, squashfsName)), r.File)
		check(t, root)
		info, err := os.Stat(root)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != fs.ModeDir|0o755 {
			t.Errorf("the mode of the root is %v, want that of a folder with 0755", got)
		}
	})
	t.Run("unsquashfs", func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "root")
		judge(t, "squashfs-tools", "unsquashfs", "-quiet", "-no-progress", "-dest", root, file)
		check(t, root)
	})
	t.Run("rdsquashfs", func(t *testing.T) {
		root := t.TempDir()
		judge(t, "squashfs-tools-ng", "rdsquashfs", "--quiet", "--chmod", "--chown", "--set-times",
			"--unpack-path", "/", "--unpack-root", root, file)
		check(t, root)
	})
}

// TestRegistration compares the registration with Nix's own dump of its
// database, and loads it into an empty one.
func TestRegistration(t *testing.T) {
	r := miniISO(t)
	paths := closureOf(t, r.Toplevel)
	file := filepath.Join(extracted(t, r.File), squashfsName)
	registration := judge(t, "squashfs-tools", "unsquashfs", "-cat", file, registrationName)

	dump := strings.Split(strings.TrimSuffix(judge(t, "nix-bin", "nix-store", append([]string{"--dump-db"}, paths...)...), "\n"), "\n")
	var hashes []string
	records := map[string][]string{}
	for i := 0; i < len(dump); {
		count, err := strconv.Atoi(dump[i+4])
		if err != nil {
			t.Fatalf("nix-store --dump-db, line %d: %v", i+5, err)
		}
		record := slices.Clone(dump[i : i+5+count])
		record[3] = "" // the deriver
		slices.Sort(record[5:])
		records[record[0]] = record
		hashes = append(hashes, record[1])
		i += len(record)
	}
	nix32 := strings.Fields(judge(t, "nix-bin", "nix-hash", append([]string{"--type", "sha256", "--to-base32"}, hashes...)...))
	slices.Sort(paths)
	byHash := map[string]string{}
	for i, hash := range hashes {
		byHash[hash] = nix32[i]
	}
	var want strings.Builder
	for _, path := range paths {
		record := records[path]
		if record == nil {
			t.Fatalf("nix-store --dump-db says nothing of %s", path)
		}
		record[1] = "sha256:" + byHash[record[1]]
		want.WriteString(strings.Join(record, "\n") + "\n")
	}
	if registration != want.String() {
		t.Errorf("the registration differs from the database of Nix:\n%s\nwant:\n%s", registration, want.String())
	}

	state := t.TempDir()
	ask := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command("nix-store", args...)
		cmd.Env = append(environment(t), "NIX_STATE_DIR="+state)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("nix-store %q: %v", args, err)
		}
		return string(out)
	}
	ask(registration, "--load-db")
	ask("", append([]string{"--check-validity"}, paths...)...)
	// All references, as edges of a graph.
	graph := func(dot string) []string {
		lines := strings.Split(dot, "\n")
		slices.Sort(lines)
		return lines
	}
	loaded, own := graph(ask("", "--query", "--graph", r.Toplevel)), graph(judge(t, "nix-bin", "nix-store", "--query", "--graph", r.Toplevel))
	if !slices.Equal(loaded, own) {
		t.Errorf("after --load-db the closure is\n%s\nwant\n%s", strings.Join(loaded, "\n"), strings.Join(own, "\n"))
	}
}

// TestElTorito asks xorriso for the boot records.
func TestElTorito(t *testing.T) {
	r := miniISO(t)
	report := judge(t, "xorriso", "xorriso", "-indev", r.File, "-report_el_torito", "plain", "-report_system_area", "plain")
	for _, want := range []string{
		`El Torito catalog  : \d+  1`,
		`El Torito boot img :   1  BIOS  y   none  0x0000  0x00      4  +\d+`,
		`El Torito img path :   1  /isolinux/isolinux.bin`,
		`El Torito img opts :   1  boot-info-table isohybrid-suitable`,
		`El Torito boot img :   2  UEFI  y   none  0x0000  0x00 +\d+ +\d+`,
		`El Torito img path :   2  /boot/efi.img`,
		`System area summary: MBR isohybrid .*GPT`,
		`GPT type GUID      :   2  28732ac11ff8d211ba4b00a0c93ec93b`,
		`GPT partition path :   2  /boot/efi.img`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(report) {
			t.Errorf("xorriso does not report %q", want)
		}
	}
	if strings.Contains(report, "El Torito boot img :   3") {
		t.Error("xorriso reports a third boot image")
	}
	if t.Failed() {
		t.Log(report)
	}
}

// TestPartitions asks partitioning programs for their opinion of the image as
// a disk.
func TestPartitions(t *testing.T) {
	r := miniISO(t)
	if out := judge(t, "gdisk", "sgdisk", "--verify", r.File); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk --verify says\n%s", out)
	}
	if out := judge(t, "fdisk", "sfdisk", "--verify", r.File); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk --verify says\n%s", out)
	}
	table := judge(t, "fdisk", "fdisk", "--list", r.File)
	if !strings.Contains(table, "Disklabel type: gpt") || !strings.Contains(table, "EFI System") {
		t.Errorf("fdisk --list says\n%s", table)
	}
	// Stage 1 finds the medium by its label: the disk alone may have it.
	const partition = 64 * 512
	label := func(offset int) string {
		return strings.TrimSpace(judge(t, "util-linux", "blkid", "--probe", "--offset", strconv.Itoa(offset),
			"--match-tag", "LABEL", "--output", "value", r.File))
	}
	if got := label(0); got != r.VolumeID {
		t.Errorf("the label of the disk is %q, want %q", got, r.VolumeID)
	}
	if got := label(partition); got == "" || got == r.VolumeID {
		t.Errorf("the label of the partition is %q, want one of its own", got)
	}
}

// TestMedium lists the medium in both of its trees, and compares every file of it
// with what it was made from.
func TestMedium(t *testing.T) {
	r := miniISO(t)
	medium := extracted(t, r.File)
	var names []string
	for name, text := range list(t, medium) {
		names = append(names, "/"+name)
		mounted := map[bool]string{true: "dr-xr-xr-x", false: "-r--r--r--"}[strings.HasPrefix(text, "folder")]
		if !strings.Contains(text, mounted) {
			t.Errorf("/%s is a %s, want the mode %s", name, text, mounted)
		}
	}
	slices.Sort(names)

	for _, tree := range []string{"-R", "-J"} {
		t.Run("isoinfo"+tree, func(t *testing.T) {
			got := strings.Split(strings.TrimSpace(judge(t, "genisoimage", "isoinfo", tree, "-f", "-i", r.File)), "\n")
			for i, name := range got {
				got[i] = strings.TrimSuffix(name, ";1") // the version of a file in Joliet
			}
			slices.Sort(got)
			if !slices.Equal(got, names) {
				t.Errorf("isoinfo %s lists\n%s\nwant\n%s", tree, strings.Join(got, "\n"), strings.Join(names, "\n"))
			}
		})
	}
	t.Run("sources", func(t *testing.T) {
		made := map[string]bool{
			"/" + squashfsName: true, "/version.txt": true, "/livebuild.json": true, "/boot/efi.img": true, "/boot/grub/loopback.cfg": true,
			"/EFI/BOOT/BOOTX64.EFI": true, "/EFI/BOOT/grub.cfg": true, "/EFI/nixos-installer-image": true,
			"/isolinux/isolinux.cfg": true, "/boot/livebuild/stamp.img": true,
		}
		p := plan(t, miniFlake(t)+"#mini")
		sources := map[string]string{}
		for _, f := range p.Files {
			if f.Source != "" {
				sources[f.Target] = f.Source
			}
		}
		for _, name := range names {
			file := filepath.Join(medium, name)
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() || made[name] {
				continue
			}
			source, found := sources[name]
			if folder, ok := sources[filepath.Dir(name)]; !found && ok {
				source, found = filepath.Join(folder, filepath.Base(name)), true
			}
			if !found {
				t.Errorf("nothing says where %s comes from", name)
				continue
			}
			got, want := readFile(t, file), readFile(t, source)
			if name == "/isolinux/isolinux.bin" {
				// The boot information table is written into it (isolinux, "mkisofs -boot-info-table").
				clear(got[8:64])
				clear(want[8:64])
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from %s", name, source)
			}
		}
	})
}

// TestEFIPartition checks the FAT file system that firmware reads.
func TestEFIPartition(t *testing.T) {
	medium := extracted(t, miniISO(t).File)
	esp := filepath.Join(medium, "boot/efi.img")
	judge(t, "dosfstools", "fsck.vfat", "-v", "-n", esp)
	folder := t.TempDir()
	judge(t, "mtools", "mcopy", "-s", "-i", esp, "::", folder)
	var names []string
	for name, text := range list(t, folder) {
		if !strings.HasPrefix(text, "file") {
			continue
		}
		names = append(names, name)
		if !bytes.Equal(readFile(t, filepath.Join(folder, name)), readFile(t, filepath.Join(medium, name))) {
			t.Errorf("%s of the EFI partition differs from the medium's", name)
		}
	}
	slices.Sort(names)
	if want := []string{"EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg"}; !slices.Equal(names, want) {
		t.Errorf("the EFI partition has %q, want %q", names, want)
	}
}

// TestMenus checks that everything that the menus name exists.
func TestMenus(t *testing.T) {
	t.Parallel()
	for _, configuration := range []string{"mini", "mini-special", "mini-2405"} {
		t.Run(configuration, func(t *testing.T) {
			r := miniISO(t)
			if configuration != "mini" {
				r = iso(t, configuration, "--compression", "lz4")
			}
			medium := extracted(t, r.File)
			grub := filepath.Join(medium, "EFI/BOOT/grub.cfg")
			judge(t, "grub-common", "grub-script-check", grub)

			text := string(readFile(t, grub)) + string(readFile(t, filepath.Join(medium, "isolinux/isolinux.cfg")))
			boots := regexp.MustCompile(`(?m)^\s*(?:linux|LINUX) (\S+)|^\s*(?:initrd|INITRD) (.+)`).FindAllStringSubmatch(text, -1)
			// Two loaders, and in each the entry and eight variants of it, with two files.
			if least := 2 * 9 * 2; len(boots) < least {
				t.Errorf("the menus name %d kernels and initrds, want at least %d", len(boots), least)
			}
			for _, m := range boots {
				files := strings.FieldsFunc(m[1]+m[2], func(r rune) bool { return r == ' ' || r == ',' })
				if m[2] != "" && (len(files) != 2 || files[1] != "/boot/livebuild/stamp.img") {
					t.Errorf("an entry loads %q, want one initrd and the area for stamps", files)
				}
				for _, file := range files {
					if info, err := os.Stat(filepath.Join(medium, file)); err != nil || !info.Mode().IsRegular() {
						t.Errorf("the menus name %s, which is not on the medium", file)
					}
				}
			}
			inits := regexp.MustCompile(`\binit=(\S+)`).FindAllStringSubmatch(text, -1)
			if len(inits) != len(boots)/2 {
				t.Errorf("%d lines have an init=, want %d", len(inits), len(boots)/2)
			}
			root := mount(t, "-t", "squashfs", "-o", "ro,loop", filepath.Join(medium, squashfsName))
			for _, m := range inits {
				inside, ok := strings.CutPrefix(m[1], "/nix/store/")
				if _, err := os.Stat(filepath.Join(root, inside)); !ok || err != nil {
					t.Errorf("the menus start %s, which is not in the squashfs", m[1])
				}
			}
		})
	}
}

// extracted unpacks a medium with xorriso.
func extracted(t testing.TB, file string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "medium")
	judge(t, "xorriso", "xorriso", "-osirrox", "on", "-indev", file, "-extract", "/", folder)
	return folder
}

// offsetOf asks xorriso where a file begins, in bytes.
func offsetOf(t testing.TB, file, name string) int64 {
	t.Helper()
	const sector = 2048
	report := judge(t, "xorriso", "xorriso", "-indev", file, "-find", "/"+name, "-exec", "report_lba")
	m := regexp.MustCompile(`File data lba: +0 , +(\d+) ,`).FindStringSubmatch(report)
	if m == nil {
		t.Fatalf("xorriso does not say where %s is:\n%s", name, report)
	}
	lba, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return lba * sector
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
