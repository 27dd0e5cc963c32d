package stamp

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// sample has every kind of item.
func sample() Items {
	return Items{
		HostName: "lab-1",
		SSHKeys:  []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJoZWxsb2hlbGxvaGVsbG9oZWxsb2hlbGxvaGVsbG8 me@home", "restrict ssh-rsa AAAA it's"},
		Addresses: []Address{
			{Interface: "en*", Prefix: netip.MustParsePrefix("192.0.2.10/24"), Gateway: netip.MustParseAddr("192.0.2.1"), DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}},
			{Interface: "en*", Prefix: netip.MustParsePrefix("2001:db8::10/64"), Gateway: netip.MustParseAddr("2001:db8::1")},
			{Interface: "wl0", Prefix: netip.MustParsePrefix("10.0.0.2/8")},
		},
		Wifi:         []Wifi{{"Café'; echo", `pass\word "1"`}, {"plain_net", " leading space"}},
		Files:        []File{{"/etc/it's mine.conf", 0o640, []byte("one\x00two\n")}, {"/root/empty", 0o600, nil}},
		Run:          []byte("echo run\n"),
		RunOnline:    true,
		PasswordHash: "$y$j9T$abc$def",
	}
}

const areaSize = 64 << 10

func encode(t testing.TB, items Items) []byte {
	t.Helper()
	b, err := Encode(items, "livebuild 1", areaSize)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != areaSize {
		t.Fatalf("the area has %d bytes, want %d", len(b), areaSize)
	}
	return b
}

// TestEncode reads a stamp again, and makes it again.
func TestEncode(t *testing.T) {
	b := encode(t, sample())
	if !bytes.Equal(b, encode(t, sample())) {
		t.Error("equal items make other bytes")
	}
	s, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range s.Items {
		lines = append(lines, e.Kind+": "+e.Text)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"host name: lab-1", "SSH key: ssh-rsa SHA256:", "address: en*=192.0.2.10/24,gw=192.0.2.1,dns=192.0.2.53,dns=2001:db8::53",
		"wireless network: Café'; echo", "file: /etc/it's mine.conf, mode 0640, 8 bytes", "script: 9 bytes, when the network is up", "password: of root",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the stamp says no %q:\n%s", want, text)
		}
	}
	for _, secret := range []string{"leading space", "j9T", "one", "echo run"} {
		if strings.Contains(text, secret) {
			t.Errorf("the stamp tells %q", secret)
		}
	}
	if s, err := Decode(make([]byte, areaSize)); s != nil || err != nil {
		t.Errorf("zeros are %v, %v", s, err)
	}
}

// TestEncodeLarge compresses what does not fit, and refuses what does not fit even so.
func TestEncodeLarge(t *testing.T) {
	b := encode(t, Items{Files: []File{{"/etc/zeros", 0o600, make([]byte, 4*areaSize)}}})
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		t.Errorf("a stamp that does not fit begins with %x", b[:2])
	}
	if s, err := Decode(b); err != nil || len(s.Items) != 1 {
		t.Errorf("a compressed stamp is %v, %v", s, err)
	}
	noise := make([]byte, areaSize)
	random := rand.NewChaCha8([32]byte{1})
	if _, err := random.Read(noise); err != nil {
		t.Fatal(err)
	}
	var large *TooLargeError
	if _, err := Encode(Items{Files: []File{{"/etc/noise", 0o600, noise}}}, "", areaSize); !errors.As(err, &large) || large.Room != areaSize {
		t.Errorf("a stamp without room: %v", err)
	}
}

