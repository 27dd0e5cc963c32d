package kexec

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/cpio"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// shells are those that a machine may have as /bin/sh.
func shells(t *testing.T) map[string][]string {
	t.Helper()
	return map[string][]string{
		"dash": {judge.Path(t, "dash", "dash")}, "bash": {judge.Path(t, "bash", "bash"), "--posix"},
		"busybox": {judge.Path(t, "busybox-static", "busybox"), "sh"},
	}
}

// machine lays out a machine of whose addresses and keys something is to be carried over, in a network and with folders
// of its own, and runs what is behind.
const machine = `
mount --make-rprivate /
mount -t sysfs sysfs /sys
for folder in /root /etc/ssh; do mkdir -p $folder; mount -t tmpfs tmpfs $folder; done
mkdir -m 700 /root/.ssh
mkdir /etc/ssh/authorized_keys.d
cat > /root/.ssh/authorized_keys <<'END'
# a comment

ssh-ed25519 AAAAmine me@home
restrict,from="192.0.2.0/24" ssh-rsa AAAAbound backup
no-port-forwarding,command="echo 'Please login as the user \"debian\" rather than the user \"root\".';echo;sleep 10;exit 142" ssh-rsa AAAAcloud cloud
END
echo 'sk-ssh-ed25519@openssh.com AAAAtoken token' > /etc/ssh/authorized_keys.d/root
echo secret > /etc/ssh/ssh_host_ed25519_key
echo public > /etc/ssh/ssh_host_ed25519_key.pub
ip link add up0 address 52:54:00:12:34:56 type veth peer name far0
ip link add br0 address 52:54:00:12:34:56 type bridge
ip link set lo up; ip link set far0 up; ip link set up0 up; ip link set br0 up
ip address add 192.0.2.10/24 dev up0
ip address add 198.51.100.7 peer 198.51.100.1 dev up0
ip address add 192.0.2.200/24 dev up0 valid_lft 3600 preferred_lft 3600
ip address add 10.9.8.7/16 dev br0
ip -6 address add 2001:db8::2/64 dev up0 nodad
ip -6 address add 2001:db8::99/64 dev up0 valid_lft 3600 preferred_lft 3600 nodad
ip route add 203.0.113.0/24 via 192.0.2.9 dev up0
ip route add 203.0.114.0/24 via 10.255.255.1 dev up0 onlink
ip route add 203.0.115.0/24 via 192.0.2.9 dev up0 proto dhcp
ip route add unreachable 203.0.116.0/24
ip route add 203.0.117.7 via inet6 2001:db8::7 dev up0
ip route add default via 192.0.2.1 dev up0
ip -6 route add default via 2001:db8::1 dev up0
`

// carried is what is to be carried over of the machine's network, in any order behind each link.
var carried = []string{
	"address 10.9.8.7/16", "address 192.0.2.10/24", "address 198.51.100.7/32", "address 2001:db8::2/64", "lease 192.0.2.200",
	"link 52:54:00:12:34:56", "route 0.0.0.0/0 192.0.2.1 -", "route 198.51.100.1/32 - -", "route 203.0.113.0/24 192.0.2.9 -",
	"route 203.0.114.0/24 10.255.255.1 onlink", "route 203.0.117.7/32 2001:db8::7 -", "route ::/0 2001:db8::1 -",
}

