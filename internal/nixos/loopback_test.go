package nixos

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// finder is the script of loopback.nix, in a folder that stands for the machine: with disks
// whose file systems are folders, and programs that mount those.
type finder struct {
	*testing.T
	root, script string
}

func newFinder(t *testing.T) *finder {
	t.Helper()
	root := t.TempDir()
	f := &finder{t, root, loopbackScript(t, filepath.Join(root, "util-linux"))}
	for name, text := range map[string]string{
		"mount":     `echo "$@" >> ROOT/mounted; while [ $# -gt 2 ]; do shift; done; [ -d "ROOT/disks/${1##*/}" ] || exit 1; rmdir "$2"; ln -s "ROOT/disks/${1##*/}" "$2"`,
		"umount":    `rm "$1"`,
		"modprobe":  `echo "modprobe $*" >> ROOT/mounted`,
		"systemctl": `exit 1`,
		"sleep":     `read -r seconds rest < ROOT/proc/uptime; echo $((${seconds%.*} + 7)).5 1.0 > ROOT/proc/uptime`,
	} {
		f.program("bin/"+name, text)
	}
	f.program("util-linux/bin/losetup", `echo "losetup $*" >> ROOT/mounted; mkdir -p ROOT/dev/disk/by-label; : > ROOT/dev/loop7; ln -sf ROOT/dev/loop7 ROOT/dev/disk/by-label/LIVE; echo ROOT/dev/loop7`)
	f.write("proc/cmdline", "init=/x quiet")
	f.write("proc/uptime", "20.25 3.1\n")
	f.write("sys/class/block/loop0/dev", "7:0")
	return f
}

// loopbackScript has Nix read what the unit does.
func loopbackScript(t *testing.T, utilLinux string) string {
	t.Helper()
	file, err := filepath.Abs("loopback.nix")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(judge.Path(t, "nix-bin", "nix-instantiate"), "--eval", "--strict", "--json", "--expr", fmt.Sprintf(`
		(import %s {
		  lib.mkIf = condition: value: assert condition; value;
		  options.boot.initrd.systemd.services = { };
		  config = {
		    fileSystems."/iso".device = "/dev/disk/by-label/LIVE";
		    boot.initrd.systemd = { enable = true; package.util-linux = %q; };
		    system.modulesTree = "";
		    hardware.firmware = [ ];
		  };
		  pkgs.makeModulesClosure = m: assert m.allowMissing; "/modules";
		  pkgs.stdenv.hostPlatform.isx86 = true;
		}).config.boot.initrd.systemd.services.livebuild-find-image.script`, file, utilLinux))
	cmd.Env = append(os.Environ(), "NIX_STATE_DIR="+t.TempDir(), "NIX_STORE_DIR="+t.TempDir(), "NIX_REMOTE=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var script string
	if err := json.Unmarshal(out, &script); err != nil {
		t.Fatal(err)
	}
	return script
}

func (f *finder) write(name, text string) {
	f.Helper()
	name = filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		f.Fatal(err)
	}
}

func (f *finder) program(name, text string) {
	f.Helper()
	f.write(name, "#!/bin/sh\n"+strings.ReplaceAll(text, "ROOT", f.root)+"\n")
}

