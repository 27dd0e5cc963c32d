package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plainHost names the configuration that was never meant to be an image, and
// plainFile the file outside of flakes.
func plainHost(t testing.TB) string { return miniFlake(t) + "#mini-host" }
func plainFile(t testing.TB) []string {
	return []string{"-f", filepath.Join(miniFlake(t), "iso.nix"), "-I", "nixpkgs=" + miniFlake(t)}
}

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

// TestPlainFile makes a compressed image of a file outside of flakes, which boots a
// specialisation and has contents that are merged with the boot loaders' own.
func TestPlainFile(t *testing.T) {
	t.Parallel()
	c := call{dir: t.TempDir()}
	o := c.livebuild(t, append([]string{"iso", "--json"}, plainFile(t)...)...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(c.dir, "mini-26.05.mini-x86_64-linux.iso.zst"); r.File != want {
		t.Errorf("the file is %s, want %s", r.File, want)
	}
	judge(t, "zstd", "zstd", "-t", "-q", r.File)
	compressed := r.File
	r.File = filepath.Join(c.dir, "image.iso")
	judge(t, "zstd", "zstd", "-d", "-q", compressed, "-o", r.File)
	if info, err := os.Stat(r.File); err != nil || info.Size() != r.ImageBytes {
		t.Errorf("zstd unpacks %v (%v), want %d bytes", info, err, r.ImageBytes)
	}

	medium := extracted(t, r.File)
	for _, name := range []string{"EFI/directory/file", "EFI/link", "isolinux/link", "a/deep/place.txt"} {
		if got := string(readFile(t, filepath.Join(medium, name))); got != "one\n" {
			t.Errorf("%s has %q", name, got)
		}
	}
	for name, want := range map[string]string{"EFI/dangling": "/run/absent", "isolinux/directory/loop": ".."} {
		if got, err := os.Readlink(filepath.Join(medium, name)); err != nil || got != want {
			t.Errorf("%s is a link to %q (%v), want %q", name, got, err, want)
		}
	}

	console := boot(t, r, "bios-cd")
	if !strings.Contains(console, "mini.quiet") {
		t.Error("the kernel was not given mini.quiet, so the specialisation was not booted")
	}

	t.Run("same bytes", func(t *testing.T) {
		again := c.livebuild(t, append([]string{"iso", "--jobs", "7", "-o", "again.iso.zst"}, plainFile(t)...)...)
		if again.status != 0 {
			t.Fatalf("status %d\n%s", again.status, again.stderr)
		}
		judge(t, "diffutils", "cmp", compressed, filepath.Join(c.dir, "again.iso.zst"))
	})
	t.Run("replaced", func(t *testing.T) {
		again := c.livebuild(t, append([]string{"iso", "-o", compressed}, plainFile(t)...)...)
		if again.status != 0 {
			t.Errorf("the compressed image was not known as livebuild's:\n%s", again.stderr)
		}
	})
}

// TestFiles tries the forms of configurations outside of flakes.
func TestFiles(t *testing.T) {
	mini := miniFlake(t)
	dir := t.TempDir()
	iso := `{ modulesPath, ... }: { imports = [ (modulesPath + "/installer/cd-dvd/iso-image.nix") ]; isoImage.volumeID = "FILE"; isoImage.makeEfiBootable = true; }`
	evaluated := `import <nixpkgs/nixos/lib/eval-config.nix> { modules = [ ./iso.nix ]; }`
	for name, text := range map[string]string{
		"iso.nix":            iso,
		"set.nix":            `{ imports = [ ./iso.nix ]; networking.hostName = "set"; }`,
		"evaluated.nix":      evaluated,
		"several.nix":        `{ one = ` + evaluated + `; two = ` + evaluated + `; }`,
		"function.nix":       `{ name ? "called" }: { ${name} = ` + evaluated + `; }`,
		"flakes.nix":         `{ nixosConfigurations.inside = ` + evaluated + `; }`,
		"folder/default.nix": `{ imports = [ ../iso.nix ]; }`,
		"odd ${name}.nix":    `{ imports = [ ./iso.nix ]; }`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args []string
		want string // name of the configuration
	}{
		"path":                {[]string{"./iso.nix"}, "iso"},
		"bare name":           {[]string{"iso.nix"}, "iso"},
		"absolute":            {[]string{filepath.Join(dir, "iso.nix")}, "iso"},
		"flag":                {[]string{"-f", "iso.nix"}, "iso"},
		"set":                 {[]string{"--file", "set.nix"}, "set"},
		"evaluated":           {[]string{"-f", "evaluated.nix"}, "evaluated"},
		"one of several":      {[]string{"-f", "several.nix", "two"}, "two"},
		"one of several, '#'": {[]string{"./several.nix#one"}, "one"},
		"function":            {[]string{"-f", "function.nix"}, "called"},
		"like a flake":        {[]string{"-f", "flakes.nix"}, "inside"},
		"folder":              {[]string{"-f", "folder"}, "folder"},
		"odd name":            {[]string{"-f", "odd ${name}.nix"}, "odd ${name}"},
		"search path":         {[]string{"-f", "<nixos-config>", "-I", "nixos-config=" + filepath.Join(dir, "iso.nix")}, "nixos-config"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := call{dir: dir, env: []string{"NIX_PATH=nixpkgs=" + mini}}.plan(t, test.args...)
			if p.Configuration != test.want || p.VolumeID != "FILE" {
				t.Errorf("the plan is of %q, labelled %s, want %q", p.Configuration, p.VolumeID, test.want)
			}
		})
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"several":           {[]string{"-f", "several.nix"}, 1, []string{`"one", "two"`, "--file FILE one"}},
		"misspelt":          {[]string{"-f", "several.nix", "tow"}, 1, []string{`no configuration "tow"`, "two"}},
		"absent":            {[]string{"-f", "absent.nix"}, 2, []string{"absent.nix", "does not exist"}},
		"absent, by path":   {[]string{"./absent.nix"}, 2, []string{"absent.nix", "does not exist"}},
		"without a channel": {[]string{"-f", "iso.nix"}, 1, []string{"nixpkgs", "-I nixpkgs="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := "NIX_PATH=nixpkgs=" + mini
			if name == "without a channel" {
				env = "NIX_PATH="
			}
			checkRefusal(t, call{dir: dir, env: []string{env}}.livebuild(t, append([]string{"plan"}, test.args...)...), test.status, test.texts...)
		})
	}
}

