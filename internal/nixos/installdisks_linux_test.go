package nixos

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/testdisk"
	"github.com/livebuild/livebuild/internal/testterminal"
)

// TestInstallRefusesDisks gives livebuild-install real block devices that it has to refuse, and looks whether
// what they hold is still the same.
func TestInstallRefusesDisks(t *testing.T) {
	const large, small = 2 << 30, 100 << 20
	two := simple(t)
	two.Disks = []TargetDisk{{Name: "one"}, {Name: "two"}}
	for name, test := range map[string]struct {
		target  Target
		size    int64
		losetup []string
		args    func(device string) []string
		before  func(device string) string // of shell, in the namespace
		want    string
	}{
		"too small": {simple(t), small, nil, nil, nil, "has 104.9 MB, and the system needs 538.2 MB"},
		"read-only": {simple(t), large, []string{"--read-only"}, nil, nil, "cannot be written to"},
		"twice": {two, large, nil, func(device string) []string { return []string{"--disk", "one=" + device, "--disk", "two=" + device} }, nil,
			`is given twice, as "one" and as "two"`},
		"mounted": {simple(t), large, nil, nil, func(device string) string {
			return "mkfs.ext4 -q " + device + " 64M && mkdir there && mount -o ro " + device + " there"
		}, "is mounted at "},
		"swapped to": {simple(t), large, nil, nil, func(device string) string {
			return "printf 'Filename Type Size Used Priority\\n" + device + " partition 1 0 -2\\n' > swaps && mount --bind swaps /proc/swaps"
		}, "is swapped to"},
		"part of another": {simple(t), large, nil, nil, func(device string) string {
			return "mount -t tmpfs tmpfs /sys/class/block/" + filepath.Base(device) + "/holders && touch /sys/class/block/" + filepath.Base(device) + "/holders/md127"
		}, "is part of md127"},
		"the medium": {simple(t), large, nil, nil, func(device string) string {
			return "mkfs.ext4 -q -d iso " + device + " 64M && mkdir medium && mount -o ro " + device + " medium && mount --bind medium /iso"
		}, "is the medium that this system runs from"},
		// Of a medium that was copied to memory /iso is no disk's, but the store may be.
		"of the store": {simple(t), large, nil, nil, func(device string) string {
			return "mkfs.ext4 -q " + device + " 64M && mkdir medium && mount -o ro " + device + " medium && mkdir -p /nix && mount -t tmpfs tmpfs /nix && mkdir /nix/.ro-store && mount --bind medium /nix/.ro-store"
		}, "is the medium that this system runs from"},
		"from the menu": {simple(t), large, nil, func(string) []string { return []string{"--boot"} }, func(device string) string {
			return "echo livebuild.install=example livebuild.disk=" + device + " > cmdline && mount --bind cmdline /proc/cmdline"
		}, "may be another disk at the next start"},
	} {
		t.Run(name, func(t *testing.T) {
			file := testdisk.Sparse(t, test.size)
			device := testdisk.Loop(t, file, test.losetup...)
			i := newInstaller(t, test.target)
			args := []string{"--yes", "example", "--disk", device}
			if test.args != nil {
				args = append([]string{"--yes", "example"}, test.args(device)...)
				if args[2] == "--boot" {
					args = args[2:]
				}
			}
			if test.before != nil {
				i.before = test.before(device) + "\nsync -f " + file + "; head -c 1M " + file + " | sha256sum > before.sum; stat -c %b " + file + " >> before.sum"
			}
			refusedUnwritten(t, i, file, test.before != nil, test.want, args...)
		})
	}
	t.Run("partition", func(t *testing.T) {
		file := testdisk.Sparse(t, large)
		part := testdisk.Partition(t, testdisk.Loop(t, file), 1, 2048, 1<<21)
		refusedUnwritten(t, newInstaller(t, simple(t)), file, false, "is a partition, and not a whole disk", "--yes", "example", "--disk", part)
	})
}

