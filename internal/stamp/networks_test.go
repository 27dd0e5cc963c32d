package stamp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

var stampedWifi = []Wifi{
	{"home", "correct horse"}, {"Café ; = #", `back\slash "quoted"; #x`}, {" spaces ", "  12345678  "}, {"[x]", `\s\n\\ end\`},
}

// TestWifiNetworkManager has NetworkManager read connections, and compares them with those that it
// makes itself of the same names and passphrases.
func TestWifiNetworkManager(t *testing.T) {
	root := judge.Networks(t)
	sections := []string{"wifi", "wifi-security", "ipv4", "ipv6"}
	for n, w := range stampedWifi {
		got := judge.NMCLI(t, root, w.connection(n), sections, "modify", "connection.autoconnect-priority", "3")
		want := judge.NMCLI(t, root, "", sections, "add", "type", "wifi", "ifname", "*", "ssid", w.SSID, "wifi.mode", "infrastructure",
			"wifi-sec.key-mgmt", "wpa-psk", "wifi-sec.psk", w.Passphrase, "ipv4.method", "auto", "ipv6.method", "auto")
		want = slices.DeleteFunc(want, func(line string) bool { return strings.HasPrefix(line, "ipv6.addr-gen-mode=") })
		got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "ipv6.addr-gen-mode=") })
		if !slices.Equal(got, want) {
			t.Errorf("%q: NetworkManager reads\n%q\nwant\n%q", w.SSID, got, want)
		}
	}
}

// TestAddressNetworkManager does so with static addresses.
func TestAddressNetworkManager(t *testing.T) {
	root := judge.Networks(t)
	items := Items{Addresses: []Address{
		{"en*", netip.MustParsePrefix("192.0.2.10/24"), netip.MustParseAddr("192.0.2.1"), []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
		{"en*", netip.MustParsePrefix("198.51.100.7/16"), netip.Addr{}, nil},
		{"en*", netip.MustParsePrefix("2001:db8::2/64"), netip.MustParseAddr("2001:db8::1"), []netip.Addr{netip.MustParseAddr("2001:db8::53")}},
	}}
	sections := []string{"match", "ipv4", "ipv6"}
	got := judge.NMCLI(t, root, items.interfaces()[0].connection(0), sections, "modify", "connection.autoconnect-priority", "3")
	want := judge.NMCLI(t, root, "", sections, "add", "type", "ethernet", "ifname", "", "match.interface-name", "en*",
		"ipv4.method", "manual", "ipv4.addresses", "192.0.2.10/24,198.51.100.7/16", "ipv4.gateway", "192.0.2.1", "ipv4.dns", "192.0.2.53",
		"ipv6.method", "manual", "ipv6.addresses", "2001:db8::2/64", "ipv6.gateway", "2001:db8::1", "ipv6.dns", "2001:db8::53")
	mode := func(line string) bool { return strings.HasPrefix(line, "ipv6.addr-gen-mode=") }
	if got, want = slices.DeleteFunc(got, mode), slices.DeleteFunc(want, mode); !slices.Equal(got, want) {
		t.Errorf("NetworkManager reads\n%q\nwant\n%q", got, want)
	}
}

// TestWifiSupplicant has wpa_supplicant read its configuration. It then fails, for want of an
// interface of that name.
func TestWifiSupplicant(t *testing.T) {
	root := judge.Networks(t)
	var text strings.Builder
	for _, w := range stampedWifi {
		text.WriteString(w.supplicant())
	}
	folder, err := os.MkdirTemp(root, "wpa-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.WriteFile(filepath.Join(folder, "conf"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// Names of interfaces have 15 characters at most, so there is none of this one.
	cmd := exec.Command("chroot", root, "/usr/sbin/wpa_supplicant", "-dd", "-K", "-D", "wired", "-i", "no-interface-is-so", "-c", "/"+filepath.Base(folder)+"/conf")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("wpa_supplicant succeeds")
	}
	said := string(out)
	if strings.Contains(said, "Failed to read or parse configuration") || strings.Contains(said, "Line: ") && strings.Contains(said, "Invalid") {
		t.Errorf("wpa_supplicant does not take\n%s\n%s", &text, said)
	}
	for _, w := range stampedWifi {
		hexadecimal := strings.TrimSpace(fmt.Sprintf("% x", w.Passphrase))
		if flat := strings.Join(strings.Fields(said), " "); !strings.Contains(flat, fmt.Sprintf("hexdump_ascii(len=%d): ", len(w.Passphrase))) ||
			!strings.Contains(flat, hexadecimal[:min(len(hexadecimal), 16*3-1)]) || !strings.Contains(flat, fmt.Sprintf("% x", w.SSID)) {
			t.Errorf("wpa_supplicant does not read %q and its passphrase:\n%s", w.SSID, said)
		}
	}
}
