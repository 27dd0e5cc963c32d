package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	need "github.com/livebuild/livebuild/internal/judge"
)

// kexecOf makes an archive for kexec of the host of the test flake.
func kexecOf(t testing.TB, name string, args ...string) netbootResult {
	t.Helper()
	return call{}.kexec(t, name, args...)
}

func (c call) kexec(t testing.TB, name string, args ...string) (r netbootResult) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	o := c.livebuild(t, append([]string{"kexec", plainHost(t), "-o", file, "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild kexec: status %d\n%s", o.status, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("livebuild kexec --json printed %q: %v", o.stdout, err)
	}
	if r.File != file || len(r.Files) != 1 || r.Files[0].Name != name || r.Files[0].Size != int64(len(readFile(t, file))) {
		t.Errorf("the file is %+v, want %s", r, file)
	}
	return r
}

// TestKexec makes archives for kexec, folders for network boots and images of the same host from one another. The
// bytes are the same, whatever they are made from.
func TestKexec(t *testing.T) {
	t.Parallel()
	plain := kexecOf(t, "host.tar", "--reuse", "none", "--check")
	if len(plain.Modes) != 1 || plain.Modes[0] != "kexec" || !plain.Checked {
		t.Errorf("it starts by %q, packed twice: %t", plain.Modes, plain.Checked)
	}
	for name, program := range map[string][]string{"host.tar.gz": {"gzip", "gzip"}, "host.tar.zst": {"zstd", "zstd"}} {
		packed := kexecOf(t, name)
		unpacked := exec.Command(need.Path(t, program[0], program[1]), "-d", "-c", packed.File)
		if out, err := unpacked.Output(); err != nil || !bytes.Equal(out, readFile(t, plain.File)) {
			t.Errorf("%s unpacks to something else (%v)", name, err)
		}
	}
	// As others see it.
	listing := judge(t, "tar", "tar", "-tvf", plain.File)
	for _, name := range []string{"kexec/", "kexec/run", "kexec/kexec", "kexec/busybox", "kexec/bzImage", "kexec/initrd", "kexec/manifest.json"} {
		if !strings.Contains(listing, " "+name+"\n") {
			t.Errorf("the archive has no %s:\n%s", name, listing)
		}
	}
	folder := t.TempDir()
	judge(t, "busybox-static", "busybox", "tar", "-x", "-f", plain.File, "-C", folder)
	for _, shell := range [][]string{{"dash", "dash"}, {"bash", "bash"}, {"busybox-static", "busybox", "sh"}} {
		judge(t, shell[0], shell[1], append(shell[2:], "-n", filepath.Join(folder, "kexec/run"))...)
	}
	run := string(readFile(t, filepath.Join(folder, "kexec/run")))
	if m := readManifest(t, readFile(t, filepath.Join(folder, "kexec/manifest.json"))); m.Boot == nil || m.Boot.Kernel != "bzImage" || m.Boot.CommandLine != plain.CommandLine {
		t.Errorf("the manifest says of the start %+v", m.Boot)
	}
	initrd := filepath.Join(folder, "kexec/initrd")
	if want := fmt.Sprintf("$((%12d))", len(readFile(t, initrd))); !strings.Contains(run, want) || !strings.Contains(run, "command_line='init="+plain.Toplevel+"/init loglevel=4 ") {
		t.Errorf("the script does not know the initrd's size, %s, or the system:\n%s", want, run)
	}

	// The initrd is that of a folder for network boots, whose system says nothing else of itself.
	fromArchive := netbootOf(t, "--reuse", plain.File)
	if fromArchive.Reused < fromArchive.Squashfs/2 {
		t.Errorf("of %d bytes %d come from the archive", fromArchive.Squashfs, fromArchive.Reused)
	}
	sameFile(t, initrd, filepath.Join(fromArchive.Folder, "initrd"))
	readManifest(t, readFile(t, filepath.Join(fromArchive.Folder, "manifest.json")))
	image := filepath.Join(t.TempDir(), "host.iso")
	if o := livebuild(t, "iso", plainHost(t), "-o", image, "--reuse", "none"); o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	fromImage := kexecOf(t, "host.tar", "--reuse", image)
	sameFile(t, plain.File, fromImage.File)
	if fromImage.Reused < fromImage.Squashfs/2 {
		t.Errorf("of %d bytes %d come from the image", fromImage.Squashfs, fromImage.Reused)
	}
	again := filepath.Join(t.TempDir(), "again.iso")
	if o := livebuild(t, "iso", plainHost(t), "-o", again, "--reuse", plain.File); o.status != 0 || !strings.Contains(o.stderr, "% of the store image from "+plain.File) {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	sameFile(t, image, again)

	// What livebuild made it replaces, and nothing else.
	if o := livebuild(t, "kexec", plainHost(t), "-o", fromImage.File); o.status != 0 {
		t.Errorf("livebuild kexec over its own: status %d\n%s", o.status, o.stderr)
	}
	sameFile(t, plain.File, fromImage.File)
	var other bytes.Buffer
	w := tar.NewWriter(&other)
	if err := w.WriteHeader(&tar.Header{Name: "kexec/", Typeflag: tar.TypeDir}); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	writeFile(t, fromImage.File, other.Bytes())
	if o := livebuild(t, "kexec", plainHost(t), "-o", fromImage.File); o.status != 1 || !strings.Contains(o.stderr, "is not an archive for kexec that livebuild made") {
		t.Errorf("livebuild kexec over another's: status %d\n%s", o.status, o.stderr)
	}
	if !bytes.Equal(other.Bytes(), readFile(t, fromImage.File)) {
		t.Error("another's archive is gone")
	}
}

// anywhere is what nixos-anywhere has a machine do, given a file (src/nixos-anywhere.sh, runKexec): the archive comes
// by a pipe under that name whatever it is, and is unpacked as its own name says.
const anywhere = `
cat > "$HOME/kexec/nixos-anywhere-kexec.sh" <<'EOF'
# Run kexec commands with sudo if needed
{
  set -eu
  cd "$HOME/kexec"
  echo Downloading kexec tarball, this may take a moment...
  # Execute tar command
  cat "$HOME/kexec/kexec-tarball.tar.gz" | tar -xv --gzip
  TMPDIR="$HOME/kexec"  setsid --wait "$HOME/kexec/kexec/run" --kexec-extra-flags ''
} 2>&1 | tee "$HOME/kexec/nixos-anywhere.log" || true

# The script will likely disconnect us, so we consider it successful if we see the kexec message
if ! grep -q 'machine will boot into nixos' "$HOME/kexec/nixos-anywhere.log"; then
  echo 'Kexec may have failed - check output above'
  exit 1
fi
EOF
bash "$HOME/kexec/nixos-anywhere-kexec.sh"
`

// kexecInit lays out a machine that is worth being carried over, and then is nixos-anywhere.
const kexecInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/sbin:/usr/sbin:/usr/bin:/bin HOME=/root TERM=dumb
mkdir -p /proc /sys /dev /run /tmp /etc/ssh /root/.ssh /root/kexec
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
ln -s /proc/self/fd /dev/fd
dmesg -n 1
for m in virtio_pci virtio_net; do modprobe $m; done
echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
{ echo '# mine'; echo 'ssh-ed25519 AAAAmine me@home'
  echo 'no-pty,command="echo '"'Please login as the user \"debian\".'"';sleep 10" ssh-rsa AAAAcloud cloud@init'; } > /root/.ssh/authorized_keys
echo 'host key' > /etc/ssh/ssh_host_ed25519_key
echo 'nameserver 192.0.2.53' > /etc/resolv.conf
ip link set eth0 up
ip address add 192.0.2.10/24 dev eth0
ip address add 198.51.100.7/32 dev eth0
ip address add 192.0.2.200/24 dev eth0 valid_lft 3600 preferred_lft 3600
ip route add 203.0.113.0/24 via 192.0.2.9
ip route add default via 192.0.2.1
mv /kexec-tarball.tar.gz /root/kexec/
`

// TestKexecBoots has a foreign system, Debian's programs on Debian's kernel, start an archive as nixos-anywhere would have
// it, and wants the new one to have what the old one had.
func TestKexecBoots(t *testing.T) {
	t.Parallel()
	need.QEMU(t)
	folder := guestFolder(t)
	root := filepath.Join(t.TempDir(), "root")
	judge(t, "coreutils", "cp", "-R", filepath.Join(folder, "root"), root)
	for program, debianPackage := range map[string]string{"bash": "bash", "tar": "tar", "gzip": "gzip", "setsid": "util-linux", "ip": "iproute2"} {
		giveProgram(t, root, need.Path(t, debianPackage, program))
	}
	judge(t, "coreutils", "cp", kexecOf(t, "host.tar.gz").File, filepath.Join(root, "kexec-tarball.tar.gz"))
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(kexecInit+anywhere+"echo \"@@ status $?\"\nsleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	judge(t, "busybox-static", "sh", "-euc", `cd "$1"; find . | busybox cpio -o -H newc -R 0:0 > "$2" 2>/dev/null`, "sh", root, initrd)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-no-user-config", "-machine", "q35", "-cpu", "qemu64", "-accel", "tcg", "-m", "1024",
		"-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio",
		"-nic", "user,restrict=on,model=virtio-net-pci,mac=52:54:00:12:34:56",
		"-kernel", filepath.Join(folder, "vmlinuz"), "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 rdinit=/init")
	console, text := runUntilOff(t, cmd)
	for _, want := range []string{
		"\nmachine will boot into nixos in 6s...\n", "\n@@ status 0\n", "\nMINI-STAGE1\n", "\nMINI-MEDIUM none\n", " systemd.machine_id=0123456789abcdef0123456789abcdef\n",
		"\nMINI-KEY ssh-ed25519 AAAAmine me@home\n", "\nMINI-KEY ssh-rsa AAAAcloud cloud@init\n", "\nMINI-HOSTKEY host key\n",
		"\nMINI-MODE 600 /root/.ssh/authorized_keys\n", "\nMINI-MODE 600 /etc/ssh/ssh_host_ed25519_key\n",
		" inet 192.0.2.10/24 ", " inet 198.51.100.7/32 ", "\nMINI-ROUTE default via 192.0.2.1 dev eth0 ", "\nMINI-ROUTE 203.0.113.0/24 via 192.0.2.9 dev eth0 ",
		"\nMINI-RESULT PASS\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the console has no %q", want)
		}
	}
	if _, after, _ := strings.Cut(text, "MINI-STAGE1"); strings.Contains(after, "192.0.2.200") {
		t.Error("an address that was leased is carried over as if it were static")
	}
	if t.Failed() {
		t.Logf("the console:\n%s", console)
	}
}

// runUntilOff runs a virtual machine until the guest ends it, and returns what it wrote: all, and without what a
// terminal takes to itself.
func runUntilOff(t *testing.T, cmd *exec.Cmd) (console, text string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("the virtual machine: %v\n%s", err, out.String())
	}
	return out.String(), strings.ReplaceAll(out.String(), "\r", "")
}

// giveProgram puts a program, with the libraries that it is linked with, into a root directory.
func giveProgram(t *testing.T, root, program string) {
	t.Helper()
	program, err := filepath.EvalSymlinks(program)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{program}
	for _, word := range strings.Fields(judge(t, "libc-bin", "ldd", program)) {
		if strings.HasPrefix(word, "/") {
			files = append(files, word)
		}
	}
	for _, file := range files {
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, file)
		if file == program {
			to = filepath.Join(root, "sbin", filepath.Base(program)) // before busybox' own
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(out, in)
		if in.Close() != nil || out.Close() != nil || err != nil {
			t.Fatal(err)
		}
	}
}

// TestKexecTried has 'livebuild test' start archives: a sound one, compressed, and one for another machine.
func TestKexecTried(t *testing.T) {
	t.Parallel()
	need.QEMU(t)
	b, _ := testImage(t, 0, kexecOf(t, "host.tar.gz").File, "--logs", t.TempDir())
	if len(b.Boots) != 1 || b.Boots[0].Mode != "kexec" || b.Arch != "x86_64" {
		t.Fatalf("the boots are %+v", b)
	}
	console := string(readFile(t, b.Boots[0].Log))
	for _, line := range []string{"machine will boot into nixos in 6s...", "MINI-MEDIUM none", "MINI-CHECK ok manifest", "MINI-RESULT PASS"} {
		if !strings.Contains(console, line) {
			t.Errorf("the console has no %q", line)
		}
	}
	other := kexecOf(t, "host.tar").File
	text := readFile(t, other)
	at := bytes.Index(text, []byte("\nx86_64) ;;\n"))
	if at < 0 {
		t.Fatal("the script has no pattern of machines")
	}
	copy(text[at:], "\nriscv9) ;;\n")
	writeFile(t, other, text)
	b, o := testImage(t, 3, other)
	if b.Passed || b.Boots[0].Outcome != "rejected" || !strings.HasPrefix(b.Boots[0].Line, "livebuild: kexec failed: this machine is x86_64, and the system is for x86_64-linux") {
		t.Errorf("the boots are %+v\n%s", b, o.stderr)
	}
}