// refusedUnwritten has livebuild-install refuse, and compares the disk with what it was; with what the shell
// before it left, if it says so.
func refusedUnwritten(t *testing.T, i *installer, file string, prepared bool, want string, args ...string) {
	t.Helper()
	// What lies at the beginning, and how much of the file has ever been written.
	sum := func() string {
		return judge.Run(t, "coreutils", "sh", "-c", `sync -f "$1"; head -c 1M "$1" | sha256sum; stat -c %b "$1"`, "sh", file)
	}
	before := sum()
	out, status := i.run(t, "", args...)
	if status != 1 || !strings.Contains(out, "livebuild-install: error: /dev/") || !strings.Contains(out, want) {
		t.Errorf("status %d, want 1 and %q:\n%s", status, want, out)
	}
	if prepared {
		text, err := os.ReadFile(filepath.Join(i.folder, "before.sum"))
		if err != nil {
			t.Fatal(err)
		}
		before = string(text)
	}
	if sum() != before {
		t.Error("the disk was written to")
	}
}

// TestInstallRefusesOtherMounts has file systems mounted that are not those that the system looks for.
func TestInstallRefusesOtherMounts(t *testing.T) {
	wanted, other := testdisk.Loop(t, testdisk.Sparse(t, 64<<20)), testdisk.Loop(t, testdisk.Sparse(t, 64<<20))
	for _, device := range []string{wanted, other} {
		judge.Run(t, "e2fsprogs", "mkfs.ext4", "-q", device)
	}
	target := simple(t)
	target.Disks = []TargetDisk{}
	target.FileSystems = []FileSystem{{"/", wanted, "ext4"}, {"/boot", other, "ext4"}}
	for _, test := range []struct{ before, want string }{
		{"mount " + other + " root", "example looks for / as " + wanted + ", which is not what is mounted at "},
		{"mount " + wanted + " root && mkdir -p root/boot", "/root/boot"},
		{"mount " + wanted + " root && mkdir -p root/boot && mount --bind root/lost+found root/boot", "example looks for /boot as " + other},
	} {
		i := newInstaller(t, target)
		i.before = "mkdir root && " + test.before
		out, status := i.run(t, "", "--yes", "example", "--root", filepath.Join(i.folder, "root"))
		if status != 1 || !strings.Contains(out, "livebuild-install: error: ") || !strings.Contains(out, test.want) {
			t.Errorf("%s: status %d, want 1 and %q:\n%s", test.before, status, test.want, out)
		}
	}
}

// TestInstallPreflight is about the machine: its processor, its memory, and who can log in afterwards.
func TestInstallPreflight(t *testing.T) {
	meminfo := func(total, available, swap int) string {
		return fmt.Sprintf("printf 'MemTotal: %d kB\\nMemFree: 1 kB\\nMemAvailable: %d kB\\nSwapTotal: %d kB\\nSwapFree: %d kB\\n' > meminfo && mount --bind meminfo /proc/meminfo",
			total, available, swap, swap)
	}
	with := func(change func(*Target)) Target {
		target := simple(t)
		change(&target)
		return target
	}
	flake := with(func(t *Target) { t.Source = &TargetSource{Path: "/etc", Paths: []string{"/etc"}} })
	for name, test := range map[string]struct {
		target   Target
		before   string
		args     []string
		want     string
		unwanted string
		status   int
	}{
		"another platform": {with(func(t *Target) { t.Platform = "m88k-linux" }), "", nil, "error: example is for m88k-linux, and this machine is ", "", 1},
		"aarch64":          {simple(t), "printf '#!/bin/sh\necho aarch64\n' > bin/uname; chmod 755 bin/uname", nil, "error: example is for x86_64-linux, and this machine is aarch64", "", 1},
		"32 bits":          {with(func(t *Target) { t.Platform = "i686-linux" }), "printf '#!/bin/sh\necho x86_64\n' > bin/uname; chmod 755 bin/uname", nil, "this was --dry-run", "error", 0},
		"memory":           {simple(t), meminfo(500000, 100000, 0), nil, "error: this machine has 102.4 MB of memory left, and copying example needs 134.3 MB", "", 1},
		"swap":             {simple(t), meminfo(500000, 100000, 100000), nil, "this was --dry-run", "warning", 0},
		"evaluation":       {flake, meminfo(1000000, 500000, 0), nil, "warning: this machine has 1.0 GB of memory; nixos-rebuild evaluates in up to 2.1 GB", "error", 0},
		"enough":           {flake, meminfo(4000000, 500000, 0), nil, "this was --dry-run", "warning", 0},
		"no login":         {with(func(t *Target) { t.Login = false }), "", nil, "warning: nobody can log in to it", "error", 0},
		"a password": {with(func(t *Target) { t.Login = false }), "printf '$y$j9T$salt$hash\\n' > hash", []string{"--root-password-hash", "hash"},
			"this was --dry-run", "nobody can log in", 0},
	} {
		t.Run(name, func(t *testing.T) {
			// What is mounted is the smallest system there is; nothing of it depends on disks.
			target := test.target
			target.Disks, target.FileSystems = []TargetDisk{}, []FileSystem{}
			i := newInstaller(t, target)
			i.before = "mkdir -p /mnt && mount -t tmpfs -o mode=0755 tmpfs /mnt\n" + test.before
			out, status := i.run(t, "", append([]string{"--yes", "example", "--dry-run"}, test.args...)...)
			if status != test.status || !strings.Contains(out, test.want) || test.unwanted != "" && strings.Contains(out, test.unwanted) {
				t.Errorf("status %d, want %d and %q:\n%s", status, test.status, test.want, out)
			}
		})
	}
}

