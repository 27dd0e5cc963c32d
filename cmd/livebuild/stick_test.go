package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// TestConfirm answers the question on a terminal.
func TestConfirm(t *testing.T) {
	image, content := imageFile(t, 3*mib)
	for name, test := range map[string]struct {
		answer func(s stick) string
		status int
	}{
		"name":    {func(s stick) string { return filepath.Base(s.path) }, 0},
		"path":    {func(s stick) string { return s.path }, 0},
		"yes":     {func(stick) string { return "yes" }, 1},
		"another": {func(s stick) string { return s.path + "0" }, 1},
		"nothing": {func(stick) string { return "" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStick(t, 8*mib)
			term := newTerminal(t)
			o := term.run(t, call{}, []string{"write", image, s.path}, test.answer(s))
			if o.status != test.status {
				t.Errorf("status %d, want %d; the terminal shows\n%s", o.status, test.status, o.stderr)
			}
			for _, text := range []string{s.path + ": 8.4 MB, loop, " + s.file, "Type " + filepath.Base(s.path) + " to write an image.iso to it"} {
				if !strings.Contains(o.stderr, text) {
					t.Errorf("the terminal lacks %q:\n%s", text, o.stderr)
				}
			}
			if test.status == 0 {
				s.check(t, content)
			} else {
				s.checkUntouched(t)
			}
		})
	}
}

// TestTerminalLines looks at the live lines of two sticks.
func TestTerminalLines(t *testing.T) {
	image, _ := imageFile(t, 60*mib)
	a, b := newStick(t, 64*mib), newStick(t, 64*mib)
	o := newTerminal(t).run(t, call{}, []string{"write", image, a.name, b.name, "--yes"})
	if o.status != 0 {
		t.Fatalf("status %d", o.status)
	}
	for _, text := range []string{"writing " + a.path, "writing " + b.path, "\x1b[2A\r\x1b[J", "%", a.path + ": wrote 62.9 MB, verified"} {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("the terminal lacks %q:\n%q", text, o.stderr)
		}
	}
}

// TestWriteUnmount writes to a stick that is mounted.
func TestWriteUnmount(t *testing.T) {
	image, content := imageFile(t, 3*mib)
	s := newStick(t, 16*mib)
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", s.path)
	point := t.TempDir()
	judge(t, "mount", "mount", s.path, point)
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })
	o := livebuild(t, "write", image, s.name, "--yes", "--unmount")
	if o.status != 0 || !strings.Contains(o.stderr, "unmounted "+point) {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	s.check(t, content)
}