// partition adds one to a disk, as the kernel and udev have it.
func (f *finder) partition(disk string, number int, properties ...string) string {
	f.Helper()
	name := fmt.Sprintf("%s%d", disk, number)
	dev := fmt.Sprintf("8:%d", int(disk[len(disk)-1]-'a')*16+number)
	f.write("sys/devices/"+disk+"/"+name+"/dev", dev+"\n")
	f.write("sys/devices/"+disk+"/"+name+"/partition", fmt.Sprintln(number))
	if err := os.MkdirAll(filepath.Join(f.root, "sys/class/block"), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.Symlink("../../devices/"+disk+"/"+name, filepath.Join(f.root, "sys/class/block", name)); err != nil {
		f.Fatal(err)
	}
	f.write("run/udev/data/b"+dev, "I:1\nE:"+strings.Join(properties, "\nE:")+"\n")
	return name
}

// image is the head of one with a volume.
func image(volume, more string) string {
	b := []byte(strings.Repeat("\x00", 40<<10) + more)
	copy(b[32808:], volume+strings.Repeat(" ", 32-len(volume)))
	return string(b)
}

// run runs the script by a shell.
func (f *finder) run(shell ...string) (said, did string, ok bool) {
	f.Helper()
	script := strings.NewReplacer("/dev/null", "/dev/null", "/dev/", f.root+"/dev/", "/sys/", f.root+"/sys/", "/proc/", f.root+"/proc/",
		"/run/", f.root+"/run/", "-e /ventoy", "-e "+f.root+"/ventoy").Replace(f.script)
	cmd := exec.Command(shell[0], append(shell[1:], "-c", script)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(f.root, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(f.root, "mounted"))
	return strings.ReplaceAll(string(out), f.root, ""), strings.ReplaceAll(string(log), f.root, ""), err == nil
}

// ventoy is the table of Ventoy (ventoy.net/en/doc_compatible_format.html) for a partition of a
// disk with these identifiers.
func ventoy(path string, number uint16) []byte {
	b := make([]byte, 512)
	copy(b, "  www.ventoy.net")
	copy(b[17:], diskID)
	binary.LittleEndian.PutUint16(b[41:], number)
	copy(b[45:], path)
	copy(b[481:], diskSignature)
	var sum byte
	for _, c := range b {
		sum += c
	}
	b[16] = -sum
	return b
}

const (
	diskID        = "0123456789abcdef"
	diskSignature = "\xde\xad\xbe\xef"
)

// ventoyDisk makes a disk one of Ventoy.
func (f *finder) ventoyDisk(disk string) {
	sector := make([]byte, 512)
	copy(sector[0x180:], diskID)
	copy(sector[0x1b8:], diskSignature)
	f.write("dev/"+disk, string(sector))
}

// TestLoopback has the script of stage 1 find files, in the shell that nixpkgs has and in a
// smaller one.
func TestLoopback(t *testing.T) {
	efi := "sys/firmware/efi/efivars/VentoyOsParam-77772020-2e77-6576-6e74-6f792e6e6574"
	const acpi = "sys/firmware/acpi/tables/VTOY"
	const path = "/isos/my live.iso"
	head := strings.Repeat("h", 36) // of an ACPI table
	word := func(f *finder) { f.write("proc/cmdline", "init=/x findiso=/live.iso quiet\n") }
	for name, test := range map[string]struct {
		prepare func(f *finder)
		fails   bool
		said    string
		did     string // with what the file is mounted, or empty
	}{
		"nothing asked": {func(f *finder) { f.partition("sda", 1, "ID_FS_TYPE=vfat") }, false, "", ""},
		"findiso": {func(f *finder) {
			word(f)
			f.partition("sda", 1, "ID_FS_TYPE=swap")
			f.partition("sda", 2, "ID_FS_TYPE=ext4")
			f.write("disks/sda2/live.iso", image("OTHER", ""))
			f.partition("sdb", 1, "ID_FS_TYPE=exfat", "ID_FS_LABEL=DATA")
			f.write("disks/sdb1/live.iso", image("LIVE", ""))
		}, false, "livebuild: the medium is /live.iso on /dev/sdb1 (exfat), by findiso=\n", "-t ext4 -o ro,noload /dev/sda2 "},
		"none": {func(f *finder) {
			word(f)
			f.partition("sda", 1, "ID_FS_TYPE=crypto_LUKS")
			f.partition("sda", 2, "ID_FS_TYPE=xfs")
			f.write("disks/sda2/x", "")
			f.partition("sda", 3, "ID_FS_TYPE=btrfs")
			f.write("disks/sda3/live.iso", image("OTHER", ""))
		}, true, "livebuild: no image /live.iso (by findiso=) with the volume LIVE appeared within 63 seconds. Looked at: " +
			"sda1 (crypto_LUKS, cannot be mounted), sda2 (xfs, no such file), sda3 (btrfs, the file is no image with the volume LIVE)\n",
			"-t btrfs -o ro,rescue=nologreplay /dev/sda3 "},
		"late": {func(f *finder) {
			word(f)
			f.write("proc/uptime", "70.25 3.1\n")
			f.program("bin/systemctl", "[ \"$*\" = 'show --property=UserspaceTimestampMonotonic --value' ] && echo 3500000")
			f.partition("sda", 1, "ID_FS_TYPE=vfat")
			f.write("disks/sda1/x", "")
		}, true, "with the volume LIVE appeared within 14 seconds. Looked at: sda1 (vfat, no such file)\n", "-t vfat -o ro,utf8 /dev/sda1 "},
		"no disks": {word, true, "Looked at: nothing, since no disk with a file system appeared\n", ""},
		"two": {func(f *finder) {
			word(f)
			f.partition("sda", 1, "ID_FS_TYPE=vfat")
			f.write("disks/sda1/live.iso", image("LIVE", "one"))
			f.partition("sdb", 1, "ID_FS_TYPE=ntfs")
			f.write("disks/sdb1/live.iso", image("LIVE", "another"))
		}, true, "livebuild: there are two images /live.iso, on sda1 and on sdb1: take one of them away, and start again\n", "-t ntfs3 -o ro /dev/sdb1 "},
		"two of a kind": {func(f *finder) {
			word(f)
			f.partition("sda", 1, "ID_FS_TYPE=vfat")
			f.write("disks/sda1/live.iso", image("LIVE", "one"))
			f.partition("sdb", 1, "ID_FS_TYPE=vfat")
			f.write("disks/sdb1/live.iso", image("LIVE", "one"))
		}, false, "the medium is /live.iso on /dev/sda1 (vfat)", "-t vfat -o ro,utf8 /dev/sda1 "},
		"a stick with it": {func(f *finder) {
			word(f)
			f.partition("sda", 1, "ID_FS_TYPE=ext4")
			f.write("disks/sda1/live.iso", image("LIVE", ""))
			f.partition("sdb", 1, "ID_FS_TYPE=iso9660", "ID_FS_LABEL=LIVE")
		}, true, "livebuild: the volume LIVE is in /live.iso on /dev/sda1, and on /dev/sdb1: take one of them away, and start again\n", "-t ext4"},
		"Ventoy, ACPI": {func(f *finder) {
			f.write(acpi, head+string(ventoy(path, 2)))
			f.ventoyDisk("sdb")
			f.write("dev/sda", strings.Repeat("x", 512))
			for _, disk := range []string{"sda", "sdb"} {
				for number := range 3 {
					part := f.partition(disk, number+1, "ID_FS_TYPE=exfat")
					f.write("disks/"+part+path, image("LIVE", part))
				}
			}
		}, false, "the medium is /isos/my live.iso on /dev/sdb2 (exfat), by Ventoy's ACPI table\n", "-t exfat -o ro /dev/sdb2 "},
		"Ventoy, EFI": {func(f *finder) {
			f.write(efi, "\x06\x00\x00\x00"+string(ventoy(path, 1)))
			f.ventoyDisk("sda")
			f.partition("sda", 1, "ID_FS_TYPE=udf")
			f.write("disks/sda1"+path, image("LIVE", ""))
		}, false, "on /dev/sda1 (udf), by Ventoy's variable\n", "-t udf -o ro /dev/sda1 "},
		"Ventoy, BIOS": {func(f *finder) {
			memory := make([]byte, 0xa0000)
			copy(memory[0x8a040:], "  www.ventoy.nex")
			copy(memory[0x9c010:], ventoy(path, 1))
			f.write("dev/mem", string(memory))
			f.ventoyDisk("sda")
			f.partition("sda", 1, "ID_FS_TYPE=ext3")
			f.write("disks/sda1"+path, image("LIVE", ""))
		}, false, "on /dev/sda1 (ext3), by Ventoy's table\n", "-t ext4 -o ro,noload /dev/sda1 "},
		"Ventoy, damaged": {func(f *finder) {
			table := ventoy(path, 1)
			table[100]++
			f.write(acpi, head+string(table))
			f.ventoyDisk("sda")
			f.partition("sda", 1, "ID_FS_TYPE=exfat")
			f.write("disks/sda1"+path, image("LIVE", ""))
		}, false, "", ""},
		"Ventoy, of an earlier start": {func(f *finder) {
			f.write(acpi, head+string(ventoy(path, 1)))
			f.write("dev/sdc", "")
			f.write("dev/disk/by-label/LIVE", "")
		}, false, "livebuild: Ventoy's ACPI table names /isos/my live.iso, which is on no disk here; the medium is /dev/disk/by-label/LIVE\n", ""},
		"Ventoy, its hook": {func(f *finder) {
			f.write(acpi, head+string(ventoy(path, 1)))
			f.write("ventoy/hook", "")
		}, true, "livebuild: Ventoy has changed the initrd", ""},
	} {
		for _, shell := range [][]string{{"bash", "-e"}, {"dash", "-e"}} {
			t.Run(name+" by "+shell[0], func(t *testing.T) {
				t.Parallel()
				judge.Path(t, shell[0], shell[0])
				f := newFinder(t)
				test.prepare(f)
				said, did, ok := f.run(shell...)
				if ok == test.fails || !strings.Contains(said, test.said) || test.said == "" && said != "" {
					t.Errorf("it succeeds: %t, and says %q, want %q", ok, said, test.said)
				}
				if !strings.Contains(did, test.did) || test.did == "" && strings.Contains(did, "-t ") {
					t.Errorf("it does\n%swant %q", did, test.did)
				}
				if strings.Contains(did, "losetup --find --show --read-only /run/livebuild/carrier/") != strings.Contains(test.said, "the medium is /live.iso") &&
					!strings.Contains(test.said, "), by Ventoy") {
					t.Errorf("it does\n%s", did)
				}
				for line := range strings.Lines(did) {
					if strings.HasPrefix(line, "-t ") && !strings.Contains(line, " -o ro") {
						t.Errorf("it mounts to write: %s", line)
					}
				}
			})
		}
	}
}
