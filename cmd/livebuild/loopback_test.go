package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	need "github.com/livebuild/livebuild/internal/judge"
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

// bootDisk starts a disk by UEFI, until the system has come up or has not, which is wanted, and expects texts on
// its console.
//
// Systemd gives a device up that does not appear within 90 seconds. A guest whose processor is emulated on a busy host may
// not have looked by then: what is not as wanted is tried again, by a clock that the speed of the host does nothing
// to, and that counts, as with 'livebuild test'.
func bootDisk(t testing.TB, disk string, up bool, wanted []string, extra ...string) {
	t.Helper()
	need.QEMU(t)
	machine, err := qemu.Machine{Arch: qemu.X86_64, Firmware: qemu.UEFI, Image: disk, Medium: qemu.USB, Extra: extra}.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	boot := func() (console string, asWanted bool) {
		var log bytes.Buffer
		v, err := qemu.Run(t.Context(), machine, qemu.Watch{Expect: regexp.MustCompile(`Reached target (multi-user\.target|Multi-User System)`), Limit: 20 * time.Minute, Copy: &log})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", v)
		return log.String(), v.OK() == up && !slices.ContainsFunc(wanted, func(text string) bool { return !strings.Contains(log.String(), text) })
	}
	console, asWanted := boot()
	if !asWanted && machine.Accel == qemu.TCG && !t.Failed() {
		machine.Even = true
		console, asWanted = boot()
	}
	if !asWanted {
		t.Errorf("wanted is a system that comes up (%t)", up)
	}
	expectLines(t, console, wanted...)
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

// TestLoopbackBoot starts an image that is a file, with systemd in its stage 1. By -checks it does so in more
// ways, and as a disc and a stick, too.
func TestLoopbackBoot(t *testing.T) {
	image := systemdISO(t)
	// asFile is what a system said that is started from a file by 'livebuild test', up to its last target.
	asFile := func(t *testing.T, image, mode string) string {
		t.Helper()
		logs := t.TempDir()
		testImage(t, 0, image, "--modes", mode, "--expect", "Reached target.*[Mm]ulti-[Uu]ser", "--logs", logs)
		files, err := filepath.Glob(filepath.Join(logs, "*."+mode+".log"))
		if err != nil || len(files) != 1 {
			t.Fatalf("logs are %q, %v", files, err)
		}
		return string(readFile(t, files[0]))
	}
	t.Run("exfat", func(t *testing.T) {
		t.Parallel()
		stamped := copyOf(t, image)
		stampOf(t, stamped, "--hostname", "lab-9", "--ssh-key", stampKey)
		expectLines(t, asFile(t, stamped, "loopback-exfat"),
			"livebuild: the medium is /images/live.iso on /dev/sda1 (exfat), by findiso=", "JUDGE-ISO /dev/loop0 iso9660", "/dev/loop0 1 ", "/images/live.iso;",
			"JUDGE-HOSTNAME lab-9", "JUDGE-FILE 600 /root/.ssh/authorized_keys", "JUDGE-FILE 644 /etc/ssh/authorized_keys.d/root", "JUDGE-FILE 600 /run/livebuild/stamp/apply", "JUDGE-FAILED nothing")
	})
	t.Run("vfat by BIOS", func(t *testing.T) {
		t.Parallel()
		need.File(t, "grub-pc-bin", "/usr/lib/grub/i386-pc/boot.img")
		expectLines(t, asFile(t, image, "loopback-bios"), "livebuild: the medium is /images/live.iso on /dev/sda1 (vfat), by findiso=", "JUDGE-ISO /dev/loop0 iso9660")
	})
	t.Run("ext4 by Ventoy", func(t *testing.T) {
		t.Parallel()
		c := carrier{"ext4", "live.iso", asVentoy}
		disk := c.disk(t, image)
		bootDisk(t, disk, true, []string{"livebuild: the medium is /live.iso on /dev/sda1 (ext4), by Ventoy's ACPI table", "JUDGE-ISO /dev/loop0 iso9660", "JUDGE-HOSTNAME localhost"},
			"-acpitable", "sig=VTOY,data="+ventoyTable(t, disk, "/"+c.file))
	})
	if !*allChecks {
		return
	}
	t.Run("vfat", func(t *testing.T) {
		t.Parallel()
		expectLines(t, asFile(t, image, "loopback"), "livebuild: the medium is /images/live.iso on /dev/sda1 (vfat), by findiso=", "JUDGE-ISO /dev/loop0 iso9660")
	})
	t.Run("ext4", func(t *testing.T) {
		t.Parallel()
		expectLines(t, asFile(t, image, "loopback-ext4"), "livebuild: the medium is /images/live.iso on /dev/sda1 (ext4), by findiso=", "JUDGE-ISO /dev/loop0 iso9660")
	})
	t.Run("another path", func(t *testing.T) {
		t.Parallel()
		c := carrier{"vfat", "live.iso", strings.ReplaceAll(byLoopback("live.iso"), "iso_path=/live.iso", "iso_path=/other.iso")}
		bootDisk(t, c.disk(t, image), false, []string{"livebuild: no image /other.iso (by findiso=) with the volume ", "sda1 (vfat, no such file)", "sda2 (vfat, no such file)"})
	})
	t.Run("with a stick", func(t *testing.T) {
		t.Parallel()
		c := carrier{"vfat", "live.iso", byLoopback("live.iso")}
		bootDisk(t, c.disk(t, image), false, []string{" is in /live.iso on /dev/sd", "take one of them away, and start again"},
			"-drive", "if=none,id=other,format=raw,readonly=on,file="+image, "-device", "usb-storage,drive=other,bootindex=9")
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

// TestLoopbackMode has test and run refuse what is no image in a file, or cannot be started so here. That they start
// one, TestLoopbackBoot says.
func TestLoopbackMode(t *testing.T) {
	t.Parallel()
	image := miniISO(t).File
	empty := t.TempDir() // but for QEMU
	if err := os.Symlink(need.Path(t, "qemu-system-x86", "qemu-system-x86_64"), filepath.Join(empty, "qemu-system-x86_64")); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []struct {
		path   string // PATH
		args   []string
		status int
		text   string
	}{
		{"", []string{"test", image, "--modes", "loopback", "--secure-boot"}, 2, "the GRUB that starts the file is signed by nobody"},
		{"", []string{"test", image, "--modes", "loopback-exfat,loopback-bios", "--secure-boot"}, 2, "--modes loopback-exfat: the GRUB"},
		{"", []string{"run", image, "--as-file", "--usb"}, 2, "--usb does not go with it"},
		{"", []string{"run", image, "--as-file", "--secure-boot"}, 2, "signed by nobody"},
		{"", []string{"run", image, "--as-file", "--print"}, 2, "only while this runs"},
		{"", []string{"test", grubless(t, image), "--modes", "loopback"}, 1, "the image has no menu for starting it from a file, /boot/grub/loopback.cfg"},
		{"", []string{"run", grubless(t, image), "--as-file", "--bios"}, 1, "the image has no menu for starting it from a file"},
		{empty, []string{"test", image, "--modes", "loopback"}, 1, "has no GRUB for x86_64-efi: there is no grub-mkimage and no grub2-mkimage"},
		{empty, []string{"run", image, "--as-file", "--bios"}, 1, "has no GRUB for i386-pc: there is no grub-mkimage and no grub2-mkimage"},
	} {
		c := call{}
		if refused.path != "" {
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
