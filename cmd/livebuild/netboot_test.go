package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	need "github.com/livebuild/livebuild/internal/judge"
)

// netbootResult is what 'livebuild netboot --json' prints, as its documentation has it.
type netbootResult struct {
	Folder string `json:"folder"`
	File   string `json:"file"` // of 'livebuild kexec'
	Files  []struct {
		Name   string `json:"name"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
	CommandLine string   `json:"command_line"`
	System      string   `json:"system"`
	Toplevel    string   `json:"toplevel"`
	Modes       []string `json:"modes"`
	Squashfs    int64    `json:"squashfs_bytes"`
	Reused      int64    `json:"reused_bytes"`
	Checked     bool     `json:"checked"`
}

// netbootOf makes a folder of the host of the test flake, whose configuration never heard of it.
func netbootOf(t testing.TB, args ...string) netbootResult {
	t.Helper()
	return call{}.netboot(t, args...)
}

func (c call) netboot(t testing.TB, args ...string) (r netbootResult) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "netboot")
	o := c.livebuild(t, append([]string{"netboot", plainHost(t), "-o", folder, "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild netboot: status %d\n%s", o.status, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("livebuild netboot --json printed %q: %v", o.stdout, err)
	}
	if r.Folder != folder {
		t.Errorf("the folder is %s, want %s", r.Folder, folder)
	}
	return r
}

// sameFile wants two files to have the same bytes.
func sameFile(t testing.TB, a, b string) {
	t.Helper()
	judge(t, "diffutils", "cmp", a, b)
}

// storeOffset is where the squashfs is in an initrd, found by its first bytes.
func storeOffset(t testing.TB, file string) int {
	t.Helper()
	b := readFile(t, file)
	for at := 0; at < len(b); at += 4096 {
		if bytes.HasPrefix(b[at:], []byte("hsqs")) {
			return at
		}
	}
	t.Fatalf("%s has no squashfs at a multiple of 4 KiB", file)
	return 0
}

// TestNetboot makes folders for network boots and images of the same host from one another. The bytes are the
// same, whatever they are made from.
func TestNetboot(t *testing.T) {
	afresh := netbootOf(t, "--reuse", "none", "--check")
	judge(t, "coreutils", "env", "-C", afresh.Folder, "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	var list []string
	for _, f := range afresh.Files {
		list = append(list, f.Name)
		if int64(len(readFile(t, filepath.Join(afresh.Folder, f.Name)))) != f.Size {
			t.Errorf("%s does not have %d bytes", f.Name, f.Size)
		}
	}
	if got := strings.Join(list, " "); got != "bzImage initrd netboot.ipxe SHA256SUMS manifest.json" || !afresh.Checked {
		t.Errorf("the files are %s, packed twice: %t", got, afresh.Checked)
	}
	if got := names(t, afresh.Folder); len(got) != len(list) {
		t.Errorf("the folder has %q", got)
	}
	script := string(readFile(t, filepath.Join(afresh.Folder, "netboot.ipxe")))
	if want := "\nkernel bzImage init=" + afresh.Toplevel + "/init initrd=initrd loglevel=4 "; !strings.HasPrefix(script, "#!ipxe\n") || !strings.Contains(script, want) ||
		!strings.Contains(script, " ${cmdline}\ninitrd initrd\nboot\n") {
		t.Errorf("the script is\n%s", script)
	}
	initrd := filepath.Join(afresh.Folder, "initrd")
	at := storeOffset(t, initrd)
	listing := judge(t, "squashfs-tools", "unsquashfs", "-o", strconv.Itoa(at), "-lc", initrd)
	for _, path := range closureOf(t, afresh.Toplevel) {
		if !strings.Contains(listing, "/"+filepath.Base(path)+"\n") && !strings.Contains(listing, "/"+filepath.Base(path)+"/") {
			t.Errorf("the store has no %s", path)
		}
	}
	if o := livebuild(t, "verify", initrd); o.status != 0 || !strings.Contains(o.stdout, "are as registered") {
		t.Errorf("livebuild verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}

	// From an image, and an image from that.
	image := filepath.Join(t.TempDir(), "host.iso")
	made := func(args ...string) {
		t.Helper()
		if o := livebuild(t, append([]string{"iso", plainHost(t), "-o", image, "--force"}, args...)...); o.status != 0 {
			t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
		}
	}
	made("--reuse", "none")
	first := readFile(t, image)
	made("--reuse", afresh.Folder)
	if !bytes.Equal(first, readFile(t, image)) {
		t.Error("the image has other bytes if it is made from a folder")
	}
	fromImage := netbootOf(t, "--reuse", image)
	sameFile(t, initrd, filepath.Join(fromImage.Folder, "initrd"))
	if fromImage.Reused < fromImage.Squashfs/2 {
		t.Errorf("of %d bytes %d come from the image", fromImage.Squashfs, fromImage.Reused)
	}
	// Found by itself, and the other way round, as one of the images that were made here.
	c := call{env: []string{"XDG_CACHE_HOME=" + t.TempDir()}}
	c.netboot(t, "--reuse", "none")
	if err := os.Remove(image); err != nil { // of which more could be taken
		t.Fatal(err)
	}
	o := c.livebuild(t, "iso", plainHost(t), "-o", image, "--force")
	if o.status != 0 || !strings.Contains(o.stderr, "of the store image from ") || !strings.Contains(o.stderr, "/initrd, with ") || !bytes.Equal(first, readFile(t, image)) {
		t.Errorf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	if again := c.netboot(t); again.Reused < again.Squashfs/2 {
		t.Errorf("of %d bytes %d come from what was made before", again.Squashfs, again.Reused)
	}

	pieces := netbootOf(t, "--pieces", "--reuse", initrd)
	whole, stage1, store := readFile(t, initrd), readFile(t, filepath.Join(pieces.Folder, "initrd")), readFile(t, filepath.Join(pieces.Folder, "store.cpio"))
	if !bytes.HasPrefix(whole, bytes.TrimRight(stage1, "\x00")) || len(stage1)%4 != 0 || !bytes.Equal(whole[at:], store[4096:]) {
		t.Error("the pieces are others than those of the whole")
	}
	if script := string(readFile(t, filepath.Join(pieces.Folder, "netboot.ipxe"))); !strings.Contains(script, " initrd=initrd initrd=store.cpio ") ||
		!strings.Contains(script, "\ninitrd initrd\ninitrd store.cpio\nboot\n") {
		t.Errorf("the script of the pieces is\n%s", script)
	}
}

// TestNetbootKilled kills runs at some moments. What is left never says that it is whole unless it is, and
// what others have put there stays.
func TestNetbootKilled(t *testing.T) {
	folder := netbootOf(t).Folder
	writeFile(t, filepath.Join(folder, "ipxe.efi"), []byte("of others"))
	for i := range 8 {
		cmd := call{}.command(t, "netboot", plainHost(t), "-o", folder, "--reuse", "none", "--compression", []string{"lz4", "zstd:1"}[i%2])
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 400 * time.Millisecond) // at what moment does not matter
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if !slices.Contains(names(t, folder), "manifest.json") {
			continue
		}
		judge(t, "coreutils", "env", "-C", folder, "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	}
	if string(readFile(t, filepath.Join(folder, "ipxe.efi"))) != "of others" {
		t.Error("what others have put there is gone")
	}
	if o := livebuild(t, "netboot", plainHost(t), "-o", folder, "--compression", "lz4", "--force"); o.status != 0 {
		t.Errorf("livebuild netboot after that: status %d\n%s", o.status, o.stderr)
	}
}

// TestNetbootBoots starts a folder as firmware and iPXE do, over a network. With -checks UEFI does it, too, and
// loads the pieces.
func TestNetbootBoots(t *testing.T) {
	t.Parallel()
	need.File(t, "ipxe-qemu", "/usr/lib/ipxe/qemu/efi-virtio.rom")
	folders := map[string]string{"netboot-bios": netbootOf(t).Folder}
	if *allChecks {
		folders["netboot-uefi"] = netbootOf(t, "--pieces").Folder
	}
	for mode, folder := range folders {
		b, _ := testImage(t, 0, folder, "--modes", mode, "--logs", t.TempDir())
		console := string(readFile(t, b.Boots[0].Log))
		for _, line := range []string{"MINI-MEDIUM none", "MINI-CHECK ok manifest", "MINI-RESULT PASS"} {
			if !strings.Contains(console, line) {
				t.Errorf("%s: the console has no %q", mode, line)
			}
		}
	}
}

// TestServe gives out a folder, and nothing outside of it.
func TestServe(t *testing.T) {
	folder, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	writeFile(t, outside, []byte("secret"))
	writeFile(t, filepath.Join(folder, "netboot.ipxe"), []byte("#!ipxe\n"))
	writeFile(t, filepath.Join(folder, "initrd"), []byte("0123456789"))
	writeFile(t, filepath.Join(folder, ".hidden"), []byte("hidden"))
	for name, target := range map[string]string{"out": outside, "up": "../" + filepath.Base(filepath.Dir(outside)) + "/secret", "in": "initrd"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	base, stop := serve(t, folder)
	get := func(method, path, ranges string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequest(method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ranges != "" {
			r.Header.Set("Range", ranges)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body), answer.Header
	}
	for _, test := range []struct {
		method, path, ranges string
		status               int
		body                 string
	}{
		{"GET", "initrd", "", 200, "0123456789"},
		{"GET", "initrd", "bytes=2-4", 206, "234"},
		{"HEAD", "initrd", "", 200, ""},
		{"GET", "in", "", 200, "0123456789"},
		{"GET", "netboot.ipxe", "", 200, "#!ipxe\n"},
	} {
		status, body, header := get(test.method, test.path, test.ranges)
		if status != test.status || body != test.body || header.Get("Content-Length") == "" || header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%s %s %s: %d, %q, %v", test.method, test.path, test.ranges, status, body, header)
		}
	}
	for _, path := range []string{"out", "up", ".hidden", "absent", "", "%2e%2e/" + filepath.Base(filepath.Dir(outside)) + "/secret", "..%2fsecret", "initrd/"} {
		if status, body, _ := get("GET", path, ""); status != 404 || strings.Contains(body, "secret") {
			t.Errorf("GET %s: %d, %q", path, status, body)
		}
	}
	if status, _, header := get("POST", "initrd", ""); status != 405 || header.Get("Allow") == "" {
		t.Errorf("POST: %d, %v", status, header)
	}
	if o := stop(); o.status != 0 || !strings.Contains(o.stderr, `GET "/initrd": 200, 10 B`) || !strings.Contains(o.stderr, `GET "/out": 404`) {
		t.Errorf("livebuild serve ended with %d\n%s", o.status, o.stderr)
	}
	if _, err := http.Get(base); err == nil {
		t.Error("the port is still open")
	}
}

// serve starts 'livebuild serve', and returns the address of the folder and what ends it as ctrl-c does.
func serve(t testing.TB, folder string) (base string, stop func() outcome) {
	t.Helper()
	cmd := call{}.command(t, "serve", folder, "--listen", "127.0.0.1:0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line := make([]byte, 200)
	n, err := stdout.Read(line)
	address, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "chain ")
	if !ok || err != nil {
		t.Fatalf("livebuild serve printed %q: %v\n%s", line[:n], err, stderr.String())
	}
	return strings.TrimSuffix(address, "netboot.ipxe"), func() outcome {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // whose status is looked at
		return outcome{cmd.ProcessState.ExitCode(), "", stderr.String()}
	}
}

// TestServeDnsmasq has dnsmasq read the lines that are printed for it.
func TestServeDnsmasq(t *testing.T) {
	dnsmasq := need.Path(t, "dnsmasq-base", "dnsmasq")
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "netboot.ipxe"), []byte("#!ipxe\n"))
	base, stop := serve(t, folder)
	var lines []string
	for line := range strings.Lines(stop().stderr) {
		if option, ok := strings.CutPrefix(line, "  "); ok {
			lines = append(lines, option)
		}
	}
	config := filepath.Join(t.TempDir(), "dnsmasq.conf")
	writeFile(t, config, []byte("dhcp-range=192.0.2.50,192.0.2.150\n"+strings.Join(lines, "")))
	out, err := exec.Command(dnsmasq, "--test", "--conf-file="+config).CombinedOutput()
	if err != nil || len(lines) < 4 || !strings.Contains(strings.Join(lines, ""), "dhcp-boot=tag:ipxe,"+base+"netboot.ipxe") {
		t.Errorf("dnsmasq: %v\n%s\nof %q", err, out, lines)
	}
}
