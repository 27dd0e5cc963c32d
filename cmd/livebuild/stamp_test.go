package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/stamp"
)

// stampable is an image whose system has an SSH server, as far as its units tell, which
// tests copy.
var stampable struct {
	sync.Once
	file string
}

const stampKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhlbGxvaGVsbG9oZWxsb2hlbGxvaGVsbG9oZWxsb2hl me@home"

func stampableISO(t testing.TB) string {
	t.Helper()
	miniFlake(t)
	stampable.Do(func() {
		folder := filepath.Dir(program)
		module := filepath.Join(folder, "sshd.nix")
		writeFile(t, module, []byte(`{ lib, pkgs, ... }: {
			boot.loader.timeout = lib.mkForce 1;
			environment.systemPackages = [ (pkgs.build "unit-sshd.service" { } "mkdir $out") (pkgs.build "unit-iwd.service" { } "mkdir $out") ];
		}`))
		file := filepath.Join(folder, "stampable.iso")
		o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--module", module, "--stamp-params", "-o", file}, fast)...)
		if o.status != 0 {
			t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
		}
		stampable.file = file
	})
	if stampable.file == "" {
		t.Fatal("the image could not be made; see the first test that asked for it")
	}
	return stampable.file
}

// shown is what 'livebuild stamp --json' prints.
type shown struct {
	File    string `json:"file"`
	Stamped bool   `json:"stamped"`
	Tool    string `json:"tool"`
	Items   []struct {
		Kind   string `json:"kind"`
		Text   string `json:"text"`
		Secret bool   `json:"secret"`
	} `json:"items"`
}

