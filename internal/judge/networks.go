package judge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// networkdScript starts systemd-networkd of a tree in a network of its own, with a file, and says what it made of an
// interface, enx9, which has the address of Ethernet that is given. What it writes is in memory. That /sys is read-only tells it not to wait for udev.
const networkdScript = `
root=$1 file=$2 mac=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$root/run"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/run/etc" "$root/run/systemd/network" "$root/run/systemd/netif/links" "$root/run/systemd/netif/leases" "$root/run/systemd/netif/lldp"
cp -a "$root/etc/." "$root/run/etc/"
echo 0123456789abcdef0123456789abcdef > "$root/run/etc/machine-id"
mount --bind "$root/run/etc" "$root/etc"
chmod -R a+rwX "$root/run/systemd"
cat "$file" > "$root/run/systemd/network/05-livebuild-0.network"
ip link add enx9 address "$mac" type veth peer name peer0
ip link set peer0 up
SYSTEMD_LOG_TARGET=console chroot "$root" /usr/lib/systemd/systemd-networkd &
trap "kill $!; wait $! || true" EXIT
index=$(cat /sys/class/net/enx9/ifindex 2>/dev/null || cat "$root/sys/class/net/enx9/ifindex")
tries=0
while ! grep -q '^ADMIN_STATE=\(configured\|failed\)' "$root/run/systemd/netif/links/$index" 2>/dev/null && [ $tries -lt 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
ip -brief address show dev enx9
ip -brief address show dev peer0
ip route show
ip -6 route show
cat "$root/run/systemd/netif/links/$index"
`

// Networkd has systemd-networkd, of the system that 'make systemd' lays out, take a file, and returns what comes of it
// on an interface enx9 with an address of Ethernet: its addresses, routes, and state.
func Networkd(t testing.TB, text, mac string) string {
	t.Helper()
	root := systemd(t, "tree", "usr/lib/systemd/systemd-networkd")
	file := filepath.Join(t.TempDir(), "network")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	unshare := Path(t, "util-linux", "unshare")
	Path(t, "iproute2", "ip")
	out, err := exec.Command(unshare, "--mount", "--net", "sh", "-euc", networkdScript, "sh", root, file, mac).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// systemd is a system of that name with a program, which 'make systemd' lays out.
func systemd(t testing.TB, name, program string) string {
	t.Helper()
	Root(t)
	folder := os.Getenv("LIVEBUILD_SYSTEMD")
	if folder == "" {
		folder = "../../.work/systemd"
	}
	root, err := filepath.Abs(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, program)); err != nil {
		Missing(t, filepath.Base(program), fmt.Sprintf("the system with systemd is not laid out: run 'make systemd' (%v)", err))
	}
	return root
}

// Networks is a system with NetworkManager and wpa_supplicant, which 'make systemd' lays out.
func Networks(t testing.TB) string {
	t.Helper()
	return systemd(t, "networks", "usr/bin/nmcli")
}

// NMCLI runs NetworkManager's own reader and writer of connections, and returns the lines of
// those sections.
func NMCLI(t testing.TB, root, connection string, sections []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("chroot", append([]string{root, "/usr/bin/nmcli", "--offline", "connection"}, args...)...)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin"}
	cmd.Stdin = strings.NewReader(connection)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("nmcli %q: %v\n%s\nof\n%s", args, err, out, connection)
	}
	var lines []string
	section := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if line != "" && slices.Contains(sections, section) {
			lines = append(lines, section+"."+line)
		}
	}
	slices.Sort(lines)
	return lines
}