// TestArchive has busybox unpack a stamp as Linux does, and a shell apply it.
func TestArchive(t *testing.T) {
	busybox := judge.Path(t, "busybox-static", "busybox")
	root := t.TempDir()
	unpack := exec.Command(busybox, "cpio", "-i", "-d", "-m")
	unpack.Dir, unpack.Stdin = root, bytes.NewReader(encode(t, sample()))
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	stamped := filepath.Join(root, secrets)
	err := filepath.WalkDir(stamped, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rest, _ := filepath.Rel(stamped, path)
		if want := map[bool]os.FileMode{true: 0o600, false: 0o644}[strings.HasPrefix(rest, folder)]; info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", rest, info.Mode(), want)
		}
		if strings.ContainsAny(rest, " \t") {
			t.Errorf("%q: the loop of stage 1 takes it for several", rest)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range [][]string{{busybox, "ash"}, {"bash", "--posix"}} {
		apply(t, shell, filepath.Join(stamped, folder))
	}
	units, err := filepath.Glob(filepath.Join(stamped, "run/systemd/system/*.service"))
	if err != nil || len(units) != 3 {
		t.Fatalf("the units are %q, %v", units, err)
	}
	verify := exec.Command(judge.Path(t, "systemd", "systemd-analyze"), append([]string{"verify", "--man=no", "--recursive-errors=no"}, units...)...)
	if out, err := verify.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// apply runs the script of a stamp, in a folder in the place of the root, on systems with
// different managers of networks.
func apply(t *testing.T, shell []string, stamped string) {
	t.Helper()
	for unit, wanted := range map[string]map[string]string{
		"NetworkManager.service": {
			"/run/NetworkManager/system-connections/livebuild-interface-0.nmconnection": "interface-name=en*;\n[ipv4]\naddress1=192.0.2.10/24\ngateway=192.0.2.1\ndns=192.0.2.53;\nmethod=manual\n[ipv6]\naddress1=2001:db8::10/64\ngateway=2001:db8::1\ndns=2001:db8::53;\nmethod=manual\n",
			"/run/NetworkManager/system-connections/livebuild-interface-1.nmconnection": "[ipv6]\nmethod=auto\n",
			"/run/NetworkManager/system-connections/livebuild-wifi-0.nmconnection":      "ssid=67;97;102;195;169;39;59;32;101;99;104;111;\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=pass\\\\word \"1\"\n",
		},
		"systemd-networkd.service": {
			"/run/systemd/network/05-livebuild-0.network": "Name=en*\n[Network]\nAddress=192.0.2.10/24\nAddress=2001:db8::10/64\nGateway=192.0.2.1\nGateway=2001:db8::1\nDNS=192.0.2.53\nDNS=2001:db8::53\n",
			"/etc/wpa_supplicant.conf":                    "ssid=436166c3a9273b206563686f\n  psk=\"pass\\word \"1\"\"\n",
		},
		"iwd.service": {
			"/var/lib/iwd/plain_net.psk":                 "Passphrase=\\sleading space\n",
			"/var/lib/iwd/=436166c3a9273b206563686f.psk": "Passphrase=pass\\\\word \"1\"\n",
			"/scripts/by-ip":                             "",
		},
	} {
		root := t.TempDir()
		for _, dir := range []string{"etc/systemd/system", "etc/ssh/authorized_keys.d", "root", "var/lib", "run", "proc/sys/kernel"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("etc/systemd/system/"+unit, "")
		write("etc/systemd/system/sshd.service", "")
		write("etc/ssh/authorized_keys.d/root", "ssh-ed25519 configured\n")
		write("etc/shadow", "bin:*:1::::::\nroot:old:1::::::\n")
		write("etc/os-release", "NAME=x\nDEFAULT_HOSTNAME=\"of the system\"\n")
		if err := os.Symlink("/nix/store/absent", filepath.Join(root, "etc/hostname")); err != nil {
			t.Fatal(err)
		}
		write("run/password", "")
		// The scripts, with the root in the place of /; what is stamped beside them is copied.
		scripts := filepath.Join(root, "scripts")
		if err := os.CopyFS(scripts, os.DirFS(stamped)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{applyFile, unstampFile} {
			script, err := os.ReadFile(filepath.Join(stamped, name))
			if err != nil {
				t.Fatal(err)
			}
			write("scripts/"+name, strings.NewReplacer("/etc/", root+"/etc/", "/root/", root+"/root/", "/var/", root+"/var/", "/proc/sys", root+"/proc/sys",
				"/run/NetworkManager", root+"/run/NetworkManager", "/run/systemd/network", root+"/run/systemd/network",
				"/run/livebuild/stamp", scripts, "systemctl ", "echo systemctl ", "chpasswd -e", "sh "+root+"/scripts/chpasswd").Replace(string(script)))
		}
		write("scripts/chpasswd", `IFS= read -r line; echo "$line" > `+root+`/run/password; sed -i "s|^root:[^:]*:|$line:|" `+root+"/etc/shadow\n")
		run := func(name string) string {
			t.Helper()
			out, err := exec.Command(shell[0], append(shell[1:], "-eu", filepath.Join(root, name))...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", shell, name, err, out)
			}
			return string(out)
		}
		before := tree(t, root)
		out := run("scripts/" + applyFile)
		wanted["/etc/hostname"], wanted["/proc/sys/kernel/hostname"] = "lab-1\n", "lab-1\n"
		wanted["/root/.ssh/authorized_keys"] = " me@home\nrestrict ssh-rsa AAAA it's\n"
		wanted["/etc/ssh/authorized_keys.d/root"] = "ssh-ed25519 configured\n# stamped by livebuild: begin\nssh-ed25519 AAAA"
		wanted["/etc/it's mine.conf"], wanted["/root/empty"] = "one\x00two\n", ""
		wanted["/run/password"] = "root:$y$j9T$abc$def\n"
		for name, text := range wanted {
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil || !strings.Contains(string(got), text) {
				t.Errorf("%s, %s: %s is %q (%v), want %q in it", shell, unit, name, got, err, text)
			}
		}
		for name, mode := range map[string]os.FileMode{"/root/.ssh/authorized_keys": 0o600, "/etc/it's mine.conf": 0o640} {
			if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Mode() != mode {
				t.Errorf("%s, %s: %s has %v (%v), want the mode %v", shell, unit, name, info, err, mode)
			}
		}
		if !strings.Contains(out, "systemctl --no-block start sshd.service\n") {
			t.Errorf("%s, %s: the SSH server is not started:\n%s", shell, unit, out)
		}

		// Where files are kept it is there at the next start: once more it changes nothing, and taken away it has
		// left nothing but what somebody changed.
		once := tree(t, root)
		run("scripts/" + applyFile)
		same := func(when string, got, want map[string]string) {
			t.Helper()
			for name := range maps.Keys(merged(got, want)) {
				if got[name] != want[name] {
					t.Errorf("%s, %s: %s, %s is %q, want %q", shell, unit, when, name, got[name], want[name])
				}
			}
		}
		same("applied twice", tree(t, root), once)
		if got := once["var/lib/livebuild/password"]; got != "old\n" {
			t.Errorf("%s, %s: the password that was is %q", shell, unit, got)
		}
		write("root/empty", "no more")
		before["root/empty"] = "no more"
		write("root/.ssh/authorized_keys", "ssh-ed25519 mine"+"\n"+once["root/.ssh/authorized_keys"]+"ssh-ed25519 other\n")
		before["root/.ssh/authorized_keys"] = "ssh-ed25519 mine\nssh-ed25519 other\n"
		before["proc/sys/kernel/hostname"] = "of the system\n"
		before["run/password"] = "root:old\n"
		delete(before, "etc/hostname") // of the store; each start makes it
		run("var/lib/livebuild/unstamp")
		after := tree(t, root)
		maps.DeleteFunc(after, func(name, _ string) bool {
			return strings.HasPrefix(name, "scripts/") || strings.HasPrefix(name, "run/NetworkManager") || strings.HasPrefix(name, "run/systemd")
		})
		maps.DeleteFunc(before, func(name, _ string) bool { return strings.HasPrefix(name, "scripts/") })
		same("taken away", after, before)
	}
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// tree is all files below a folder, and what links lead to.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.Type() == os.ModeSymlink {
			all[name], err = os.Readlink(path)
			return err
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDecodeRefuses changes each byte of a stamp that means something.
func TestDecodeRefuses(t *testing.T) {
	good := encode(t, Items{HostName: "lab-1"})
	end := len(bytes.TrimRight(good, "\x00"))
	refused := 0
	for at := range end {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		s, err := Decode(bad)
		var unknown *UnknownError
		if err != nil && !errors.As(err, &unknown) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if err != nil || s == nil {
			refused++
		}
	}
	// Numbers of files, links, dates and padding have no meaning.
	if refused < end/2 {
		t.Errorf("%d of %d changes are refused", refused, end)
	}
	for text, want := range map[string]string{
		"070701":                  "cut off",
		strings.Repeat("x", 200):  "no member",
		string(good[:end-20]):     "cut off",
		"\x1f\x8b" + string(good): "gzip",
		string(good[bytes.Index(good, []byte("070701"))+6:]): "no member",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want one with %q", text, err, want)
		}
	}
}

// TestCheck names every item that is refused.
func TestCheck(t *testing.T) {
	if err := sample().Check(); err != nil {
		t.Fatal(err)
	}
	for want, items := range map[string]Items{
		"letters, digits":     {HostName: "my host"},
		"letters, digits and": {HostName: "-host"},
		"63 characters":       {HostName: strings.Repeat("h", 64)},
		"1 to 32 bytes":       {Wifi: []Wifi{{"", "12345678"}}},
		"8 to 63":             {Wifi: []Wifi{{"net", "1234567"}}},
		"8 to 63 characters":  {Wifi: []Wifi{{"net", "1234567ü"}}},
		"absolute":            {Files: []File{{Path: "etc/x"}}},
		"absolute path":       {Files: []File{{Path: "/etc/../x"}}},
		"where no file":       {Files: []File{{Path: "/nix/store/x"}}},
		"beyond 0777":         {Files: []File{{Path: "/x", Mode: 0o4755}}},
		"twice":               {Files: []File{{Path: "/x"}, {Path: "/x"}}},
		"no hash":             {PasswordHash: "secret"},
	} {
		var wrong *ItemError
		if err := items.Check(); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", items, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	small := func(area []byte) []byte { return append(bytes.TrimRight(area, "\x00"), 0, 0, 0, 0) }
	f.Add(small(encode(f, Items{HostName: "a"})))
	f.Add(small(encode(f, Items{Files: []File{{"/etc/zeros", 0o600, make([]byte, areaSize)}}})))
	f.Add(encode(f, Items{HostName: "a"})[:600])
	f.Fuzz(func(t *testing.T, area []byte) {
		s, err := Decode(area)
		var unknown *UnknownError
		if err != nil && !errors.As(err, &unknown) || err == nil && s == nil && len(bytes.Trim(area, "\x00")) > 0 {
			t.Errorf("Decode = %v, %v", s, err)
		}
	})
}