// TestWriteInterrupted interrupts the writing of a slow stick, and goes on
// afterwards.
func TestWriteInterrupted(t *testing.T) {
	image, content := imageFile(t, 40*mib)
	faulty := testdisk.NewFaulty(t, 48*mib)
	s := stickOf(t, faulty.Path)
	faulty.OnWrite(func(int64, []byte) { pause() })
	r := call{}.start(t, "write", image, s.name, "--yes", "--json")
	r.waitUntil(t, "progress", func() bool { return strings.Count(r.stdout.String(), "\n") > 1 })
	r.signal(t, syscall.SIGINT)
	o := r.wait(t)
	if o.status != 130 || !strings.Contains(o.stderr, "interrupted") {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	faulty.Behave()
	if disk := readFile(t, s.file); !bytes.HasPrefix(disk, []byte("livebuild: this disk was not written to the end.\n")) || disk[510] != 0 {
		t.Error("the stick does not look empty")
	}
	o = livebuild(t, "write", image, s.name, "--yes", "--json")
	_, results := linesOf(t, o)
	if o.status != 0 || len(results) != 1 || results[0].Equal < 3*mib {
		t.Errorf("status %d, %+v; want it to go on", o.status, results)
	}
	s.check(t, content)
}

// TestISOWrite packs straight onto sticks, and updates them after a change.
func TestISOWrite(t *testing.T) {
	file := miniISO(t)
	content := readFile(t, file.File)
	a, b := newStick(t, 256*mib), newStick(t, 128*mib)
	write := func(configuration string, more ...string) (r struct {
		result
		Devices []line
	}) {
		t.Helper()
		args := append([]string{"iso", miniFlake(t) + "#" + configuration, "--write", a.name, "--write", b.name, "--yes", "--json"}, more...)
		o := livebuild(t, args...)
		if o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatalf("%q: %v", o.stdout, err)
		}
		return r
	}
	r := write("mini")
	if r.File != "" || r.Size != file.Size || r.SHA256 != file.SHA256 || len(r.Devices) != 2 {
		t.Errorf("result %+v, want the size and sum of %+v", r, file)
	}
	for i, s := range []stick{a, b} {
		if d := r.Devices[i]; d.Device != s.path || !d.OK || !d.Verified || d.Written != file.Size {
			t.Errorf("device %+v", d)
		}
		s.check(t, content)
	}
	r = write("mini")
	for _, d := range r.Devices {
		if d.Written != 0 || d.Equal != file.Size {
			t.Errorf("the same again: %+v", d)
		}
	}
	changed := call{env: []string{"SOURCE_DATE_EPOCH=1600000000"}}.iso(t, "mini")
	o := call{env: []string{"SOURCE_DATE_EPOCH=1600000000"}}.livebuild(t, "iso", miniFlake(t)+"#mini", "--write", a.name, "--yes")
	if o.status != 0 || o.stdout != a.path+"\n" || !strings.Contains(o.stderr, "was there already") {
		t.Errorf("an update: status %d, %q\n%s", o.status, o.stdout, o.stderr)
	}
	a.check(t, readFile(t, changed.File))
	o = livebuild(t, "write", file.File, a.name, "--yes", "--full", "--json")
	if _, results := linesOf(t, o); o.status != 0 || results[0].Equal != 0 || results[0].Written != file.Size {
		t.Errorf("--full: status %d, %+v", o.status, results)
	}
	a.check(t, content)
}

// TestISOWriteSmall packs for sticks that not every image of this store would
// fit onto: they stay as they are unless this one does.
func TestISOWriteSmall(t *testing.T) {
	file := miniISO(t)
	s := newStick(t, file.Size+mib)
	o := livebuild(t, "iso", miniFlake(t)+"#mini", "--write", s.name, "--yes")
	if o.status != 0 || o.stdout != s.path+"\n" {
		t.Errorf("status %d, %q\n%s", o.status, o.stdout, o.stderr)
	}
	s.check(t, readFile(t, file.File))

	small, large := newStick(t, file.Size-mib), newStick(t, 256*mib)
	o = livebuild(t, "iso", miniFlake(t)+"#mini", "--write", large.name, "--write", small.name, "--yes")
	checkRefusal(t, o, 1, small.path, "too small", strconv.FormatInt(file.Size, 10))
	small.checkUntouched(t)
	large.checkUntouched(t)
}

// TestISOWriteRefuses gives 'livebuild iso --write' what it must not write,
// before Nix does anything.
func TestISOWriteRefuses(t *testing.T) {
	mini := miniFlake(t) + "#mini"
	s := newStick(t, 8*mib)
	system := systemDisk(t)
	for name, test := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"with -o":           {[]string{"iso", mini, "--write", s.name, "-o", "x.iso"}, 2, []string{"--output", "--write"}},
		"with --test":       {[]string{"iso", mini, "--write", s.name, "--test"}, 2, []string{"--test", "--write"}},
		"without --write":   {[]string{"iso", mini, "--eject"}, 2, []string{"--eject needs --write"}},
		"the system":        {[]string{"iso", mini, "--write", system, "--yes"}, 1, []string{"running system"}},
		"a changing name":   {[]string{"iso", mini, "--write", s.path, "--yes"}, 1, []string{s.path, "--yes"}},
		"nobody to ask":     {[]string{"iso", mini, "--write", s.path}, 1, []string{"terminal"}},
		"too small":         {[]string{"iso", mini, "--write", s.name, "--yes", "--compression", "lz4"}, 1, []string{s.path, "too small"}},
		"a file as a stick": {[]string{"iso", mini, "--write", s.file, "--yes"}, 1, []string{"regular file"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, livebuild(t, test.args...), test.status, test.texts...)
		})
	}
	s.checkUntouched(t)
}

