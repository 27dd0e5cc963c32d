package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// carrier is a disk with an image as a file, and with Debian's GRUB, which has a menu of its own
// and starts the image from there.
type carrier struct {
	fileSystem string // as mkfs has it
	file       string // name of the image on it
	command    string // of GRUB, behind the lines that find the image and open it
}

// disk makes the disk: the file system is the first partition.
func (c carrier) disk(t testing.TB, image string) string {
	t.Helper()
	folder := t.TempDir()
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	size := (info.Size()/mib + 64) * mib
	var part string
	switch c.fileSystem {
	case "exfat":
		part = testdisk.ExFAT(t, size, c.file, readFile(t, image))
	case "vfat":
		part = testdisk.Sparse(t, size)
		judge(t, "dosfstools", "mkfs.vfat", "-F", "32", part)
		judge(t, "mtools", "mcopy", "-i", part, image, "::"+c.file)
	default:
		part = testdisk.Sparse(t, size)
		if err := os.Mkdir(filepath.Join(folder, "root"), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, "root", c.file), readFile(t, image))
		judge(t, "e2fsprogs", "mkfs.ext4", "-q", "-d", filepath.Join(folder, "root"), part)
	}
	esp, menu, grub := testdisk.Sparse(t, 16*mib), filepath.Join(folder, "grub.cfg"), filepath.Join(folder, "BOOTX64.EFI")
	writeFile(t, menu, []byte("set timeout=1\nmenuentry 'a file' {\n  search --no-floppy --set=disk --file /"+c.file+
		"\n  loopback loop ($disk)/"+c.file+"\n"+c.command+"}\n"))
	judge(t, "grub-common", "grub-mkstandalone", "--format=x86_64-efi", "--output="+grub, "--locales=", "--fonts=", "--themes=",
		"--modules=part_msdos fat exfat ext2 iso9660 loopback configfile search normal linux test echo", "boot/grub/grub.cfg="+menu)
	judge(t, "dosfstools", "mkfs.vfat", esp)
	judge(t, "mtools", "mmd", "-i", esp, "::EFI", "::EFI/BOOT")
	judge(t, "mtools", "mcopy", "-i", esp, grub, "::EFI/BOOT/BOOTX64.EFI")

	disk := testdisk.Sparse(t, size+18*mib)
	cmd := "printf '2048,%d,7\n%d,32768,ef,*\n' $(($3 / 512)) $(($3 / 512 + 2048)) | sfdisk -q \"$1\"; " +
		"dd if=\"$2\" of=\"$1\" bs=1M seek=1 conv=notrunc,sparse status=none; dd if=\"$4\" of=\"$1\" bs=1M seek=$(($3 / 1048576 + 1)) conv=notrunc status=none"
	judge(t, "fdisk", "sh", "-euc", cmd, "sh", disk, part, strconv.FormatInt(size, 10), esp)
	return disk
}

// byLoopback is how a menu starts an image by the menu that the image has for it.
func byLoopback(file string) string {
	return "  set iso_path=/" + file + "\n  export iso_path\n  set root=(loop)\n  configfile /boot/grub/loopback.cfg\n"
}

// asVentoy is how Ventoy starts an image: by its own menu, which knows of no file.
const asVentoy = "  set root=(loop)\n  configfile /EFI/BOOT/grub.cfg\n"

