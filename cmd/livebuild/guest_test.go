package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// What the kernel of the machine under the tests may lack, a virtual machine
// has: sticks on USB, disks that SCSI devices are simulated as, the device
// mapper, LVM, RAID, swap. It is started once, runs every step of guestSteps
// with the program itself, and prints what happens. 'make test' lays its system
// out and says in LIVEBUILD_GUEST where it is.

// guestStep is a script for busybox' shell; its last command is what is judged.
type guestStep struct {
	name   string
	script string
	status int
	texts  []string // in what it prints
}

// In the scripts, $one and $two are sticks on USB, $disk is a disk that is
// simulated, with $serial.
var guestSteps = []guestStep{
	{"sticks first", `livebuild devices | head -n 3`, 0, []string{"usb", "QEMU QEMU HARDDISK", "STICKONE", "STICKTWO"}},
	{"USB", `livebuild write /image --serial STICKONE --yes`, 0, []string{": wrote 12.6 MB, verified"}},
	{"USB, read by others", `head -c 12582912 $one | cmp - /image && echo equal`, 0, []string{"equal"}},
	{"by its name", `livebuild write /image /dev/disk/by-id/one --yes`, 0, []string{": wrote 12.6 MB, verified"}},
	{"no stick", `livebuild write /image $disk`, 1, []string{"is no stick", "scsi", "--serial $serial"}},
	{"no stick, named", `livebuild write /image $disk --serial $serial --yes`, 0, []string{"verified"}},
	{"write-protected", `blockdev --setro $disk; livebuild write /image --serial $serial --yes; s=$?; blockdev --setrw $disk; (exit $s)`, 1, []string{"read-only", "switch"}},

	{"swap", `mkswap $disk >/dev/null; swapon $disk; livebuild write /image --serial $serial --yes; s=$?; swapoff $disk; (exit $s)`, 1,
		[]string{"is swap space at work", "swapoff $disk"}},
	{"file system", `mke2fs -q $disk 2>/dev/null >/dev/null; mount -t ext4 $disk /mnt; livebuild write /image --serial $serial --yes; s=$?; umount /mnt; (exit $s)`, 1,
		[]string{"$disk is mounted at /mnt", "--unmount"}},
	{"device mapper", `echo "0 4096 linear $disk 0" | dmsetup create --uuid CRYPT-LUKS2-x secret; livebuild write /image --serial $serial --yes; s=$?; (exit $s)`, 1,
		[]string{"is part of the encrypted volume secret", "cryptsetup close"}},
	{"device mapper, mounted by the system", `mke2fs -q /dev/mapper/secret 2>/dev/null >/dev/null; mkdir -p /home; mount -t ext4 /dev/mapper/secret /home; livebuild write /image --serial $serial --yes --unmount; s=$?; umount /home; (exit $s)`, 1,
		[]string{"holds the running system"}},
	{"device mapper as a disk", `livebuild write /image /dev/mapper/secret; s=$?; dmsetup remove secret; (exit $s)`, 1,
		[]string{"/dev/mapper/secret is a volume of the device mapper, not a disk"}},
	{"LVM", `lvm pvcreate -qq -ff -y $disk && lvm vgcreate -qq vg $disk && lvm lvcreate -qq -Zn -Wn -L 8m -n lv vg; livebuild write /image --serial $serial --yes`, 1,
		[]string{"is part of the LVM volume vg-lv", "vgchange"}},
	{"LVM, at rest", `lvm vgchange -qq -an vg; livebuild write /image --serial $serial --yes`, 1,
		[]string{"is a member of an LVM volume group", "wipefs --all $disk"}},
	{"LVM, taken apart", `lvm vgremove -qq -f vg; lvm pvremove -qq -y $disk; livebuild write /image --serial $serial --yes`, 0, []string{"verified"}},
	{"RAID", `echo md7 > /sys/module/md_mod/parameters/new_array; cd /sys/block/md7/md; echo none > metadata_version; echo raid1 > level; echo 2 > raid_disks; ` +
		`cat /sys/class/block/${disk##*/}/dev > new_dev; echo 0 > dev-${disk##*/}/slot; echo active > array_state; cd /; livebuild write /image --serial $serial --yes`, 1,
		[]string{"is part of the RAID /dev/md7", "mdadm --stop"}},
	{"RAID as a disk", `livebuild write /image /dev/md7; s=$?; echo clear > /sys/block/md7/md/array_state; (exit $s)`, 1, []string{"is a RAID of other disks"}},

	{"writes that get lost", `size=$(cat /sys/class/block/${disk##*/}/size); echo "0 $size flakey $disk 0 0 3600 1 drop_writes" | dmsetup create bad; /sbin/losetup --direct-io=on /dev/loop0 /dev/mapper/bad; ` +
		`ln -s /dev/loop0 /dev/disk/by-id/bad; livebuild write /other /dev/disk/by-id/bad --yes; s=$?; losetup -d /dev/loop0; dmsetup remove bad; (exit $s)`, 1,
		[]string{"error: /dev/loop0 differs from the image at byte 1048576"}},
	{"bad blocks", `size=$(cat /sys/class/block/${disk##*/}/size); printf '0 8192 linear %s 0\n8192 8192 error\n16384 %d linear %s 16384\n' $disk $((size - 16384)) $disk | dmsetup create bad; ` +
		`/sbin/losetup --direct-io=on /dev/loop0 /dev/mapper/bad; livebuild write /other /dev/disk/by-id/bad --yes; s=$?; losetup -d /dev/loop0; dmsetup remove bad; (exit $s)`, 1,
		[]string{"error: writing /dev/loop0 at byte 4194304: input/output error", "broken"}},

	{"ejected", `livebuild write /image --serial STICKONE --yes --eject`, 0, []string{"verified"}},
	{"no medium", `livebuild write /image /dev/loop1`, 1, []string{"/dev/loop1 has no medium"}},
	{"pulled out", `livebuild write /image --serial STICKTWO --yes > /log 2>&1 & pid=$!; until grep -q writing /log; do sleep 0.1; done; sleep 1; ` +
		`echo 1 > $usbtwo/remove; wait $pid; s=$?; cat /log; (exit $s)`, 1, []string{"$two", "pulled out"}},
	{"gone", `livebuild write /image --serial STICKTWO --yes`, 1, []string{`no disk has the serial number "STICKTWO"`}},
}

const guestInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/ TERM=dumb
mkdir -p /proc /sys /dev /mnt /run /tmp /etc
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
dmesg -n 1
for m in $(cat /modules); do modprobe $m; done
# The disk that is simulated, and the sticks as they appear.
modprobe scsi_debug dev_size_mb=48
disk_of() {
    for b in /sys/block/sd*; do
        case "$(cat $b/device/model 2>/dev/null)" in scsi_debug*) [ "$1" != scsi_debug ] || echo /dev/${b##*/} ;; esac
        d=$(readlink -f $b/device)
        while [ "$d" != / ]; do
            [ "$(cat $d/serial 2>/dev/null)" != "$1" ] || echo /dev/${b##*/}
            d=$(dirname $d)
        done
    done
}
for i in $(seq 300); do
    one=$(disk_of STICKONE) two=$(disk_of STICKTWO) disk=$(disk_of scsi_debug)
    [ -z "$one" ] || [ -z "$two" ] || [ -z "$disk" ] || break
    sleep 0.2
done
usbtwo=$(readlink -f /sys/block/${two##*/}/device)
while [ ! -e $usbtwo/idVendor ]; do usbtwo=$(dirname $usbtwo); done
serial=$(tail -c +5 /sys/block/${disk##*/}/device/vpd_pg80 | tr -d ' \0')
mkdir -p /dev/disk/by-id
ln -s $one /dev/disk/by-id/one
# There is no udev to make device nodes.
export DM_DISABLE_UDEV=1
mkdir -p /etc/lvm
cat > /etc/lvm/lvm.conf <<END
activation { udev_sync = 0
udev_rules = 0
}
devices { use_devicesfile = 0 }
backup { backup = 0
archive = 0
}
END
echo "@@ variables $one $two $disk $serial"
`

// TestGuest runs the steps in the virtual machine.
func TestGuest(t *testing.T) {
	t.Parallel()
	need.QEMU(t)
	folder := guestFolder(t)
	initrd := guestInitrd(t, folder)
	one, two := testdisk.Sparse(t, 64*mib), testdisk.Sparse(t, 64*mib)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-no-user-config", "-machine", "q35", "-cpu", "qemu64", "-accel", "tcg", "-m", "1024",
		"-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", filepath.Join(folder, "vmlinuz"), "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 rdinit=/init",
		"-device", "qemu-xhci",
		"-drive", "if=none,id=one,format=raw,file="+one, "-device", "usb-storage,drive=one,removable=on,serial=STICKONE",
		"-drive", "if=none,id=two,format=raw,throttling.bps-write=1500000,file="+two, "-device", "usb-storage,drive=two,removable=on,serial=STICKTWO")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the virtual machine: %v\n%s", err, out)
	}
	text := strings.ReplaceAll(string(out), "\r", "")
	m := regexp.MustCompile(`(?m)^@@ variables (\S+) (\S+) (\S+) (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the devices did not appear:\n%s", text)
	}
	values := strings.NewReplacer("$one", m[1], "$two", m[2], "$disk", m[3], "$serial", m[4])
	for _, step := range guestSteps {
		t.Run(step.name, func(t *testing.T) {
			_, said, begun := strings.Cut(text, "@@ begin "+step.name+"\n")
			said, rest, ended := strings.Cut(said, "@@ end ")
			if !begun || !ended {
				t.Fatalf("the step was not run:\n%s", text)
			}
			status, _, _ := strings.Cut(rest, "\n")
			if status != strconv.Itoa(step.status) {
				t.Errorf("status %s, want %d", status, step.status)
			}
			for _, want := range step.texts {
				if want = values.Replace(want); !strings.Contains(said, want) {
					t.Errorf("it lacks %q", want)
				}
			}
			if t.Failed() {
				t.Logf("it says\n%s", said)
			}
		})
	}
}

// guestFolder is where the system of the virtual machine is laid out.
func guestFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("LIVEBUILD_GUEST")
	if folder == "" {
		folder = "../../.work/guest"
	}
	if _, err := os.Stat(filepath.Join(folder, "vmlinuz")); err != nil {
		need.Missing(t, "the guest", fmt.Sprintf("the virtual machine's system is not laid out: run 'make guest' (%v)", err))
	}
	return folder
}

// guestInitrd makes the initramfs: the system that was laid out, the program
// without cgo, images, and the script.
func guestInitrd(t *testing.T, folder string) (file string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	judge(t, "coreutils", "cp", "-R", filepath.Join(folder, "root"), root)
	build := exec.Command("go", "build", "-o", filepath.Join(root, "bin/livebuild"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building livebuild without cgo: %v\n%s", err, out)
	}
	_, content := imageFile(t, 12*mib)
	writeFile(t, filepath.Join(root, "image"), content)
	other := bytes.Clone(content)
	for i := range other[512:] { // it is an image, too
		other[512+i] ^= 0x55
	}
	writeFile(t, filepath.Join(root, "other"), other)
	var modules, script strings.Builder
	for line := range strings.Lines(string(readFile(t, "../../testdata/guest/modules.list"))) {
		line, _, _ = strings.Cut(line, "#")
		modules.WriteString(strings.ReplaceAll(line, "scsi_debug", "")) // which takes arguments
	}
	writeFile(t, filepath.Join(root, "modules"), []byte(modules.String()))
	script.WriteString(guestInit)
	for _, step := range guestSteps {
		fmt.Fprintf(&script, "echo '@@ begin %s'\n{ %s; } 2>&1\necho \"@@ end $?\"\n", step.name, strings.TrimSuffix(step.script, ";"))
	}
	script.WriteString("poweroff -f\n")
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(script.String()), 0o755); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "initrd")
	judge(t, "busybox-static", "sh", "-euc", `cd "$1"; find . | busybox cpio -o -H newc -R 0:0 > "$2" 2>/dev/null`, "sh", root, file)
	return file
}