// TestWithoutRights runs the program as somebody who may not open disks.
func TestWithoutRights(t *testing.T) {
	image, _ := imageFile(t, 3*mib)
	s := newStick(t, 8*mib)
	if err := os.Chmod(filepath.Dir(image), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(image); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	nobody := call{dir: "/", with: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}}
	command := "sudo " + program + " write '" + image + "' " + s.name + " --yes"
	checkRefusal(t, nobody.livebuild(t, "write", image, s.name, "--yes"), 1, "opening "+s.path+" needs the rights of root", "hint: "+command+"\n")
	s.checkUntouched(t)
	if o := nobody.livebuild(t, "devices"); o.status != 0 || !strings.Contains(o.stdout, s.path) {
		t.Errorf("devices: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
}

// sudoScript stands for sudo, which keeps standard input and closes every other
// descriptor. The tests leave the program the capabilities to become root
// again, but none to open a disk.
const sudoScript = `#!/bin/bash
echo "$@" > "$SUDO_LOG"
for fd in /proc/self/fd/*; do n=${fd##*/}; [ "$n" -le 2 ] || [ "$n" = 255 ] || eval "exec $n>&-"; done
exec setpriv --reuid=0 --regid=0 --clear-groups -- "$@"
`

// TestISOWriteSudo has only the opening of the stick done as root.
func TestISOWriteSudo(t *testing.T) {
	file := miniISO(t)
	s := newStick(t, 128*mib)
	folder, err := os.MkdirTemp("/tmp", "livebuild-sudo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "sudo"), []byte(sudoScript), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	judge(t, "coreutils", "cp", "-R", miniFlake(t), folder+"/flake")
	judge(t, "coreutils", "chmod", "-R", "a+rX", folder+"/flake")
	log := filepath.Join(folder, "log")
	c := call{dir: folder, env: []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "SUDO_LOG=" + log, "HOME=" + folder, "XDG_CACHE_HOME=" + folder + "/cache"},
		with: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+setuid,+setgid", "--ambient-caps=-all,+setuid,+setgid"}}
	o := c.livebuild(t, "iso", folder+"/flake#mini", "--store", folder+"/store", "--write", s.name, "--yes")
	if o.status != 0 || o.stdout != s.path+"\n" {
		t.Fatalf("status %d, %q\n%s", o.status, o.stdout, o.stderr)
	}
	s.check(t, readFile(t, file.File))
	if said := string(readFile(t, log)); !strings.HasPrefix(said, program+" open-disks ") || strings.Contains(said, "flake") {
		t.Errorf("as root ran %q", said)
	}
	broken := filepath.Join(folder, "broken")
	if err := os.Mkdir(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(broken, "sudo"), []byte("#!/bin/sh\nexit 1\n"))
	if err := os.Chmod(filepath.Join(broken, "sudo"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"iso", folder + "/flake#mini", "--store", folder + "/store", "--write", s.name, "--yes"}
	refusing := c
	refusing.env = append([]string{"PATH=" + broken + ":" + os.Getenv("PATH")}, c.env[1:]...)
	checkRefusal(t, refusing.livebuild(t, args...), 1, "the disks were not opened: exit status 1", "livebuild write image.iso DEVICE")
	nix := need.Path(t, "nix-bin", "nix")
	lonely := c
	lonely.env = append([]string{"PATH=" + t.TempDir() + ":" + filepath.Dir(nix)}, c.env[1:]...)
	if _, err := os.Stat(filepath.Join(filepath.Dir(nix), "sudo")); err != nil {
		checkRefusal(t, lonely.livebuild(t, args...), 1, "opening "+s.path+" needs the rights of root", "livebuild write image.iso DEVICE")
	}
	if info, err := os.Stat(folder + "/store"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("the store is not of the user: %v", err)
	}
}

// TestBootStick boots a stick that is larger than the image on it.
func TestBootStick(t *testing.T) {
	r := miniISO(t)
	s := newStick(t, 2*r.Size+5*mib)
	if o := livebuild(t, "write", r.File, s.name, "--yes"); o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	testdisk.Detach(t, s.path, s.file)
	r.File = s.file
	for _, mode := range []string{"bios-usb", "uefi-usb"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			boot(t, r, mode)
		})
	}
}
