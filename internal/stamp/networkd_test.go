package stamp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestAddressNetworkd has systemd-networkd set up what is stamped.
func TestAddressNetworkd(t *testing.T) {
	items := Items{Addresses: []Address{
		{"en*", netip.MustParsePrefix("192.0.2.10/24"), netip.MustParseAddr("192.0.2.1"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
		{"en*", netip.MustParsePrefix("198.51.100.7/16"), netip.Addr{}, nil},
		{"en*", netip.MustParsePrefix("2001:db8::2/64"), netip.MustParseAddr("2001:db8::1"), []netip.Addr{netip.MustParseAddr("2001:db8::53")}},
	}}
	said := judge.Networkd(t, items.interfaces()[0].networkd(), "52:54:00:12:34:56")
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
