package nixos

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/installable"
)

// Form is what is made of a configuration.
type Form string

// The forms: an image of a medium, and what a boot loader fetches over the network or kexec
// starts, which is all in memory.
const (
	ISO     Form = "iso"
	Netboot Form = "netboot"
	Kexec   Form = "kexec"
)

// Changes are made to a configuration for one image alone.
type Changes struct {
	// Form is what is made of the configuration; empty for ISO.
	Form Form
	// NoLive refuses a configuration without the ISO module, which is otherwise
	// added.
	NoLive bool
	// Variant is the one of image.modules that the image is made with, as in
	// system.build.images of NixOS since 25.05. If it is empty, that is "iso" where
	// the ISO module is added.
	Variant string
	// Modules are files with NixOS modules: absolute paths, or names in angle
	// brackets.
	Modules []string

	VolumeID string // instead of isoImage.volumeID, unless empty
	// sharedVolumeID is that of the medium, where other configurations are on it, too. One that
	// is forced in the configuration stays, and can be told.
	sharedVolumeID string

	// beside says that another configuration is on the medium, which installs what it can.
	beside       bool
	KernelParams []string // at the end of the kernel's command line
	SSHKeys      []string // public keys that let root in, by a server that starts at boot
	StaticIPs    []StaticIP

	// MediaCheck has stage 1, and GRUB, able to check the medium.
	MediaCheck bool
	// Persistent has the live system keep its files on the stick that it started from, if
	// that has a partition for them: manifest.PersistentPlain, or manifest.PersistentLUKS
	// for one that is encrypted, too; empty for not.
	Persistent string
	// Stamp has a stage 1 of systemd copy what a further initrd brings, where the
	// configuration can be extended.
	Stamp bool
	// Loopback has a stage 1 of systemd find a medium that is a file on a disk, where the
	// configuration can be extended.
	Loopback bool
	// SecureBoot has GRUB verify what it reads; nil for one that does not.
	SecureBoot *SecureBoot

	// Install are systems that the medium can install, with the source that they are of.
	Install       []Install
	InstallSource InstallSource
}

// SecureBoot says how the boot loader of an image is for Secure Boot.
type SecureBoot struct {
	Shim bool `json:"shim"` // a shim starts it
	Edit bool `json:"edit"` // menu entries can be edited, and commands typed
}

// StaticIP is the address of a network interface.
type StaticIP struct {
	Interface string
	Address   netip.Prefix // the address of the machine, with the length of its network
	Gateway   netip.Addr   // of the address's family; invalid for none
	DNS       []netip.Addr
}

// String is what ParseStaticIP reads.
func (ip StaticIP) String() string {
	text := ip.Interface + "=" + ip.Address.String()
	if ip.Gateway.IsValid() {
		text += ",gw=" + ip.Gateway.String()
	}
	for _, server := range ip.DNS {
		text += ",dns=" + server.String()
	}
	return text
}

// ChangeError reports a change that cannot be made.
type ChangeError struct {
	What   string // "static address", "SSH key"
	Text   string
	Reason string
}

func (e *ChangeError) Error() string { return fmt.Sprintf("%s %q %s", e.What, e.Text, e.Reason) }

// ParseStaticIP reads IFACE=ADDR/PREFIX[,gw=ADDR][,dns=ADDR]…; dns may be
// repeated. Errors are of type *ChangeError.
func ParseStaticIP(text string) (StaticIP, error) {
	fail := func(reason string) (StaticIP, error) {
		return StaticIP{}, &ChangeError{"static address", text, reason}
	}
	name, rest, ok := strings.Cut(text, "=")
	// Linux keeps names in 16 bytes, with a final zero (IFNAMSIZ in linux/if.h).
	if !ok || name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n:\"") {
		return fail("does not begin with an interface and '='")
	}
	parts := strings.Split(rest, ",")
	prefix, err := netip.ParsePrefix(parts[0])
	if err != nil {
		return fail("has no address with the length of its network")
	}
	ip := StaticIP{Interface: name, Address: prefix}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		address, err := netip.ParseAddr(value)
		switch {
		case key != "gw" && key != "dns":
			return fail(fmt.Sprintf("has %q, which is neither gw= nor dns=", part))
		case err != nil || address.Zone() != "":
			return fail(fmt.Sprintf("has %q, which is no address", part))
		case key == "dns":
			ip.DNS = append(ip.DNS, address)
		case ip.Gateway.IsValid():
			return fail("has two gateways")
		case address.Is4() != prefix.Addr().Is4():
			return fail("has a gateway of the other family")
		default:
			ip.Gateway = address
		}
	}
	return ip, nil
}