// bootDisk starts a disk by UEFI until the system has come up, or has not, and returns what it said.
func bootDisk(t testing.TB, disk string, extra ...string) (console string, up bool) {
	t.Helper()
	need.QEMU(t)
	machine, err := qemu.Machine{Arch: qemu.X86_64, Firmware: qemu.UEFI, Image: disk, Medium: qemu.USB, Extra: extra}.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	watch := qemu.Watch{Expect: regexp.MustCompile(`Reached target (multi-user\.target|Multi-User System)`), Limit: 20 * time.Minute, Copy: &log}
	v, err := qemu.Run(t.Context(), machine, watch)
	if err == nil && v.Outcome == qemu.KernelPanic && machine.Accel == qemu.TCG { // over its timer, on a busy host
		machine.Even = true
		log.Reset()
		v, err = qemu.Run(t.Context(), machine, watch)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", v)
	return log.String(), v.OK()
}

// ventoyTable is what Ventoy tells of a file on the first partition of a disk, which is made one of its
// own (ventoy.net/en/doc_compatible_format.html).
func ventoyTable(t testing.TB, disk, path string) string {
	t.Helper()
	const id, signature = "livebuild's disk", "vtoy"
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for offset, text := range map[int64]string{0x180: id, 0x1b8: signature} {
		if _, err := f.WriteAt([]byte(text), offset); err != nil {
			t.Fatal(err)
		}
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	copy(b, "  www.ventoy.net")
	copy(b[17:], id)
	binary.LittleEndian.PutUint64(b[33:], uint64(info.Size()))
	binary.LittleEndian.PutUint16(b[41:], 1)
	copy(b[45:], path)
	copy(b[481:], signature)
	var sum byte
	for _, c := range b {
		sum += c
	}
	b[16] = -sum
	table := filepath.Join(t.TempDir(), "vtoy")
	writeFile(t, table, b)
	return table
}

// TestLoopbackBoot starts an image that is a file, with systemd in its stage 1. By -checks it does so from more file
// systems, and as a disc and a stick, too.
func TestLoopbackBoot(t *testing.T) {
	image := systemdISO(t)
	t.Run("exfat", func(t *testing.T) {
		t.Parallel()
		c := carrier{"exfat", "LIVE.ISO", byLoopback("LIVE.ISO")}
		stamped := copyOf(t, image)
		stampOf(t, stamped, "--hostname", "lab-9", "--ssh-key", stampKey)
		console, up := bootDisk(t, c.disk(t, stamped))
		if !up {
			t.Error("it does not come up")
		}
		expectLines(t, console, "livebuild: the medium is /LIVE.ISO on /dev/sda1 (exfat), by findiso=", "JUDGE-ISO /dev/loop0 iso9660", "/dev/loop0 1 ", "/LIVE.ISO;",
			"JUDGE-HOSTNAME lab-9", "JUDGE-FILE 600 /root/.ssh/authorized_keys", "JUDGE-FILE 644 /etc/ssh/authorized_keys.d/root", "JUDGE-FILE 600 /run/livebuild/stamp/apply", "JUDGE-FAILED nothing")
	})
	t.Run("ext4 by Ventoy", func(t *testing.T) {
		t.Parallel()
		c := carrier{"ext4", "live.iso", asVentoy}
		disk := c.disk(t, image)
		console, up := bootDisk(t, disk, "-acpitable", "sig=VTOY,data="+ventoyTable(t, disk, "/"+c.file))
		if !up {
			t.Error("it does not come up")
		}
		expectLines(t, console, "livebuild: the medium is /live.iso on /dev/sda1 (ext4), by Ventoy's ACPI table", "JUDGE-ISO /dev/loop0 iso9660", "JUDGE-HOSTNAME localhost")
	})
	if !*allChecks {
		return
	}
	t.Run("vfat", func(t *testing.T) {
		t.Parallel()
		logs := t.TempDir()
		testImage(t, 0, image, "--modes", "loopback", "--expect", "Reached target.*[Mm]ulti-[Uu]ser", "--logs", logs)
		files, err := filepath.Glob(filepath.Join(logs, "*.loopback.log"))
		if err != nil || len(files) != 1 {
			t.Fatalf("logs are %q, %v", files, err)
		}
		expectLines(t, string(readFile(t, files[0])), "livebuild: the medium is /images/live.iso on /dev/sda1 (vfat), by findiso=", "JUDGE-ISO /dev/loop0 iso9660")
	})
	t.Run("another path", func(t *testing.T) {
		t.Parallel()
		c := carrier{"vfat", "live.iso", strings.ReplaceAll(byLoopback("live.iso"), "iso_path=/live.iso", "iso_path=/other.iso")}
		console, up := bootDisk(t, c.disk(t, image))
		if up {
			t.Error("it comes up")
		}
		expectLines(t, console, "livebuild: no image /other.iso (by findiso=) with the volume ", "sda1 (vfat, no such file)", "sda2 (vfat, no such file)")
	})
	t.Run("with a stick", func(t *testing.T) {
		t.Parallel()
		c := carrier{"vfat", "live.iso", byLoopback("live.iso")}
		console, up := bootDisk(t, c.disk(t, image), "-drive", "if=none,id=other,format=raw,readonly=on,file="+image, "-device", "usb-storage,drive=other,bootindex=9")
		if up {
			t.Error("it comes up")
		}
		expectLines(t, console, " is in /live.iso on /dev/sd", "take one of them away, and start again")
	})
	t.Run("disc and stick", func(t *testing.T) {
		t.Parallel()
		logs := t.TempDir()
		testImage(t, 0, image, "--expect", "Reached target.*[Mm]ulti-[Uu]ser", "--logs", logs)
		files, err := filepath.Glob(filepath.Join(logs, "*.log"))
		if err != nil || len(files) != 4 {
			t.Fatalf("logs are %q, %v", files, err)
		}
		for _, file := range files {
			expectLines(t, string(readFile(t, file)), "JUDGE-ISO /dev/s")
		}
	})
}

// TestLoopbackMode has test lay out a disk with an image as a file, which this machine's GRUB starts. The mini
// system's own stage 1 finds no files, but says that it was told of one.
func TestLoopbackMode(t *testing.T) {
	t.Parallel()
	image := miniISO(t).File
	b, _ := testImage(t, 0, image, "--modes", "loopback", "--expect", `^MINI-CMDLINE .* findiso=/images/live\.iso `, "--logs", t.TempDir())
	if len(b.Boots) != 1 || b.Boots[0].Mode != string(medium.Loopback) {
		t.Errorf("%+v", b.Boots)
	}
	empty := t.TempDir()
	for _, refused := range []struct {
		path   string // PATH
		args   []string
		status int
		text   string
	}{
		{"", []string{"test", image, "--modes", "loopback", "--secure-boot"}, 2, "the GRUB that starts the file is signed by nobody"},
		{"", []string{"run", image, "--as-file", "--bios"}, 2, "--bios and --usb do not go with it"},
		{"", []string{"run", image, "--as-file", "--secure-boot"}, 2, "signed by nobody"},
		{"", []string{"run", image, "--as-file", "--print"}, 2, "only while this runs"},
		{"", []string{"test", grubless(t, image), "--modes", "loopback"}, 1, "the image has no menu for starting it from a file, /boot/grub/loopback.cfg"},
		{empty, []string{"test", image, "--modes", "loopback"}, 1, "has no GRUB for x86_64-efi: there is no grub-mkimage and no grub2-mkimage"},
	} {
		c := call{}
		if refused.path != "" {
			if err := os.Symlink(need.Path(t, "qemu-system-x86", "qemu-system-x86_64"), filepath.Join(refused.path, "qemu-system-x86_64")); err != nil {
				t.Fatal(err)
			}
			c.env = []string{"PATH=" + refused.path}
		}
		o := c.livebuild(t, refused.args...)
		checkRefusal(t, o, refused.status, refused.text)
	}
}

// grubless is an image without the menu for files.
func grubless(t testing.TB, image string) string {
	t.Helper()
	data := bytes.ReplaceAll(readFile(t, image), []byte("LOOPBACK.CFG;1"), []byte("LOOPBECK.CFG;1"))
	data = bytes.ReplaceAll(data, []byte("loopback.cfg"), []byte("loopbeck.cfg"))
	copied := filepath.Join(t.TempDir(), "image.iso")
	writeFile(t, copied, data)
	return copied
}

// TestLoopbackFiles looks at what promises that an image starts from a file.
func TestLoopbackFiles(t *testing.T) {
	t.Parallel()
	image := systemdISO(t)
	if o := livebuild(t, "inspect", image); !strings.Contains(o.stdout, "by another GRUB (loopback.cfg), by Ventoy, as it is\n") {
		t.Errorf("inspect: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	for _, name := range []string{"/ventoy.dat", "esp:/ventoy.dat"} {
		if o := livebuild(t, "cat", image, name); o.status != 0 || !strings.Contains(o.stdout, "Ventoy") {
			t.Errorf("%s: status %d\n%s%s", name, o.status, o.stdout, o.stderr)
		}
	}
	module := systemdModule(t, "")
	with, without := plan(t, plainHost(t), "--module", module), plan(t, plainHost(t), "--module", module, "--loopback=false")
	if with.Entries[0].Initrd == without.Entries[0].Initrd { // the judge's toplevel does not name its own
		t.Error("--loopback=false changes nothing")
	}
	// One that is scripted stays as it is.
	if with, without := plan(t, plainHost(t)), plan(t, plainHost(t), "--loopback=false"); with.Toplevel != without.Toplevel {
		t.Error("a scripted stage 1 is changed")
	}
}
