package netboot

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// URLs are where a listener on this machine is found by others, the script's name at their ends.
func URLs(at net.Addr, script string) (list []string, err error) {
	bound, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return nil, err
	}
	url := func(a netip.Addr) string {
		return fmt.Sprintf("http://%s/%s", netip.AddrPortFrom(a, bound.Port()), script)
	}
	if !bound.Addr().IsUnspecified() {
		return []string{url(bound.Addr().Unmap())}, nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, a := range own {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if addr := prefix.Addr().Unmap(); !addr.IsLoopback() && !addr.IsLinkLocalUnicast() {
			list = append(list, url(addr))
		}
	}
	if len(list) == 0 {
		list = []string{url(netip.AddrFrom4([4]byte{127, 0, 0, 1}))}
	}
	return list, nil
}

// Dnsmasq is what dnsmasq.conf(8) needs to have firmware load iPXE from a folder by TFTP, and iPXE
// the script at a URL. A DHCP server says it: where dnsmasq is none yet, dhcp-range makes it one.
func Dnsmasq(url string) []string {
	return strings.Split(`enable-tftp
tftp-root=/srv/tftp
dhcp-match=set:ipxe,175
dhcp-match=set:efi,option:client-arch,7
dhcp-boot=tag:!ipxe,tag:!efi,undionly.kpxe
dhcp-boot=tag:!ipxe,tag:efi,ipxe.efi
dhcp-boot=tag:ipxe,`+url, "\n")
}