// TestOtherStores builds and packs in stores that are not the machine's own.
func TestOtherStores(t *testing.T) {
	want := miniISO(t)
	root := t.TempDir()
	removeStore(t, root)
	for name, flags := range map[string][]string{
		"other machine": {"--eval-store", filepath.Join(root, "here"), "--store", "ssh-ng://localhost?remote-store=" + filepath.Join(root, "there")},
		"two stores":    {"--eval-store", filepath.Join(root, "here"), "--store", filepath.Join(root, "there")},
	} {
		t.Run(name, func(t *testing.T) {
			r := iso(t, "mini", flags...)
			judge(t, "diffutils", "cmp", r.File, want.File)
		})
	}
}

// removeStore lets a test remove its own store: its folders cannot be written to.
func removeStore(t testing.TB, root string) {
	t.Helper()
	t.Cleanup(func() { judge(t, "coreutils", "chmod", "-R", "u+w", root) })
}

// TestBuildDependencies checks what includeSystemBuildDependencies adds.
func TestBuildDependencies(t *testing.T) {
	dir := flakeOf(t, `{ a = (import "${mini}/nixos/lib/eval-config.nix") { system = "x86_64-linux"; modules = [
		"${mini}/nixos/modules/installer/cd-dvd/iso-image.nix"
		{ isoImage.includeSystemBuildDependencies = true; }
	]; }; }`)
	file := filepath.Join(t.TempDir(), "image.iso")
	o := call{dir: dir}.livebuild(t, append([]string{"iso", ".#a", "-o", file}, fast...)...)
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	p := call{dir: dir}.plan(t, ".#a")
	if len(p.StoreContents) != 2 {
		t.Fatalf("the roots are %q, want the system and its derivation", p.StoreContents)
	}
	want := map[string]bool{}
	for path := range strings.FieldsSeq(judge(t, "nix-bin", "nix-store", append([]string{"--query", "--requisites", "--include-outputs"}, p.StoreContents...)...)) {
		want[filepath.Base(path)] = true
	}
	root := mount(t, "-t", "squashfs", "-o", "ro,loop", filepath.Join(extracted(t, file), squashfsName))
	derivations := 0
	for _, name := range names(t, root) {
		if strings.HasSuffix(name, ".drv") {
			derivations++
		}
		if name != "nix-path-registration" && !want[name] {
			t.Errorf("the store image has %s", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("the store image lacks %s", name)
	}
	if derivations < 5 {
		t.Errorf("the store image has %d derivations", derivations)
	}
	// Nix takes the registration, derivations included.
	registration := readFile(t, filepath.Join(root, "nix-path-registration"))
	if n := bytes.Count(registration, []byte(".drv\nsha256:")); n != derivations {
		t.Errorf("%d derivations are registered, want %d", n, derivations)
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