// ParseStaticIPs reads several addresses, of which one per family may have a
// gateway. Errors are of type *ChangeError.
func ParseStaticIPs(texts []string) ([]StaticIP, error) {
	var all []StaticIP
	for _, text := range texts {
		ip, err := ParseStaticIP(text)
		if err != nil {
			return nil, err
		}
		if ip.Gateway.IsValid() && slices.ContainsFunc(all, func(other StaticIP) bool {
			return other.Gateway.IsValid() && other.Gateway.Is4() == ip.Gateway.Is4()
		}) {
			return nil, &ChangeError{"static address", text, "has a second gateway of its family"}
		}
		all = append(all, ip)
	}
	return all, nil
}

// keyTypes are how lines with a public key begin (sshd(8), AUTHORIZED_KEYS FILE
// FORMAT); options may come first.
var keyTypes = []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-"}

// ReadSSHKeys returns the public keys that text is, or that the file of that
// name has, one a line. Errors are of type *ChangeError, or come from the file.
func ReadSSHKeys(text string) ([]string, error) {
	if hasKeyType(text) {
		return []string{strings.TrimSpace(text)}, nil
	}
	data, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	var keys []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.Contains(line, "PRIVATE KEY"):
			return nil, &ChangeError{"SSH key", text, "is a private key, which does not belong on a medium"}
		case !hasKeyType(line):
			return nil, &ChangeError{"SSH key", text, "is a file with a line that is no public key"}
		default:
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, &ChangeError{"SSH key", text, "is a file without a key"}
	}
	return keys, nil
}

func hasKeyType(line string) bool {
	words := strings.Fields(line)
	return len(words) > 1 && slices.ContainsFunc(words[:len(words)-1], func(word string) bool {
		return slices.ContainsFunc(keyTypes, func(t string) bool { return strings.HasPrefix(word, t) })
	})
}

// ModuleFile returns the absolute path of a file with a module, which must
// exist, or a name in angle brackets as it is.
func ModuleFile(text string) (string, error) {
	if installable.IsSearchPath(text) {
		return text, nil
	}
	if _, err := os.Stat(text); err != nil {
		return "", err
	}
	return filepath.Abs(text)
}

// settings returns the argument of changes.nix, as JSON.
func (c Changes) settings(of installable.Installable) (string, error) {
	type staticIP struct {
		Interface    string   `json:"interface"`
		Address      string   `json:"address"`
		PrefixLength int      `json:"prefixLength"`
		V6           bool     `json:"v6"`
		Gateway      string   `json:"gateway,omitempty"`
		DNS          []string `json:"dns,omitempty"`
	}
	settings := struct {
		VolumeID     string      `json:"volumeID,omitempty"`
		KernelParams []string    `json:"kernelParams,omitempty"`
		SSHKeys      []string    `json:"sshKeys,omitempty"`
		StaticIPs    []staticIP  `json:"staticIPs,omitempty"`
		MediaCheck   bool        `json:"mediaCheck,omitempty"`
		Stamp        bool        `json:"stamp,omitempty"`
		Loopback     bool        `json:"loopback,omitempty"`
		Persistent   string      `json:"persistent,omitempty"`
		SecureBoot   *SecureBoot `json:"secureBoot,omitempty"`

		Install   []installSetting `json:"install,omitempty"`
		Installer bool             `json:"installer,omitempty"`
		Beside    bool             `json:"beside,omitempty"`
	}{VolumeID: c.VolumeID, KernelParams: c.KernelParams, SSHKeys: c.SSHKeys, MediaCheck: c.MediaCheck,
		Stamp: c.Stamp, Loopback: c.Loopback, Persistent: c.Persistent, SecureBoot: c.SecureBoot,
		Install: c.from(of), Installer: len(c.Install) > 0, Beside: c.beside}
	for _, ip := range c.StaticIPs {
		s := staticIP{
			Interface: ip.Interface, Address: ip.Address.Addr().String(), PrefixLength: ip.Address.Bits(), V6: !ip.Address.Addr().Is4(),
		}
		if ip.Gateway.IsValid() {
			s.Gateway = ip.Gateway.String()
		}
		for _, server := range ip.DNS {
			s.DNS = append(s.DNS, server.String())
		}
		settings.StaticIPs = append(settings.StaticIPs, s)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return "", fmt.Errorf("writing the changes for Nix: %w", err)
	}
	return string(text), nil
}