// unpacked lays an archive out as it is unpacked, with a kexec that only says how it is called, and the initrd's size.
func unpacked(t *testing.T, initrd []byte) (folder string) {
	t.Helper()
	folder = t.TempDir()
	s := System{Title: "It's NixOS", Platform: "x86_64-linux", Params: []string{"init=/nix/store/a/init", "quote=it's"}, InitrdSize: int64(len(initrd))}
	for name, data := range map[string][]byte{
		Run: s.Script(), Initrd: initrd, Restore: RestoreArchive(), Kernel: []byte("kernel"),
		Kexec: []byte("#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done >> " + folder + "/calls\necho >> " + folder + "/calls\n" +
			"[ ! -e " + folder + "/refuse ] || exit 1\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, program := range map[string]string{Busybox: judge.Path(t, "busybox-static", "busybox"), IP: judge.Path(t, "iproute2", "ip")} {
		if err := os.Symlink(program, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestRun has the script of an archive carry a machine over, with every shell, and twice: the second time has the same
// outcome.
func TestRun(t *testing.T) {
	judge.Root(t)
	unshare := judge.Path(t, "util-linux", "unshare")
	stage1 := bytes.Repeat([]byte("initrd\x00\x00"), 200)
	for name, shell := range shells(t) {
		folder := unpacked(t, stage1)
		run := strings.Join(shell, " ") + " " + folder + "/run --kexec-extra-flags '--no-sync --reset-vga' --kernel-params 'console=ttyS0'"
		cmd := exec.Command(unshare, "--mount", "--net", "sh", "-euc", machine+run+"\n"+run)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "machine will boot into nixos") != 2 {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		calls := readFile(t, folder, "calls")
		call := "<--load><" + folder + "/bzImage><--kexec-syscall"
		if strings.Count(calls, call) != 2 || !strings.Contains(calls, "><--no-sync><--reset-vga><--initrd="+folder+"/initrd><--no-checks><--command-line><init=/nix/store/a/init quote=it's console=ttyS0") {
			t.Errorf("%s: kexec is called so:\n%s", name, calls)
		}
		rest, ok := strings.CutPrefix(readFile(t, folder, Initrd), string(stage1)+string(RestoreArchive()))
		if !ok {
			t.Fatalf("%s: the initrd is not what it was, with what takes things over behind it", name)
		}
		members, err := cpio.Read([]byte(rest))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files := map[string]string{}
		for _, m := range members {
			files[m.Name] = string(m.Data)
			if m.Mode&0o077 != 0 && m.Mode&cpio.ModeKind == cpio.ModeRegular {
				t.Errorf("%s: others can read %s", name, m.Name)
			}
		}
		ours := ".initrd-secrets/run/livebuild/kexec/"
		keys := "restrict,from=\"192.0.2.0/24\" ssh-rsa AAAAbound backup\nsk-ssh-ed25519@openssh.com AAAAtoken token\nssh-ed25519 AAAAmine me@home\nssh-rsa AAAAcloud cloud\n"
		for file, want := range map[string]string{
			ours + "authorized_keys": keys, "ssh/authorized_keys": keys,
			ours + "ssh_host_ed25519_key": "secret\n", "ssh/ssh_host_ed25519_key": "secret\n", "ssh/ssh_host_ed25519_key.pub": "public\n",
		} {
			if files[file] != want {
				t.Errorf("%s: %s is %q, want %q", name, file, files[file], want)
			}
		}
		var got []string
		for line := range strings.Lines(files[ours+"network"]) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "dns ") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, carried) {
			t.Errorf("%s: carried over is\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(carried, "\n"))
		}
		for file, want := range map[string]string{"addrs.json": `"local":"192.0.2.10"`, "routes-v4.json": `"dst":"203.0.113.0/24"`, "routes-v6.json": `"gateway":"2001:db8::1"`} {
			if !strings.HasPrefix(files[file], "[") || !strings.Contains(files[file], want) {
				t.Errorf("%s: %s is %q", name, file, files[file])
			}
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "carried.*")); len(left) > 0 {
			t.Errorf("%s: left is %q", name, left)
		}
	}
}

// TestRunRefuses has machines that cannot do it say why, and what would help.
func TestRunRefuses(t *testing.T) {
	judge.Root(t)
	unshare := judge.Path(t, "util-linux", "unshare")
	folder := unpacked(t, make([]byte, 4096))
	replaced := func(old, new string) string {
		file := filepath.Join(t.TempDir(), Run)
		text := strings.ReplaceAll(readFile(t, folder, Run), `here=$(dirname "$(readlink -f "$0")")`, "here="+folder)
		if !strings.Contains(text, old) {
			t.Fatalf("the script has no %s", old)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, old, new)), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if err := os.WriteFile(filepath.Join(folder, "refuse"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	lockdown := filepath.Join(t.TempDir(), "lockdown")
	if err := os.WriteFile(lockdown, []byte("none [integrity] confidentiality\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, script := range map[string]string{
		"only root can start another system":                                replaced("$(id -u)", "1000"),
		"and the system is for x86_64-linux":                                replaced("$(uname -m)", "riscv64"),
		"kernel.kexec_load_disabled is 1":                                   replaced("$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || true)", "1"),
		"MiB of memory, and the system takes more than 20000000 MiB":        replaced("$((        4096))", "$((10485760000000))"),
		"there is no option --kernel-params=x":                              replaced("extra=\nwhile", "set -- --kernel-params=x\nextra=\nwhile"),
		"locked down, as it is where Secure Boot is on":                     replaced("/sys/kernel/security/lockdown", lockdown),
		"built without kexec":                                               replaced("[ -e /proc/sys/kernel/kexec_load_disabled ]", "false"),
		"kexec could not load the system":                                   replaced("[ -e /proc/sys/kernel/kexec_load_disabled ]", "true"),
		"the programs in " + folder + " cannot be run":                      replaced(`"$here/busybox" "$@"`, "false"),
		"addresses and routes are not carried over: there is no command ip": replaced(`if [ -x "$here/ip" ]; then ip=$here/ip; else ip=$(command -v ip || true); fi`, "ip="),
	} {
		out, err := exec.Command(unshare, "--mount", "--net", "sh", "-euc", machine+"dash "+script).CombinedOutput()
		text := string(out)
		if err == nil || !strings.Contains(text, want) || !strings.Contains(text, "\nhint: ") && !strings.HasPrefix(text, "hint: ") || strings.Contains(text, "machine will boot") {
			t.Errorf("%s: %v\n%s", want, err, text)
		}
	}
}

// restored runs what takes over in a root directory of its own, of a system with a unit, with every shell, and returns
// the directory.
func restored(t *testing.T, shell []string, unit string) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"etc/systemd/system", "etc/ssh/authorized_keys.d", "root", "run/livebuild/kexec"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/systemd/system/" + unit: "", "etc/systemd/system/sshd.service": "", "etc/ssh/authorized_keys.d/root": "ssh-ed25519 configured\n",
		"run/livebuild/kexec/authorized_keys": "ssh-ed25519 AAAA me@home\n", "run/livebuild/kexec/ssh_host_rsa_key": "secret\n",
		"run/livebuild/kexec/ssh_host_rsa_key.pub": "public\n",
		"run/livebuild/kexec/network":              strings.Join(append([]string{"link 52:54:00:12:34:56"}, append(slices.DeleteFunc(slices.Clone(carried), isLink), "link 52:54:00:00:00:01", "lease 192.0.2.77", "dns 192.0.2.53", "dns 2001:db8::53", "")...), "\n"),
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.NewReplacer("/etc/", root+"/etc/", "/root/", root+"/root/", "/run/", root+"/run/", "systemctl ", "echo systemctl ").Replace(restoreScript)
	out, err := exec.Command(shell[0], append(shell[1:], "-euc", script)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "systemctl --no-block start sshd.service\n") || !strings.Contains(string(out), "2 interfaces have") {
		t.Fatalf("%v: %v\n%s", shell, err, out)
	}
	for name, want := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"root/.ssh/authorized_keys":      {"ssh-ed25519 AAAA me@home\n", 0o600},
		"etc/ssh/authorized_keys.d/root": {"ssh-ed25519 configured\nssh-ed25519 AAAA me@home\n", 0o644},
		"etc/ssh/ssh_host_rsa_key":       {"secret\n", 0o600},
		"etc/ssh/ssh_host_rsa_key.pub":   {"public\n", 0o644},
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode() != want.mode || readFile(t, root, name) != want.text {
			t.Errorf("%v: %s is %q (%v, %v), want %q", shell, name, readFile(t, root, name), info, err, want.text)
		}
	}
	return root
}

func isLink(line string) bool { return strings.HasPrefix(line, "link ") }

// TestRestoreNetworkd has systemd-networkd set up what is carried over.
func TestRestoreNetworkd(t *testing.T) {
	texts := map[string]bool{}
	for _, shell := range shells(t) {
		root := restored(t, shell, "systemd-networkd.service")
		texts[readFile(t, root, "run/systemd/network/05-livebuild-kexec-1.network")] = true
		if lease := readFile(t, root, "run/systemd/network/05-livebuild-kexec-2.network"); !strings.Contains(lease, "MACAddress=52:54:00:00:00:01\n") || !strings.HasSuffix(lease, "\n[DHCPv4]\nRequestAddress=192.0.2.77\n") {
			t.Errorf("%v: of the interface with a lease there is\n%s", shell, lease)
		}
	}
	if len(texts) != 1 {
		t.Fatalf("shells make different files: %v", texts)
	}
	for text := range texts {
		said := judge.Networkd(t, text, "52:54:00:12:34:56")
		for _, want := range []string{
			" 192.0.2.10/24 ", " 198.51.100.7/32 ", " 10.9.8.7/16 ", " 2001:db8::2/64 ",
			"default via 192.0.2.1 dev enx9 ", "default via 2001:db8::1 dev enx9 ", "\n198.51.100.1 dev enx9 ", "\n203.0.113.0/24 via 192.0.2.9 dev enx9 ",
			"\n203.0.114.0/24 via 10.255.255.1 dev enx9 ", "\n203.0.117.7 via inet6 2001:db8::7 dev enx9 ", "\nDNS=192.0.2.53 2001:db8::53\n",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("networkd does not say %q:\n%s", want, said)
			}
		}
		for line := range strings.Lines(said) {
			if strings.Contains(line, "05-livebuild-0.network:") { // what it does not understand
				t.Error(line)
			}
		}
	}
}

// TestRestoreNetworkManager has NetworkManager read what is carried over, and compares it with what it makes itself
// of the same addresses.
func TestRestoreNetworkManager(t *testing.T) {
	networks := judge.Networks(t)
	sections := []string{"ethernet", "ipv4", "ipv6"}
	mode := func(line string) bool { return strings.HasPrefix(line, "ipv6.addr-gen-mode=") }
	want := slices.DeleteFunc(judge.NMCLI(t, networks, "", sections, "add", "type", "ethernet", "ifname", "", "ethernet.mac-address", "52:54:00:12:34:56",
		"ipv4.method", "auto", "ipv4.addresses", "10.9.8.7/16,192.0.2.10/24,198.51.100.7/32", "ipv4.dns", "192.0.2.53",
		"ipv4.routes", "0.0.0.0/0 192.0.2.1,198.51.100.1/32,203.0.113.0/24 192.0.2.9,203.0.114.0/24 10.255.255.1 onlink=true",
		"ipv6.method", "manual", "ipv6.addresses", "2001:db8::2/64", "ipv6.dns", "2001:db8::53", "ipv6.routes", "::/0 2001:db8::1"), mode)
	for _, shell := range shells(t) {
		root := restored(t, shell, "NetworkManager.service")
		folder := filepath.Join(root, "run/NetworkManager/system-connections")
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("%v: the connections are %v (%v), want one: a lease is asked for in any case", shell, entries, err)
		}
		file := filepath.Join(folder, "livebuild-kexec-1.nmconnection")
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v: %v, %v: NetworkManager takes no file that others may read", shell, info, err)
		}
		got := slices.DeleteFunc(judge.NMCLI(t, networks, readFile(t, folder, filepath.Base(file)), sections, "modify", "connection.autoconnect-priority", "3"), mode)
		if !slices.Equal(got, want) {
			t.Errorf("%v: NetworkManager reads\n%s\nwant\n%s", shell, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestRestoreByIP has the unit for systems without such a service set up what is carried over.
func TestRestoreByIP(t *testing.T) {
	judge.Root(t)
	unshare := judge.Path(t, "util-linux", "unshare")
	for name, shell := range shells(t) {
		root := restored(t, shell, "iwd.service")
		script := strings.NewReplacer("/run/livebuild", root+"/run/livebuild", "/etc/resolv.conf", root+"/etc/resolv.conf", "command -v resolvconf", "false").Replace(addressesScript)
		const look = "\nip -brief address show dev enx9\nip route\nip -6 route\n"
		cmd := exec.Command(unshare, "--mount", "--net", "sh", "-euc", `
mount --make-rprivate /; mount -t sysfs sysfs /sys
ip link add enx9 address 52:54:00:12:34:56 type veth peer name peer0; ip link set peer0 up
ip link add enx8 address 52:54:00:00:00:01 type veth peer name peer1
`+strings.Join(shell, " ")+" -uc \"$1\""+look, "sh", script)
		out, err := cmd.CombinedOutput()
		for _, want := range []string{
			" 192.0.2.10/24 ", " 198.51.100.7/32 ", " 10.9.8.7/16 ", " 2001:db8::2/64 ", "default via 192.0.2.1 dev enx9 ", "default via 2001:db8::1 dev enx9 ",
			"\n203.0.113.0/24 via 192.0.2.9 dev enx9 ", "\n203.0.114.0/24 via 10.255.255.1 dev enx9 onlink", "\n203.0.117.7 via inet6 2001:db8::7 dev enx9 ",
		} {
			if name == "busybox" && strings.Contains(want, "inet6") { // whose own ip does not know that
				continue
			}
			if err != nil || !strings.Contains(string(out), want) {
				t.Fatalf("%v: %v: no %q in\n%s", shell, err, want, out)
			}
		}
		if got := readFile(t, root, "etc/resolv.conf"); got != "nameserver 192.0.2.53\nnameserver 2001:db8::53\n" {
			t.Errorf("%v: resolv.conf is %q", shell, got)
		}
	}
}

// TestRestoreLeaves has a system with nixos-images' module for its networks do that itself.
func TestRestoreLeaves(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"etc/systemd/system/restore-network.service", "etc/systemd/system/systemd-networkd.service", "run/livebuild/kexec/network"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(strings.Join(carried, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.NewReplacer("/etc/", root+"/etc/", "/run/", root+"/run/").Replace(restoreScript)
	judge.Run(t, "dash", "dash", "-euc", script)
	if _, err := os.Stat(filepath.Join(root, "run/systemd/network")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("networkd is told, too (%v)", err)
	}
}

func readFile(t testing.TB, folder, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