func stampOf(t testing.TB, args ...string) (s shown) {
	t.Helper()
	o := livebuild(t, append([]string{"stamp", "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild stamp %q: status %d\n%s", args, o.status, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil {
		t.Fatalf("livebuild stamp --json printed %q: %v", o.stdout, err)
	}
	return s
}

// copyOf copies a file that a test changes.
func copyOf(t testing.TB, file string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy.iso")
	writeFile(t, copied, readFile(t, file))
	return copied
}

// areaOf is where the area of an image begins and ends.
func areaOf(t testing.TB, image []byte) (start, end int64) {
	t.Helper()
	m, err := medium.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	area, err := stamp.Find(m, "the image")
	if err != nil {
		t.Fatal(err)
	}
	return area.Offset, area.Offset + area.Size
}

// TestStamp stamps a file in place and into another one, shows it, verifies it, and takes it
// away again.
func TestStamp(t *testing.T) {
	t.Parallel()
	pristine := readFile(t, stampableISO(t))
	start, end := areaOf(t, pristine)
	file := copyOf(t, stampableISO(t))
	if s := stampOf(t, file, "--show"); s.Stamped || len(s.Items) != 0 || s.File != file {
		t.Errorf("an image that is not stamped: %+v", s)
	}
	passphrase, values := filepath.Join(t.TempDir(), "wifi"), filepath.Join(t.TempDir(), "values.toml")
	writeFile(t, passphrase, []byte("correct horse\nbattery\n"))
	writeFile(t, values, fmt.Appendf(nil, "hostname = \"from-file\"\nssh-keys = [ %q ]\n[[files]]\nsource = \"values.toml\"\npath = \"/etc/values\"\nmode = \"640\"\n", stampKey))

	s := stampOf(t, file, "--values", values, "--hostname", "kiosk")
	if !s.Stamped || !strings.HasPrefix(s.Tool, "livebuild ") || len(s.Items) != 3 || s.Items[0].Text != "kiosk" ||
		!strings.Contains(s.Items[1].Text, "SHA256:") || !strings.HasPrefix(s.Items[2].Text, "/etc/values, mode 0640, ") || !s.Items[2].Secret {
		t.Errorf("the stamp is %+v", s)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file that is stamped with a secret: %v, %v", info, err)
	}
	stamped := readFile(t, file)
	if !bytes.Equal(stamped[:start], pristine[:start]) || !bytes.Equal(stamped[end:], pristine[end:]) || len(stamped) != len(pristine) {
		t.Error("something is changed outside of the area")
	}
	if again := stampOf(t, file, "--show"); fmt.Sprint(again) != fmt.Sprint(s) {
		t.Errorf("--show = %+v, want %+v", again, s)
	}
	sum := sha256Of(pristine)
	o := livebuild(t, "verify", file, "--sha256", sum)
	if o.status != 0 || !strings.Contains(o.stdout, "\nstamped after it was built: host name, SSH key, file\n") {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}

	other := filepath.Join(t.TempDir(), "other.iso")
	if s := stampOf(t, file, "--wifi", "Café="+passphrase, "-o", other); len(s.Items) != 1 || s.File != other {
		t.Errorf("-o: %+v", s)
	}
	if !bytes.Equal(readFile(t, file), stamped) {
		t.Error("-o changes the image")
	}
	if text := readFile(t, other)[start:end]; !bytes.Contains(text, []byte("psk=correct horse\n")) || bytes.Contains(text, []byte("battery")) || bytes.Contains(text, []byte("kiosk")) {
		t.Error("the other image does not have the passphrase alone")
	}
	if s := stampOf(t, other, "--kernel-param", "quiet", "--kernel-param", "x.y=1#2$3"); len(s.Items) != 1 || s.Items[0].Text != "quiet x.y=1#2$3" {
		t.Errorf("--kernel-param: %+v", s)
	}
	params := readMedium(t, readFile(t, other))
	for _, name := range []string{medium.StampParams, "isolinux/isolinux.cfg"} {
		f, err := params.Files().Find(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(params.Files().Open(f))
		if err != nil || !bytes.Contains(text, []byte("quiet x.y=1#2$3\n")) {
			t.Errorf("%s lacks the parameters (%v):\n%s", name, err, text)
		}
	}
	if o := livebuild(t, "verify", other, "--sha256", sum); o.status != 0 || !strings.Contains(o.stdout, "\nstamped after it was built: kernel parameters\n") {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	stampOf(t, other, "--reset")
	if !bytes.Equal(readFile(t, other), pristine) {
		t.Error("--reset does not give the image back")
	}

	// What is damaged is a finding, and --reset mends it.
	stamped[start+200] ^= 1
	writeFile(t, file, stamped)
	if v := verifyOf(t, 4, file); !v.has("stamp", "damaged") {
		t.Errorf("verify = %+v", v)
	}
	o = livebuild(t, "stamp", file, "--show")
	checkRefusal(t, o, 1, "the stamp of the image is damaged")
	stampOf(t, file, "--reset")
	verifyOf(t, 0, file)
}

// TestStampBoot boots what is stamped, as it is and compressed, by both loaders: with -checks each
// of both in all four ways.
func TestStampBoot(t *testing.T) {
	type try struct {
		mode  string
		large bool // more than fits as it is
	}
	tries := []try{{"bios-cd", false}, {"uefi-usb", true}}
	if *allChecks {
		tries = nil
		for _, mode := range medium.MediumModes() {
			tries = append(tries, try{string(mode), false}, try{string(mode), true})
		}
	}
	for _, test := range tries {
		t.Run(fmt.Sprintf("%s large=%t", test.mode, test.large), func(t *testing.T) {
			t.Parallel()
			var more []string
			if test.large {
				large := filepath.Join(t.TempDir(), "large")
				writeFile(t, large, bytes.Repeat([]byte("large\n"), 100_000))
				more = []string{"--add-file", large + ":/etc/large:600"}
			}
			file, script := copyOf(t, stampableISO(t)), filepath.Join(t.TempDir(), "script")
			writeFile(t, script, []byte("echo \"the script runs on $(cat /proc/sys/kernel/hostname), $(wc -c < /etc/large)\"\n"))
			stampOf(t, append([]string{file, "--hostname", "lab-7", "--ssh-key", stampKey, "--static-ip", "lo=192.0.2.10/24", "--run-script", script, "--kernel-param", "x.y=1#2$3"}, more...)...)
			logs := t.TempDir()
			testImage(t, 0, file, "--modes", test.mode, "--logs", logs)
			logFiles, err := filepath.Glob(filepath.Join(logs, "*.log"))
			if err != nil || len(logFiles) != 1 {
				t.Fatalf("logs are %q, %v", logFiles, err)
			}
			console := string(readFile(t, logFiles[0]))
			wanted := []string{
				" x.y=1#2$3", "MINI-HOSTNAME lab-7\n", "MINI-KEY " + stampKey + "\n", " 192.0.2.10/24 ", "MINI-STAMP the script runs on lab-7",
				"MINI-MODE 600 /root/.ssh/authorized_keys\n", "MINI-MODE 600 /run/livebuild/stamp/apply\n",
				"MINI-WANTED /run/systemd/system/sysinit.target.d/livebuild-stamp.service.conf\n",
			}
			if test.large {
				wanted = append(wanted, "the script runs on lab-7, 600000\n")
			}
			for _, want := range wanted {
				if !strings.Contains(console, want) {
					t.Errorf("the console does not say %q:\n%s", want, console)
				}
			}
		})
	}
}

// withoutParams is an image with the words that were stamped onto command lines put back as they were.
func withoutParams(t testing.TB, image, pristine []byte) []byte {
	t.Helper()
	image = bytes.Clone(image)
	m := readMedium(t, pristine)
	for _, name := range []string{medium.StampParams, "isolinux/isolinux.cfg"} {
		f, err := m.Files().Find(name)
		if err != nil || len(f.Extents) != 1 {
			t.Fatalf("%s: %+v, %v", name, f, err)
		}
		at, size := f.Extents[0].Offset, f.Size
		copy(image[at:at+size], pristine[at:at+size])
	}
	return image
}

// TestWriteStamp writes an image to two sticks, which then have different names.
func TestWriteStamp(t *testing.T) {
	image := stampableISO(t)
	content := readFile(t, image)
	start, end := areaOf(t, content)
	a, b := newStick(t, 256*mib), newStick(t, 128*mib)
	values := filepath.Join(t.TempDir(), "sticks.toml")
	writeFile(t, values, []byte("hostname = \"lab-{n}\"\n[stick.2]\nssh-keys = [ \""+stampKey+"\" ]\nkernel-params = [ \"stick={n}\" ]\n"))
	o := livebuild(t, "write", image, a.name, b.name, "--yes", "--values", values)
	if o.status != 0 || strings.Count(o.stderr, "verified, stamped with host name") != 2 {
		t.Fatalf("write: status %d\n%s", o.status, o.stderr)
	}
	for n, s := range []stick{a, b} {
		got := readFile(t, s.file)[:len(content)]
		if words := bytes.Count(got, []byte(" stick=2\n#")); (words > 0) != (n == 1) {
			t.Errorf("%s has the parameter %d times", s.path, words)
		}
		got = withoutParams(t, got, content)
		if !bytes.Equal(got[:start], content[:start]) || !bytes.Equal(got[end:], content[end:]) {
			t.Errorf("%s: something is changed outside of the area", s.path)
		}
		shows := stampOf(t, s.path, "--show")
		if want := fmt.Sprintf("lab-%d", n+1); len(shows.Items) != 2*n+1 || shows.Items[0].Text != want {
			t.Errorf("%s has %+v, want %s", s.path, shows, want)
		}
	}
	// What the boot menus of an image take is known before anything is written.
	plain := iso(t, "mini").File
	writeFile(t, values, []byte("kernel-params = [ \"quiet\" ]\n"))
	for _, args := range [][]string{{"write", plain, a.name}, {"iso", miniFlake(t) + "#mini", "--write", a.name}} {
		checkRefusal(t, livebuild(t, append(args, "--yes", "--values", values)...), 1, "no room for kernel parameters", "--stamp-params")
	}
	// So is what it installs, for each stick.
	writeFile(t, values, []byte("hostname = \"lab-{n}\"\n[stick.2]\nauto-install = \"example\"\nauto-install-disks = [ \"/dev/disk/by-id/nvme-{n}\" ]\n"))
	for _, args := range [][]string{{"write", image, a.name, b.name}, {"iso", miniFlake(t) + "#mini", "--write", a.name, "--write", b.name}} {
		checkRefusal(t, livebuild(t, append(args, "--yes", "--values", values)...), 1, "installs nothing: it is made without --install", "livebuild iso --install")
	}
	o = livebuild(t, "write", image, a.name, b.name, "--verify-only")
	if o.status != 0 {
		t.Errorf("--verify-only: status %d\n%s", o.status, o.stderr)
	}
	o = livebuild(t, "verify", a.path, "--sha256", sha256Of(content))
	if o.status != 0 || !strings.Contains(o.stdout, "stamped after it was built: host name\n") {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	stampOf(t, a.path, "--hostname", "other")
	if got := stampOf(t, a.path, "--show"); got.Items[0].Text != "other" {
		t.Errorf("the stick has %+v", got)
	}
	stampOf(t, a.path, "--reset")
	a.check(t, content)
	// An update is the image as it was built, again.
	if o = livebuild(t, "write", image, b.name, "--yes"); o.status != 0 {
		t.Errorf("update: status %d\n%s", o.status, o.stderr)
	}
	b.check(t, content)

	// Straight from configurations, of which a stick has several. Their own image has no SSH server.
	o = livebuild(t, "iso", miniFlake(t)+"#mini", miniFlake(t)+"#mini-special", "--write", a.name, "--yes", "--hostname", "direct", "--json")
	if o.status != 0 || !strings.Contains(o.stdout, `"text": "direct"`) {
		t.Errorf("iso --write: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	if got := stampOf(t, a.path, "--show"); got.Items[0].Text != "direct" {
		t.Errorf("the stick has %+v", got)
	}
	if o = livebuild(t, "verify", a.path); o.status != 0 || !strings.Contains(o.stdout, "stamped after it was built: host name\n") {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	if o = livebuild(t, "inspect", a.path); !strings.Contains(o.stdout, "\n  mini-special: Mini ") {
		t.Errorf("the stick has no menu of mini-special:\n%s", o.stdout)
	}
}
