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
