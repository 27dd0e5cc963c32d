package nixos

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/installable"
)

func TestParseStaticIP(t *testing.T) {
	address := netip.MustParseAddr
	for text, want := range map[string]StaticIP{
		"eth0=192.0.2.10/24": {Interface: "eth0", Address: netip.MustParsePrefix("192.0.2.10/24")},
		"enp0s31f6=192.0.2.10/32,gw=198.51.100.1,dns=192.0.2.53,dns=2001:db8::53": {Interface: "enp0s31f6", Address: netip.MustParsePrefix("192.0.2.10/32"),
			Gateway: address("198.51.100.1"), DNS: []netip.Addr{address("192.0.2.53"), address("2001:db8::53")}},
		"vlan.5=2001:db8::1/64,gw=fe80::1": {Interface: "vlan.5", Address: netip.MustParsePrefix("2001:db8::1/64"), Gateway: address("fe80::1")},
	} {
		if got, err := ParseStaticIP(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseStaticIP(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "=", "eth0", "eth0=", "=10.0.0.1/8", "a b=10.0.0.1/8", "a/b=10.0.0.1/8", "sixteen_letters_=10.0.0.1/8", "eth0=10.0.0.1", "eth0=10.0.0.1/33",
		"eth0=10.0.0/8", "eth0=10.0.0.1/8,", "eth0=10.0.0.1/8,gw", "eth0=10.0.0.1/8,gw=", "eth0=10.0.0.1/8,gw=10.0.0.2,gw=10.0.0.3",
		"eth0=10.0.0.1/8,gw=2001:db8::1", "eth0=10.0.0.1/8,dns=dns.example", "eth0=fe80::1/64,gw=fe80::2%eth0", "eth0=10.0.0.1/8,mtu=9000",
	} {
		var refused *ChangeError
		if got, err := ParseStaticIP(text); !errors.As(err, &refused) {
			t.Errorf("ParseStaticIP(%q) = %+v, %v, want a *ChangeError", text, got, err)
		}
	}
}

func TestReadSSHKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	for text, want := range map[string][]string{
		"ssh-ed25519 AAAA me\n":                        {"ssh-ed25519 AAAA me"},
		"# a\n\n  sk-ssh-ed25519@openssh.com AAAA\r\n": {"sk-ssh-ed25519@openssh.com AAAA"},
		`from="10.0.0.0/8",pty ecdsa-sha2-nistp256 A`:  {`from="10.0.0.0/8",pty ecdsa-sha2-nistp256 A`},
		"ssh-rsa A\nssh-rsa B":                         {"ssh-rsa A", "ssh-rsa B"},
		"":                                             nil,
		"ssh-ed25519":                                  nil,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n":   nil,
		"ssh-rsa A\n-----BEGIN RSA PRIVATE KEY-----\nA": nil,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSSHKeys(file)
		var refused *ChangeError
		if !slices.Equal(got, want) || want == nil && !errors.As(err, &refused) {
			t.Errorf("ReadSSHKeys of %q = %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := ReadSSHKeys(" ssh-ed25519 AAAA "); err != nil || !slices.Equal(got, []string{"ssh-ed25519 AAAA"}) {
		t.Errorf("ReadSSHKeys of a key = %q, %v", got, err)
	}
	if _, err := ReadSSHKeys("/absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadSSHKeys of nothing = %v", err)
	}
}

// TestQuoting checks that nothing of a change becomes Nix.
func TestQuoting(t *testing.T) {
	text, err := function(installable.Installable{}, []string{`a"b`}, "x86_64-linux", Changes{
		Modules: []string{`/a"${x}`, "<nixpkgs/a.nix>"}, KernelParams: []string{`${builtins.currentTime} ''\n`},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`names = [ "a\"b" ];`, `(/. + "/a\"\${x}") (<nixpkgs/a.nix>)`, `\"\${builtins.currentTime} ''\\\\n\"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the expression lacks %s", want)
		}
	}
}
