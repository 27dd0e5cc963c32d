package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// leave are the keys that end QEMU from its terminal: ctrl-a x.
const leave = "\x01x"

// TestRun builds the image of a configuration, starts it with its serial console in the
// terminal, and leaves it from there.
func TestRun(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	extra := fmt.Sprintf("extra-argument-%d", os.Getpid())
	cmd := call{env: []string{"XDG_CACHE_HOME=" + cache, "DISPLAY=", "WAYLAND_DISPLAY="}}.command(t,
		"run", miniFlake(t)+"#mini", "--bios", "--ssh", "--disk", "1G", "--", "-name", extra)
	r := &running{cmd: cmd, done: make(chan error, 1)}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	r.waitUntil(t, "MINI-STAGE1", func() bool { return strings.Contains(r.stdout.String(), "MINI-STAGE1") })
	login := regexp.MustCompile(`log in with: ssh -p (\d+) .* root@127\.0\.0\.1`).FindStringSubmatch(r.stderr.String())
	if login == nil {
		t.Fatalf("no word about how to log in:\n%s", r.stderr.String())
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+login[1])
	if err != nil {
		t.Errorf("the port is not forwarded: %v", err)
	} else {
		conn.Close()
	}
	if n := processes(t, extra); n != 2 { // this program's and QEMU's
		t.Errorf("the extra argument is in %d command lines, want 2", n)
	}
	if _, err := io.WriteString(stdin, leave); err != nil {
		t.Fatal(err)
	}
	if o := r.wait(t); o.status != 0 {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	if !strings.Contains(r.stderr.String(), "starting mini-") || !strings.Contains(r.stderr.String(), " as bios-cd\n") {
		t.Errorf("no word about what is started:\n%s", r.stderr.String())
	}
	if n := processes(t, extra); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	checkNoRoots(t, cache)
	checkNames(t, filepath.Join(cache, "livebuild"), "evaluations", "roots")
}

// TestRunPrints checks the command lines that are printed, and that a shell and QEMU take one.
func TestRunPrints(t *testing.T) {
	image := filepath.Join(t.TempDir(), "it's, a disc.iso")
	if err := os.Link(miniISO(t).File, image); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		has  []string
		not  []string
	}{
		{
			nil,
			[]string{"-display none", "-serial mon:stdio", "if=pflash,format=raw,unit=0", "ide-cd,drive=medium", "-m 2048", "-netdev user,"},
			[]string{"hostfwd", "null-co"},
		},
		{[]string{"--bios", "--usb", "-m", "512"}, []string{"usb-storage,", "-m 512"}, []string{"pflash"}},
		{[]string{"--uefi", "--no-network", "--memory", "3G"}, []string{"pflash", "-nic none", "-m 3072"}, nil},
		{[]string{"--ssh=22022", "--disk", "20G"}, []string{"hostfwd=tcp:127.0.0.1:22022-:22", "null-co,size=21474836480,"}, nil},
		{[]string{"--ssh"}, []string{"hostfwd=tcp:127.0.0.1:"}, nil},
		{[]string{"--display", "vnc", "--console"}, []string{"-display vnc=127.0.0.1:", "-serial mon:stdio"}, nil},
		{[]string{"--display", "gtk"}, []string{"-display gtk", "-serial none -monitor none", "usb-tablet"}, nil},
		{[]string{"--", "-smp", "2"}, []string{" -smp 2"}, nil},
	}
	for _, test := range tests {
		o := call{env: []string{"DISPLAY=", "WAYLAND_DISPLAY="}}.livebuild(t, append([]string{"run", image, "--print"}, test.args...)...)
		if o.status != 0 {
			t.Errorf("%q: status %d\n%s", test.args, o.status, o.stderr)
			continue
		}
		for _, text := range test.has {
			if !strings.Contains(o.stdout, text) {
				t.Errorf("%q: no %q in %s", test.args, text, o.stdout)
			}
		}
		for _, text := range test.not {
			if strings.Contains(o.stdout, text) {
				t.Errorf("%q: %q in %s", test.args, text, o.stdout)
			}
		}
	}

	// By its former name.
	if o := livebuild(t, "run", image, "--print", "--display", "vnc", "--serial"); o.status != 0 || !strings.Contains(o.stdout, "-serial mon:stdio") ||
		!strings.HasPrefix(o.stderr, "warning: --serial is --console now") {
		t.Errorf("--serial: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}

	// The monitor takes "quit" from standard input as soon as it runs.
	o := livebuild(t, "run", image, "--print", "--bios", "--display", "none", "--", "-S")
	cmd := exec.Command("sh", "-c", o.stdout)
	cmd.Stdin = strings.NewReader("\x01cquit\n")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("(qemu) ")) {
		t.Errorf("%s: %v\n%s", o.stdout, err, out)
	}
}

// TestRunInterrupted ends a machine by ^C.
func TestRunInterrupted(t *testing.T) {
	name := fmt.Sprintf("interrupted-%d", os.Getpid())
	r := call{}.start(t, "run", miniISO(t).File, "--bios", "--display", "none", "--", "-name", name, "-S")
	r.waitUntil(t, "QEMU", func() bool { return processes(t, name) == 2 })
	r.signal(t, syscall.SIGINT)
	if o := r.wait(t); o.status != 130 || !strings.HasSuffix(o.stderr, "interrupted\n") {
		t.Errorf("status %d, want 130\n%s", o.status, o.stderr)
	}
	r.checkAlone(t)
}

// withoutQEMU is a PATH on which there are Nix and git alone.
func withoutQEMU(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"nix", "nix-store", "git"} {
		if err := os.Symlink(need.Path(t, name, name), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + folder
}

// TestISOTest boots an image before it is put in its place, on a host whose QEMU is in the flake's own packages.
func TestISOTest(t *testing.T) {
	t.Parallel()
	folder, cache := t.TempDir(), t.TempDir()
	image := filepath.Join(folder, "mini.iso")
	c := call{env: []string{withoutQEMU(t), "XDG_CACHE_HOME=" + cache}, dir: folder}
	args := []string{"iso", miniFlake(t) + "#mini", "-o", image, "--test", "--modes", "bios-cd"}

	o := c.livebuild(t, append(args, "--expect", "^MINI-STAGE1$", "--json")...)
	if o.status != 0 || !strings.Contains(o.stderr, "got QEMU from the configuration's nixpkgs") ||
		!strings.Contains(o.stderr, "bios-cd: came up after ") {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	if !regexp.MustCompile(`"boots": \[\s+\{\s+"mode": "bios-cd",\s+"passed": true`).MatchString(o.stdout) {
		t.Errorf("the result has no boots: %s", o.stdout)
	}
	before := readFile(t, image)

	// What does not come up leaves what is there.
	o = c.livebuild(t, append(args, "--expect", "^never$", "--test-timeout", "1s", "--compression", "lz4")...)
	checkRefusal(t, o, 3, "error: the image did not boot: bios-cd ")
	if !bytes.Equal(readFile(t, image), before) {
		t.Error("an image that did not boot is in place")
	}
	checkNames(t, folder, "mini.bios-cd.log", "mini.bios-cd.png", "mini.iso", "mini.iso.sha256")
	checkNoRoots(t, cache)
}

// TestImagesRefused gives 'livebuild run' and 'livebuild test' what they cannot work with.
func TestImagesRefused(t *testing.T) {
	image := miniISO(t).File
	folder := t.TempDir()
	put := func(name string, data []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	text := put("text.iso", []byte(strings.Repeat("no image\n", 10000)))
	cut := put("cut.iso", readFile(t, image)[:33<<10])
	discOnly := put("disc.iso", discAlone(t))
	alone := call{env: []string{withoutQEMU(t)}}
	noFirmware := call{env: []string{"PATH=" + lonelyQEMU(t)}, with: hiding(t, "/usr/share/OVMF", "/usr/share/qemu")}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)

	tests := map[string]struct {
		c      call
		args   []string
		status int
		texts  []string
	}{
		"no image":           {call{}, []string{"test"}, 2, []string{"which image?"}},
		"two images":         {call{}, []string{"test", "a.iso", "b.iso"}, 2, []string{"one image"}},
		"installable":        {call{}, []string{"test", ".#mini"}, 2, []string{"iso INSTALLABLE --test"}},
		"unknown mode":       {call{}, []string{"test", image, "--modes", "bios-cd,efi"}, 2, []string{`"efi"`, "uefi-usb"}},
		"bad expression":     {call{}, []string{"test", image, "--expect", "("}, 2, []string{"--expect", "missing closing )"}},
		"bad rejection":      {call{}, []string{"test", image, "--reject", "["}, 2, []string{"--reject", "missing closing ]"}},
		"no time":            {call{}, []string{"test", image, "--test-timeout", "0s"}, 2, []string{"90s"}},
		"time without unit":  {call{}, []string{"test", image, "--test-timeout", "90"}, 2, []string{"--test-timeout", `"90"`, "90s"}},
		"boots of no test":   {call{}, []string{"iso", ".#a", "--expect", "x"}, 2, []string{"--expect", "--test"}},
		"boots below zero":   {call{}, []string{"test", image, "--jobs", "-1"}, 2, []string{"--jobs", "-1"}},
		"no memory":          {call{}, []string{"test", image, "--memory", "0"}, 2, []string{"--memory", `"0"`}},
		"strange memory":     {call{}, []string{"run", image, "-m", "much"}, 2, []string{"--memory", `"much"`}},
		"flag of Nix":        {call{}, []string{"test", image, "--impure"}, 2, []string{"--impure"}},
		"both firmwares":     {call{}, []string{"run", image, "--bios", "--uefi"}, 2, []string{"--bios and --uefi"}},
		"disk without unit":  {call{}, []string{"run", image, "--disk", "20"}, 2, []string{"--disk", `"20"`, "20G"}},
		"disk of no size":    {call{}, []string{"run", image, "--disk", "0G"}, 2, []string{"--disk", `"0G"`}},
		"no port":            {call{}, []string{"run", image, "--ssh=0"}, 2, []string{"--ssh", `"0"`}},
		"port and no net":    {call{}, []string{"run", image, "--ssh", "--no-network"}, 2, []string{"--no-network"}},
		"unknown display":    {call{}, []string{"run", image, "--display", "sdl"}, 2, []string{`"sdl"`, "vnc"}},
		"printing a build":   {call{}, []string{"run", ".#mini", "--print"}, 2, []string{"--print"}},
		"argument of QEMU":   {call{}, []string{"run", image, "x"}, 2, []string{"after --"}},
		"absent":             {call{}, []string{"test", "absent.iso"}, 1, []string{"absent.iso: no such file"}},
		"absent, run":        {call{}, []string{"run", "absent.iso"}, 1, []string{"absent.iso: no such file"}},
		"folder":             {call{}, []string{"test", folder}, 2, []string{folder + " is no file"}},
		"character device":   {call{}, []string{"test", "/dev/null"}, 1, []string{"/dev/null: not a bootable ISO image"}},
		"empty":              {call{}, []string{"run", put("empty.iso", nil)}, 1, []string{"empty.iso: not a bootable ISO image: it is empty"}},
		"damaged":            {call{}, []string{"test", put("damaged.iso.xz", []byte("\xfd7zXZ\x00no more"))}, 1, []string{"damaged.iso.xz is damaged xz data"}},
		"text":               {call{}, []string{"test", text}, 1, []string{"text.iso: not a bootable ISO image: no ISO 9660 volume", ".iso file"}},
		"cut off":            {call{}, []string{"run", cut}, 1, []string{"cut.iso: not a bootable ISO image"}},
		"mode not claimed":   {call{}, []string{"test", discOnly, "--modes", "bios-cd,bios-usb"}, 1, []string{"does not start as bios-usb", "it starts as bios-cd\n"}},
		"firmware not there": {call{}, []string{"run", discOnly, "--uefi"}, 1, []string{"does not start as uefi-cd", "it starts as bios-cd\n"}},
		"little memory":      {call{}, []string{"test", image, "--memory", "256M"}, 1, []string{"256 MiB", "--memory 512"}},
		"too much memory":    {call{}, []string{"test", image, "--memory", "900T"}, 1, []string{"no memory for the guest: 943718400 MiB", "--memory"}},
		"port that is taken": {call{}, []string{"run", image, "--ssh=" + port}, 1, []string{"port " + port, "another port"}},
		"no QEMU":            {alone, []string{"test", image}, 1, []string{"qemu-system-x86_64 is not on the PATH", "install QEMU"}},
		"no QEMU, run":       {alone, []string{"run", image}, 1, []string{"qemu-system-x86_64 is not on the PATH", "install QEMU"}},
		"no firmware":        {noFirmware, []string{"test", image, "--modes", "uefi-cd"}, 1, []string{"no UEFI firmware for x86_64 in /usr/share/OVMF/", "ovmf"}},
		"what QEMU refuses":  {call{}, []string{"run", image, "--bios", "--", "-nonsense"}, 1, []string{"-nonsense: invalid option", "QEMU"}},
		"no window":          {call{}, []string{"run", image, "--bios", "--display", "gtk"}, 1, []string{"running /usr/bin/qemu-system-x86_64: ", "--display vnc"}},
		"folder for logs":    {call{}, []string{"test", image, "--logs", text}, 1, []string{text + ": not a directory"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.c.env = append(test.c.env, "DISPLAY=", "WAYLAND_DISPLAY=")
			checkRefusal(t, test.c.livebuild(t, test.args...), test.status, test.texts...)
		})
	}
}

// discAlone is an image that starts a machine by BIOS from a disc, and in no other way.
func discAlone(t testing.TB) []byte {
	t.Helper()
	folder := t.TempDir()
	loader := filepath.Join(folder, "tree", "isolinux.bin")
	if err := os.MkdirAll(filepath.Dir(loader), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(loader, make([]byte, 4096), 0o666); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(folder, "disc.iso")
	judge(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-o", image, "-b", "isolinux.bin", "-no-emul-boot", filepath.Dir(loader))
	return readFile(t, image)
}

// lonelyQEMU is a folder with QEMU alone, which has no firmware of its own beside it.
func lonelyQEMU(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	program := need.Path(t, "qemu-system-x86", "qemu-system-x86_64")
	if err := os.Symlink(program, filepath.Join(folder, "qemu-system-x86_64")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// hiding is how to start a program that finds these folders empty.
func hiding(t testing.TB, folders ...string) []string {
	t.Helper()
	need.Root(t)
	var script strings.Builder
	for _, folder := range folders {
		fmt.Fprintf(&script, "[ ! -d %s ] || /bin/mount -t tmpfs none %s\n", folder, folder)
	}
	return []string{need.Path(t, "util-linux", "unshare"), "--mount", "/bin/sh", "-ec", script.String() + `exec "$@"`, "sh"}
}
