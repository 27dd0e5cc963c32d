package nixos

import (
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// script is what a program of disko does, which nobody builds here: with the tools of this machine in the place of those of
// nixpkgs.
func (d disko) script(t *testing.T, target Target, program string) string {
	t.Helper()
	name := path.Base(program)
	if path.Dir(program) == "/nix/store" { // of older disko
		name = name[33:]
	}
	for drv := range target.Realise {
		file := filepath.Join(d.root, drv)
		if name != strings.TrimSuffix(filepath.Base(file)[33:], ".drv") {
			continue
		}
		derivation, err := store.ReadDerivation(file)
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`(?m)^export PATH=.*$`).ReplaceAllString(derivation.Environment["content"], "")
		if !strings.Contains(text, "/dev/disk/livebuild/main") && !strings.Contains(text, "/dev/disk/by-partlabel/") {
			t.Fatalf("%s has no disk:\n%s", file, text)
		}
		return "#!/bin/bash\n" + strings.ReplaceAll(text, "/nix/store/", filepath.Join(d.root, "nix/store")+"/")
	}
	t.Fatalf("%s is of none of %v", program, target.Realise)
	return ""
}

// loopNode has the namespace see a loop device, its partitions and their names, as udev would: the kernel may not read
// tables.
func (i *installer) loopNode(t *testing.T, loop string) string {
	t.Helper()
	name := filepath.Base(loop)
	i.program(t, "udevadm", fmt.Sprintf(`
partx --update /dev/%[1]s 2>/dev/null || partx --add /dev/%[1]s 2>/dev/null
rm -rf /dev/%[1]sp* /dev/disk/by-partlabel
mkdir /dev/disk/by-partlabel
for part in /sys/devices/virtual/block/%[1]s/%[1]sp*; do
    [ -e "$part/dev" ] || continue
    mknod "/dev/${part##*/}" b $(tr ':' ' ' < "$part/dev")
    label=$(blkid -p -o value -s PART_ENTRY_NAME "/dev/${part##*/}")
    ln -s "/dev/${part##*/}" "/dev/disk/by-partlabel/$label"
done`, name))
	// Not every kernel that runs tests mounts it.
	i.program(t, "mount", `type=
for word; do [ "$word" != vfat ] || type=vfat; done
if [ "$type" = vfat ]; then
    for word; do case $word in /mnt*) mkdir -p "$word" && exec /bin/mount -t tmpfs tmpfs "$word" ;; esac; done
fi
exec /bin/mount "$@"`)
	return fmt.Sprintf(`
mkdir -p dev /mnt
mount -t tmpfs -o mode=0755 tmpfs dev
for node in null zero full random urandom tty; do cp -a /dev/$node dev/; done
mkdir -p dev/pts dev/shm dev/disk/by-id
mount --bind /dev/pts dev/pts
ln -s /proc/self/fd dev/fd
mknod dev/%[1]s b $(tr ':' ' ' < /sys/class/block/%[1]s/dev)
ln -s /dev/%[1]s dev/disk/by-id/test
mount --move dev /dev
`, name)
}

// TestDiskoInstall has the real disko's programs lay out a disk, as livebuild-install calls them, twice, and mount what is
// there. What nixos-install does is written down.
func TestDiskoInstall(t *testing.T) {
	judge.Root(t)
	d := newDisko(t)
	target := d.target(t, "boot.loader.systemd-boot.enable = true;", "", "/dev/sda")
	format, mount := d.script(t, target, target.Disko.Format), d.script(t, target, target.Disko.Mount)
	for _, tool := range []struct{ from, name string }{{"gdisk", "sgdisk"}, {"dosfstools", "mkfs.vfat"}, {"e2fsprogs", "mkfs.ext4"}, {"jq", "jq"}} {
		judge.Path(t, tool.from, tool.name)
	}
	file := testdisk.Sparse(t, 2<<30)
	loop := testdisk.Loop(t, file)
	t.Cleanup(func() { _ = exec.Command("partx", "--delete", loop).Run() })
	target.System, target.Roots, target.Firmware = "/etc/passwd", []string{"/etc/passwd"}, "any"
	target.Name, target.Login = "host", true
	for n, args := range [][]string{nil, nil, {"--no-format"}} {
		with := *target.Disko
		i := newInstaller(t)
		with.Format, with.Mount = filepath.Join(i.folder, "format"), filepath.Join(i.folder, "mount")
		i.write(t, "format", format)
		i.write(t, "mount", mount)
		target.Disko = &with
		i.write(t, "iso/livebuild/install.json", string(Catalog([]Target{target})))
		i.before = i.loopNode(t, loop) + "udevadm settle; "
		i.program(t, "nixos-install", fmt.Sprintf(`mkdir -p "$2/nix"; ls "$2/nix" | sed 's/^/there is: /'; echo system > "$2/nix/installed-%d"; mountpoint "$2/boot"`, n))
		out, status := i.run(t, "", append([]string{"--yes", "host", "--disk", "/dev/disk/by-id/test"}, args...)...)
		if status != 0 || !strings.Contains(out, "/mnt/boot is a mountpoint\n") || !strings.Contains(out, "livebuild-install: host is installed\n") {
			t.Fatalf("run %d: status %d:\n%s", n, status, out)
		}
		// What was there is gone, unless it is kept.
		if kept := strings.Contains(out, "there is: installed-"); kept != (args != nil) {
			t.Errorf("run %d: what was there is kept: %t\n%s", n, kept, out)
		}
	}
	label, parts := partitionsOf(t, file)
	if label != "gpt" || len(parts) != 2 || parts[0].Name != "disk-main-ESP" || parts[1].Name != "disk-main-root" {
		t.Fatalf("the disk has %s, %+v", label, parts)
	}
	judge.Run(t, "gdisk", "sgdisk", "--verify", file)
	for n, check := range [][]string{{"dosfstools", "fsck.vfat", "-n"}, {"e2fsprogs", "e2fsck", "-f", "-n"}} {
		part := testdisk.Loop(t, file, "--offset", fmt.Sprint(parts[n].Start*512), "--sizelimit", fmt.Sprint(parts[n].Size*512))
		judge.Run(t, check[0], check[1], append(check[2:], part)...)
	}
}
