package stamp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// link is an interface with all its addresses.
type link struct {
	name      string
	addresses []netip.Prefix
	gateways  []netip.Addr
	dns       []netip.Addr
}

// interfaces are the addresses by their interfaces: a manager of networks has one file for each.
func (i Items) interfaces() (links []*link) {
	for _, a := range i.Addresses {
		n := slices.IndexFunc(links, func(l *link) bool { return l.name == a.Interface })
		if n < 0 {
			n = len(links)
			links = append(links, &link{name: a.Interface})
		}
		l := links[n]
		l.addresses = append(l.addresses, a.Prefix)
		if a.Gateway.IsValid() {
			l.gateways = append(l.gateways, a.Gateway)
		}
		l.dns = append(l.dns, a.DNS...)
	}
	return links
}

// connection is a file of NetworkManager (nm-settings-keyfile(5)).
func (l *link) connection(number int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[connection]\nid=livebuild-interface-%d\ntype=ethernet\nautoconnect-priority=900\n", number)
	fmt.Fprintf(&b, "[match]\ninterface-name=%s;\n", l.name)
	for _, family := range []struct {
		name string
		v4   bool
	}{{"ipv4", true}, {"ipv6", false}} {
		fmt.Fprintf(&b, "[%s]\n", family.name)
		method, count := "auto", 0
		for _, p := range l.addresses {
			if p.Addr().Is4() == family.v4 {
				count++
				method = "manual"
				fmt.Fprintf(&b, "address%d=%s\n", count, p)
			}
		}
		for _, g := range l.gateways {
			if g.Is4() == family.v4 {
				fmt.Fprintf(&b, "gateway=%s\n", g)
			}
		}
		var servers string
		for _, s := range l.dns {
			if s.Is4() == family.v4 {
				servers += s.String() + ";"
			}
		}
		if servers != "" {
			fmt.Fprintf(&b, "dns=%s\n", servers)
		}
		fmt.Fprintf(&b, "method=%s\n", method)
	}
	return b.String()
}

// networkd is a file of systemd-networkd (systemd.network(5)).
func (l *link) networkd() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Match]\nName=%s\n[Network]\n", l.name)
	for _, p := range l.addresses {
		fmt.Fprintf(&b, "Address=%s\n", p)
	}
	for _, g := range l.gateways {
		fmt.Fprintf(&b, "Gateway=%s\n", g)
	}
	for _, s := range l.dns {
		fmt.Fprintf(&b, "DNS=%s\n", s)
	}
	return b.String()
}

// byIP is the call of address.sh.
func (l *link) byIP() string {
	words := []string{"by_ip", quote(l.name), quote(join(l.addresses)), quote(join(l.gateways))}
	for _, s := range l.dns {
		words = append(words, s.String())
	}
	return strings.Join(words, " ")
}

func join[T fmt.Stringer](all []T) string {
	var words []string
	for _, one := range all {
		words = append(words, one.String())
	}
	return strings.Join(words, " ")
}

// connection is a file of NetworkManager. A name is bytes in any encoding.
func (w Wifi) connection(number int) string {
	var ssid strings.Builder
	for _, b := range []byte(w.SSID) {
		fmt.Fprintf(&ssid, "%d;", b)
	}
	return fmt.Sprintf(`[connection]
id=livebuild-wifi-%d
type=wifi
[wifi]
mode=infrastructure
ssid=%s
[wifi-security]
key-mgmt=wpa-psk
psk=%s
[ipv4]
method=auto
[ipv6]
method=auto
`, number, ssid.String(), keyfileValue(w.Passphrase))
}

// iwd is a file of iwd (iwd.network(5)).
func (w Wifi) iwd() string { return "[Security]\nPassphrase=" + keyfileValue(w.Passphrase) + "\n" }

// iwdName is what iwd calls the file, without its extension.
func (w Wifi) iwdName() string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" _-", r)
	}
	if strings.IndexFunc(w.SSID, func(r rune) bool { return !plain(r) }) < 0 {
		return w.SSID
	}
	return "=" + hex.EncodeToString([]byte(w.SSID))
}

// supplicant is a block of wpa_supplicant.conf(5).
func (w Wifi) supplicant() string {
	return fmt.Sprintf("network={\n  ssid=%x\n  psk=\"%s\"\n}\n", w.SSID, w.Passphrase)
}

// keyfileValue escapes a value of a key file (Desktop Entry Specification 1.5, §4).
func keyfileValue(text string) string {
	text = strings.ReplaceAll(text, `\`, `\\`)
	if strings.HasPrefix(text, " ") {
		text = `\s` + text[1:]
	}
	return text
}
