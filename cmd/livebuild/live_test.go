package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plainHost names the configuration that was never meant to be an image.
func plainHost(t testing.TB) string { return miniFlake(t) + "#mini-host" }

// asked are changes of every kind to the plain host.
func asked(t testing.TB) []string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"module.nix":        `{ lib, ... }: { imports = [ ./with/another.nix ]; isoImage.appendToMenuLabel = lib.mkForce " Rescue"; }`,
		"with/another.nix":  `{ boot.kernelParams = [ "mini.module=1" ]; }`,
		"authorized_keys":   "# both of them\nssh-ed25519 AAAAfirst me@home\n\nrestrict,pty ssh-rsa AAAAsecond\n",
		"with/a/module.nix": `{ lib, ... }: { boot.loader.timeout = lib.mkForce 1; isoImage.makeBiosBootable = false; }`,
	} {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"--module", filepath.Join(folder, "module.nix"), "--module", filepath.Join(folder, "with/a/module.nix"),
		"--volume-id", "RESCUE_1", "--kernel-param", "mini.first", "--kernel-param", "mini.second=a,b",
		"--ssh-key", filepath.Join(folder, "authorized_keys"), "--ssh-key", "ssh-ed25519 AAAAthird",
		"--static-ip", "eth0=192.0.2.10/24,gw=192.0.2.1,dns=192.0.2.53,dns=2001:db8::53",
		"--static-ip", "eth0=2001:db8::10/64,gw=2001:db8::1",
	}
}

// hostSettings is what mini-settings of a system says that it was built with.
type hostSettings struct {
	FileSystems map[string]struct{ Device, FsType string }
	Loaders     map[string]any
	Luks        struct{ Devices map[string]any }
	SwapDevices []any
	Keys        []string
	SSH         struct {
		Enable   bool
		Settings map[string]string
	}
	Units      map[string]struct{ WantedBy []string }
	Networking struct {
		Interfaces map[string]struct {
			UseDHCP bool
			Ipv4    struct{ Addresses []ipAddress }
			Ipv6    struct{ Addresses []ipAddress }
		}
		DefaultGateway               gatewayAddress
		DefaultGateway6              gatewayAddress
		Nameservers                  []string
		UsePredictableInterfaceNames bool
	}
}

type ipAddress struct {
	Address      string
	PrefixLength int
}

type gatewayAddress struct{ Address, Interface string }