// keyboard runs livebuild-install on a pseudoterminal, and gives it an answer for each question.
func (i *installer) keyboard(t *testing.T, answers []string, args ...string) (string, int) {
	t.Helper()
	person, program := testterminal.Open(t)
	cmd := i.command(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	var shown []byte
	b := make([]byte, 4096)
	for {
		n, err := person.Read(b)
		shown = append(shown, b[:n]...)
		if err != nil { // EIO: nobody has the other side any more
			break
		}
		text := string(shown)
		if question := strings.HasSuffix(text, "? ") || strings.HasSuffix(text, " it: ") || strings.HasSuffix(text, "to stop "); question && len(answers) > 0 {
			if _, err := io.WriteString(person, answers[0]+"\n"); err != nil {
				t.Fatal(err)
			}
			answers = answers[1:]
		}
	}
	_ = cmd.Wait()
	if len(answers) > 0 {
		t.Errorf("nobody asks for %q", answers)
	}
	return strings.ReplaceAll(string(shown), "\r", ""), cmd.ProcessState.ExitCode()
}

// diskNode has the namespace see a loop device as the disk "sdt", as a machine would have one, with the partitions
// that are in its table: the kernel may not read tables.
func (i *installer) diskNode(t *testing.T, loop string) string {
	t.Helper()
	name := filepath.Base(loop)
	i.program(t, "udevadm", fmt.Sprintf(`
partx --add --sector-size 512 /dev/sdt 2>/dev/null
for part in /sys/devices/virtual/block/%[1]s/%[1]sp*; do
    [ -e "$part/dev" ] || continue
    node=/dev/sdt${part##*p}
    rm -f "$node"
    mknod "$node" b $(tr ':' ' ' < "$part/dev")
done`, name))
	return fmt.Sprintf(`
mkdir dev
mount -t tmpfs -o mode=0755 tmpfs dev
for node in null zero full random urandom tty; do cp -a /dev/$node dev/; done
mkdir dev/pts dev/shm
mount --bind /dev/pts dev/pts
ln -s /proc/self/fd dev/fd
mknod dev/sdt b $(tr ':' ' ' < /sys/class/block/%[1]s/dev)
mount --move dev /dev
mount -t tmpfs tmpfs /sys/class/block
ln -s /sys/devices/virtual/block/%[1]s /sys/class/block/sdt
`, name)
}

// TestInstallAsks answers every question, some of them wrongly at first, and judges what is on the disk then.
func TestInstallAsks(t *testing.T) {
	file := testdisk.Sparse(t, 2<<30)
	loop := testdisk.Loop(t, file)
	t.Cleanup(func() { _ = exec.Command("partx", "--delete", loop).Run() })
	other := simple(t)
	other.Name = "other"
	example := simple(t)
	example.FileSystems = []FileSystem{{"/", "/dev/disk/by-label/nixos", "ext4"}, {"/boot", "/dev/disk/by-label/BOOT", "vfat"}}
	example.GRUBDevices = []string{"/dev/vda"}
	example.Disko = nil
	i := newInstaller(t, example, other)
	i.before = i.diskNode(t, loop) + "mkdir -p /mnt"
	i.program(t, "nixos-install", `echo "nixos-install $*"; mkdir -p "$2/nix/var"; echo system > "$2/nix/var/installed"; mountpoint "$2/boot"`)
	// Not every kernel that runs tests mounts it.
	i.program(t, "mount", `for last; do :; done
case "$*" in *"-t vfat"*) exec /bin/mount -t tmpfs tmpfs "$last" ;; esac
exec /bin/mount "$@"`)
	out, status := i.keyboard(t, []string{"none", "example", "", "sdx", "sdt", "example"})
	for _, want := range []string{
		"There is no \"none\".", "/dev/sdx does not exist.", "all that /dev/sdt holds will be deleted", "nixos-install --root /mnt --system /etc/passwd ", "/mnt/boot is a mountpoint",
		"livebuild-install: example is installed\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if status != 0 || t.Failed() {
		t.Fatalf("status %d:\n%s", status, out)
	}
	label, parts := partitionsOf(t, file)
	if label != "gpt" || len(parts) != 3 || parts[0].Name != "BIOS boot" || parts[1].Name != "ESP" || parts[2].Name != "nixos" {
		t.Fatalf("the disk has %s, %+v", label, parts)
	}
	part := func(n int) string {
		return testdisk.Loop(t, file, "--offset", fmt.Sprint(parts[n].Start*512), "--sizelimit", fmt.Sprint(parts[n].Size*512))
	}
	esp, root := part(1), part(2)
	judge.Run(t, "dosfstools", "fsck.vfat", "-n", esp)
	judge.Run(t, "e2fsprogs", "e2fsck", "-f", "-n", root)
	for device, want := range map[string]string{esp: "BOOT", root: "nixos"} {
		if got := strings.TrimSpace(judge.Run(t, "util-linux", "blkid", "-p", "-o", "value", "-s", "LABEL", device)); got != want {
			t.Errorf("a file system has the label %q, want %q", got, want)
		}
	}
	if log := judge.Run(t, "e2fsprogs", "debugfs", "-R", "cat /var/log/livebuild-install.log", root); !strings.Contains(log, "nixos-install --root /mnt") {
		t.Errorf("the log on the disk is %q", log)
	}

	// Another word than the name changes nothing.
	i = newInstaller(t, example)
	i.before = i.diskNode(t, loop) + "mkdir -p /mnt"
	out, status = i.keyboard(t, []string{"sdt", "yes"})
	if status != 1 || !strings.Contains(out, "livebuild-install: error: nothing was done") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

// TestInstallCountdown stops an installation that the boot menu asked for by a key.
func TestInstallCountdown(t *testing.T) {
	loop := testdisk.Loop(t, testdisk.Sparse(t, 2<<30))
	i := newInstaller(t, simple(t))
	i.before = "echo quiet livebuild.install=example livebuild.disk=" + testdisk.StableName(t, loop) + " > cmdline && mount --bind cmdline /proc/cmdline"
	started := time.Now()
	out, status := i.keyboard(t, []string{""}, "--boot")
	if status != 1 || !strings.Contains(out, "livebuild-install: error: stopped by a key") {
		t.Errorf("status %d after %s:\n%s", status, time.Since(started), out)
	}
}

// diskPartition is a partition as sfdisk tells of it, in sectors of 512 bytes.
type diskPartition struct {
	Start, Size int64
	Name        string `json:"name"`
}

// partitionsOf reads the partition table of a disk by sfdisk.
func partitionsOf(t testing.TB, file string) (label string, parts []diskPartition) {
	t.Helper()
	var table struct {
		Table struct {
			Label      string          `json:"label"`
			Partitions []diskPartition `json:"partitions"`
		} `json:"partitiontable"`
	}
	if err := json.Unmarshal([]byte(judge.Run(t, "fdisk", "sfdisk", "--json", file)), &table); err != nil {
		t.Fatal(err)
	}
	return table.Table.Label, table.Table.Partitions
}
