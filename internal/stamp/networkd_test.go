package stamp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// networkdScript starts systemd-networkd of a tree in a network of its own, with a file, and says what it made of an
// interface. What it writes is in memory. That /sys is read-only tells it not to wait for udev.
const networkdScript = `
root=$1 file=$2
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
ip link add enx9 type veth peer name peer0
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
ip route show default
ip -6 route show default
cat "$root/run/systemd/netif/links/$index"
`

// TestAddressNetworkd has systemd-networkd set up what is stamped.
func TestAddressNetworkd(t *testing.T) {
	judge.Root(t)
	folder := os.Getenv("LIVEBUILD_SYSTEMD")
	if folder == "" {
		folder = "../../.work/systemd"
	}
	root, err := filepath.Abs(filepath.Join(folder, "tree"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/lib/systemd/systemd-networkd")); err != nil {
		judge.Missing(t, "systemd-networkd", fmt.Sprintf("the system with systemd is not laid out: run 'make systemd' (%v)", err))
	}
	items := Items{Addresses: []Address{
		{"en*", netip.MustParsePrefix("192.0.2.10/24"), netip.MustParseAddr("192.0.2.1"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
		{"en*", netip.MustParsePrefix("198.51.100.7/16"), netip.Addr{}, nil},
		{"en*", netip.MustParsePrefix("2001:db8::2/64"), netip.MustParseAddr("2001:db8::1"), []netip.Addr{netip.MustParseAddr("2001:db8::53")}},
	}}
	file := filepath.Join(t.TempDir(), "network")
	if err := os.WriteFile(file, []byte(items.interfaces()[0].networkd()), 0o644); err != nil {
		t.Fatal(err)
	}
	unshare := judge.Path(t, "util-linux", "unshare")
	judge.Path(t, "iproute2", "ip")
	out, err := exec.Command(unshare, "--mount", "--net", "sh", "-euc", networkdScript, "sh", root, file).CombinedOutput()
	said := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{
		" 192.0.2.10/24 ", " 198.51.100.7/16 ", " 2001:db8::2/64 ",
		"default via 192.0.2.1 dev enx9 ", "default via 2001:db8::1 dev enx9 ",
		"\nADMIN_STATE=configured\n", "\nDNS=192.0.2.53 2001:db8::53\n", "\nNETWORK_FILE=/run/systemd/network/05-livebuild-0.network\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("networkd does not say %q:\n%s", want, said)
		}
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, "05-livebuild-0.network:") { // what it does not understand
			t.Error(line)
		}
		if strings.HasPrefix(line, "peer0") && strings.Contains(line, "192.0.2.10") {
			t.Errorf("another interface has the address: %s", line)
		}
	}
}