// settingsOf reads the settings out of the squashfs of an image.
func settingsOf(t testing.TB, file string) (s hostSettings) {
	t.Helper()
	root := mount(t, "-t", "squashfs", "-o", "ro,loop", filepath.Join(extracted(t, file), squashfsName))
	found, err := filepath.Glob(filepath.Join(root, "*-mini-settings"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the store image has the settings %q (%v), want one", found, err)
	}
	if err := json.Unmarshal(readFile(t, found[0]), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPlainHost makes an image of a host that was never meant to be one, with
// changes, and boots it.
func TestPlainHost(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "image.iso")
	o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--json", "-o", file}, fast, asked(t))...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	if !strings.Contains(o.stderr, "mini-host does not import the ISO module") {
		t.Errorf("standard error does not say that the host was extended:\n%s", o.stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Modes, " "); r.VolumeID != "RESCUE_1" || got != "uefi-cd uefi-usb" {
		t.Errorf("the image is %s and boots as %s", r.VolumeID, got)
	}

	s := settingsOf(t, r.File)
	for name, loader := range s.Loaders {
		if loader == true {
			t.Errorf("the boot loader %s is still enabled", name)
		}
	}
	if len(s.FileSystems) != 2 || s.FileSystems["/"].FsType != "tmpfs" || len(s.Luks.Devices) != 0 || len(s.SwapDevices) != 0 {
		t.Errorf("the file systems are %v, LUKS %v, swap %v", s.FileSystems, s.Luks, s.SwapDevices)
	}
	if want := []string{"ssh-ed25519 AAAAfirst me@home", "restrict,pty ssh-rsa AAAAsecond", "ssh-ed25519 AAAAthird"}; !slices.Equal(s.Keys, want) {
		t.Errorf("the keys are %q, want %q", s.Keys, want)
	}
	if !s.SSH.Enable || s.SSH.Settings["PermitRootLogin"] != "prohibit-password" || !slices.Equal(s.Units["sshd"].WantedBy, []string{"multi-user.target"}) {
		t.Errorf("the SSH server is %+v, its units %+v", s.SSH, s.Units)
	}
	n := s.Networking
	eth0 := n.Interfaces["eth0"]
	if !slices.Equal(eth0.Ipv4.Addresses, []ipAddress{{"192.0.2.10", 24}}) || !slices.Equal(eth0.Ipv6.Addresses, []ipAddress{{"2001:db8::10", 64}}) ||
		n.DefaultGateway != (gatewayAddress{"192.0.2.1", "eth0"}) || n.DefaultGateway6 != (gatewayAddress{"2001:db8::1", "eth0"}) ||
		!slices.Equal(n.Nameservers, []string{"192.0.2.53", "2001:db8::53"}) || n.UsePredictableInterfaceNames {
		t.Errorf("the network is %+v", n)
	}

	console := boot(t, r, "uefi-usb")
	for _, want := range []string{"root=LABEL=RESCUE_1", "mini.module=1", "mini.first mini.second=a,b"} {
		if !strings.Contains(console, want) {
			t.Errorf("the kernel was not given %q", want)
		}
	}
}

// TestSameChanges checks that the same changes make the same system.
func TestSameChanges(t *testing.T) {
	args := []string{plainHost(t), "--kernel-param", "a", "--ssh-key", "ssh-ed25519 AAAA", "--static-ip", "lan0=10.0.0.2/8"}
	first, second := plan(t, args...), plan(t, args...)
	if first.Toplevel != second.Toplevel {
		t.Errorf("the same changes make %s and %s", first.Toplevel, second.Toplevel)
	}
	if other := plan(t, plainHost(t)); other.Toplevel == first.Toplevel {
		t.Error("changes change nothing")
	}
}

// TestBadChanges gives the flags what they cannot take.
func TestBadChanges(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key":     "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
		"empty":   "# nothing\n",
		"letter":  "Dear root,\nlet me in.\n",
		"bad.nix": "{ services.absent.enable = ; }",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"no module":          {[]string{"--module", "absent.nix"}, 2, []string{"--module", "absent.nix"}},
		"faulty module":      {[]string{"--module", "bad.nix"}, 1, []string{"syntax error", "bad.nix"}},
		"private key":        {[]string{"--ssh-key", "key"}, 2, []string{"--ssh-key", "private key"}},
		"no key":             {[]string{"--ssh-key", "empty"}, 2, []string{"--ssh-key", "without a key"}},
		"letter":             {[]string{"--ssh-key", "letter"}, 2, []string{"--ssh-key", "no public key"}},
		"neither":            {[]string{"--ssh-key", "me"}, 2, []string{"--ssh-key", `"me"`}},
		"long volume ID":     {[]string{"--volume-id", strings.Repeat("x", 33)}, 2, []string{"--volume-id", "32"}},
		"odd volume ID":      {[]string{"--volume-id", "a b"}, 2, []string{"--volume-id", "a b"}},
		"no parameter":       {[]string{"--kernel-param", ""}, 2, []string{"--kernel-param"}},
		"line feed":          {[]string{"--kernel-param", "a\nb"}, 1, []string{"kernel parameter", "control character"}},
		"no address":         {[]string{"--static-ip", "eth0"}, 2, []string{"--static-ip", `"eth0"`}},
		"no length":          {[]string{"--static-ip", "eth0=10.0.0.1"}, 2, []string{"--static-ip", "length"}},
		"gateway's family":   {[]string{"--static-ip", "eth0=10.0.0.1/8,gw=::1"}, 2, []string{"--static-ip", "family"}},
		"two gateways":       {[]string{"--static-ip", "a=10.0.0.1/8,gw=10.0.0.2", "--static-ip", "b=10.1.0.1/16,gw=10.1.0.2"}, 2, []string{"--static-ip", "second gateway"}},
		"unknown part":       {[]string{"--static-ip", "a=10.0.0.1/8,mtu=1"}, 2, []string{"--static-ip", "mtu=1"}},
		"not made to change": {[]string{}, 1, []string{"extendModules", "changes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"plan", plainHost(t)}, test.args...)
			if name == "not made to change" {
				args = []string{"plan", miniFlake(t) + "#mini", "--kernel-param", "quiet"}
			}
			checkRefusal(t, call{dir: dir}.livebuild(t, args...), test.status, test.texts...)
		})
	}
}
