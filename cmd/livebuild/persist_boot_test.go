package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	reports "github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// bootKept starts a machine from a disk that it may write to, and returns what its console said.
func bootKept(t testing.TB, file string, uefi bool, args ...string) string {
	t.Helper()
	return bootTyping(t, file, uefi, nil, args...)
}

// typed is a line that is typed when a console has asked for it.
type typed struct{ prompt, line string }

// typist is a console that lines are typed on, in their order.
type typist struct {
	said  bytes.Buffer
	keys  io.Writer
	lines []typed
	seen  int // of what was said, up to the last prompt
}

func (c *typist) Write(p []byte) (int, error) {
	c.said.Write(p)
	for len(c.lines) > 0 {
		at := bytes.Index(c.said.Bytes()[c.seen:], []byte(c.lines[0].prompt))
		if at < 0 {
			break
		}
		c.seen += at + len(c.lines[0].prompt)
		if _, err := io.WriteString(c.keys, c.lines[0].line+"\n"); err != nil {
			return 0, err
		}
		c.lines = c.lines[1:]
	}
	return len(p), nil
}

// bootTyping is bootKept with somebody at the console.
func bootTyping(t testing.TB, file string, uefi bool, lines []typed, args ...string) string {
	t.Helper()
	return bootUntilOff(t, file, uefi, "MINI-RESULT PASS", lines, args...)
}

// bootUntilOff starts a machine from a disk that it may write to, until it switches itself off, and returns
// what its console said, to which done belongs.
func bootUntilOff(t testing.TB, file string, uefi bool, done string, lines []typed, args ...string) string {
	t.Helper()
	command := []string{"-no-user-config", "-nodefaults", "-machine", "q35", "-accel", "tcg", "-m", "768", "-display", "none", "-no-reboot",
		"-device", "qemu-xhci", "-drive", "if=none,id=stick,format=raw,file=" + file, "-device", "usb-storage,drive=stick,bootindex=0", "-serial", "stdio"}
	if uefi {
		code, vars := "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
		command = append(command, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+code, "-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+vars)
	}
	const patience = 10 * time.Minute // of a machine that hangs; no verdict
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(command, args...)...)
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	screen := &typist{keys: keys, lines: lines}
	cmd.Stdout, cmd.Stderr = screen, &complaints
	err = cmd.Run()
	console := screen.said.String()
	if err != nil || !strings.Contains(console, done) || len(screen.lines) > 0 {
		t.Fatalf("QEMU: %v; not asked for: %q\n%s\n%s", err, screen.lines, complaints.String(), console)
	}
	return console
}

// says checks what a console says, and what not ("!").
func says(t testing.TB, console string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if want, not := strings.CutPrefix(text, "!"); strings.Contains(console, want) == not {
			t.Errorf("the console says %q: %t\n%s", want, not, console)
		}
	}
}

// TestPersistBoot boots a stick twice: what the first boot left is there in the second. Then the
// image is replaced, and all but the store is still there.
func TestPersistBoot(t *testing.T) {
	image := keepingISO(t, "")
	file := testdisk.Sparse(t, 700*mib)
	write := func(image string, args ...string) {
		t.Helper()
		s := stickOf(t, file)
		if o := livebuild(t, append([]string{"write", image, s.name, "--yes"}, args...)...); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		testdisk.Detach(t, s.path, file)
	}
	fsck := func() {
		t.Helper()
		k := keeps(t, stick{file: file})
		judge(t, "e2fsprogs", "e2fsck", "-f", "-n", fmt.Sprintf("%s?offset=%d", file, k.Start))
	}
	write(image, "--persist")
	says(t, bootKept(t, file, false), "MINI-ROOT ext2/ext3", "MINI-BOOTS-KEPT 0", "!MINI-STORE-KEPT", "MINI-STATUS files are kept on /dev/sda3")
	fsck()
	says(t, bootKept(t, file, *allChecks), "MINI-BOOTS-KEPT 1", "MINI-STORE-KEPT var", "!MINI-TOLD")
	if !*allChecks {
		return
	}
	write(keepingISO(t, anotherPackage))
	says(t, bootKept(t, file, true), "MINI-BOOTS-KEPT 2", "!MINI-STORE-KEPT", "MINI-GC ", "!MINI-STATUS additions")
	fsck()

	// With another stick of the same image, stage 1 takes either for its medium, for they have one
	// label: what is kept is that of the same stick, or nothing if that keeps nothing.
	write(image)
	first := file
	for _, args := range [][]string{{"--persist"}, nil} {
		file = testdisk.Sparse(t, 700*mib)
		write(image, args...)
		console := bootKept(t, file, false, "-drive", "if=none,id=other,format=raw,file="+first, "-device", "usb-storage,drive=other")
		taken := regexp.MustCompile(`MINI-MEDIUM (/dev/sd[ab])\b`).FindStringSubmatch(console)
		used := regexp.MustCompile(`MINI-PERSIST disk=(/dev/sd[ab])\b`).FindStringSubmatch(console)
		if taken == nil || used == nil && args != nil || used != nil && used[1] != taken[1] {
			t.Errorf("the medium is %q, and the files of %q are used\n%s", taken, used, console)
		}
	}
	// With none, nothing is kept.
	says(t, bootKept(t, file, false), "!MINI-PERSIST", "!MINI-TOLD")
}

// TestPersistStamped boots a stick that keeps files and was stamped, by -checks: what is stamped counts, and is kept no
// longer than it is stamped. The same image as a disc, stamped too, keeps nothing.
func TestPersistStamped(t *testing.T) {
	if !*allChecks {
		t.Skip("it takes five boots; -checks runs it")
	}
	image := keepingAs(t, `environment.systemPackages = [ (pkgs.build "unit-sshd.service" { } "mkdir $out") ];`, "--persistent", "--stamp-params")
	file := testdisk.Sparse(t, 700*mib)
	on := func(verb func(s stick) []string) {
		t.Helper()
		s := stickOf(t, file)
		if o := livebuild(t, verb(s)...); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		testdisk.Detach(t, s.path, file)
	}
	stamped := []string{"--hostname", "lab-5", "--ssh-key", stampKey, "--kernel-param", "x.y=1"}
	on(func(s stick) []string {
		return append([]string{"write", image, s.name, "--yes", "--persist"}, stamped...)
	})
	for boots, uefi := range []bool{false, true} {
		console := bootKept(t, file, uefi)
		says(t, console, fmt.Sprintf("MINI-BOOTS-KEPT %d", boots), "MINI-HOSTNAME lab-5", " x.y=1")
		if n := strings.Count(console, "MINI-KEY "+stampKey); n != 1 {
			t.Errorf("after %d boots the key is there %d times", boots, n)
		}
	}
	on(func(s stick) []string { return []string{"stamp", s.path, "--hostname", "lab-6"} })
	says(t, bootKept(t, file, false), "MINI-BOOTS-KEPT 2", "MINI-STORE-KEPT var", "MINI-HOSTNAME lab-6", "!MINI-KEY "+stampKey, "! x.y=1")
	on(func(s stick) []string { return []string{"verify", s.path, "--sha256", sha256Of(readFile(t, image))} })
	on(func(s stick) []string { return []string{"write", image, s.name, "--verify-only"} })

	stampOf(t, append([]string{image}, stamped...)...)
	logs := t.TempDir()
	testImage(t, 0, image, "--modes", "bios-cd,uefi-cd", "--logs", logs)
	files, err := filepath.Glob(filepath.Join(logs, "*.log"))
	if err != nil || len(files) != 2 {
		t.Fatalf("logs are %q, %v", files, err)
	}
	for _, file := range files {
		says(t, string(readFile(t, file)), "MINI-HOSTNAME lab-5", " x.y=1", "!MINI-PERSIST", "!MINI-TOLD")
	}
}

// TestPersistMenu boots the entry of the boot menus with which nothing is kept, and nothing of what is kept used, by
// -checks.
func TestPersistMenu(t *testing.T) {
	if !*allChecks {
		t.Skip("it takes four boots; -checks runs it")
	}
	file := testdisk.Sparse(t, 700*mib)
	write := func(image string) {
		t.Helper()
		s := stickOf(t, file)
		if o := livebuild(t, "write", image, s.name, "--yes", "--persist"); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		testdisk.Detach(t, s.path, file)
	}
	image := keepingISO(t, "")
	write(image)
	says(t, bootKept(t, file, true), "MINI-BOOTS-KEPT 0")
	write(changeMenus(t, image, set("DEFAULT boot\n", "DEFAULT boot-no-persist\n"),
		set("set timeout=1", "set timeout=1\nset default='Options>Without Saved Data>Mini 26.05.mini Live'")))
	for _, uefi := range []bool{false, true} {
		says(t, bootKept(t, file, uefi), " livebuild.persist=no", "!MINI-PERSIST", "!MINI-BOOTS-KEPT", "!MINI-TOLD")
	}
	write(image)
	says(t, bootKept(t, file, false), "MINI-BOOTS-KEPT 1")
}

// TestPersistLUKS boots a stick whose files are encrypted, by -checks: the first start makes it so,
// the later ones ask for the passphrase.
func TestPersistLUKS(t *testing.T) {
	if !*allChecks {
		t.Skip("it takes three boots; -checks runs it")
	}
	const (
		passphrase = "correct horse battery staple"
		choose     = "Choose a passphrase for what is kept on this stick"
		again      = "Once more, the same:"
		ask        = "Passphrase for what is kept on this stick"
	)
	image := keepingAs(t, "", "--persistent=luks")
	file := testdisk.Sparse(t, 700*mib)
	write := func(args ...string) {
		t.Helper()
		s := stickOf(t, file)
		if o := livebuild(t, append([]string{"write", image, s.name, "--yes"}, args...)...); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		testdisk.Detach(t, s.path, file)
	}
	write("--persist=200M", "--persist-luks")
	k := keeps(t, stick{file: file})

	// Nobody answers: it starts with nothing kept, and asks again the next time.
	says(t, bootTyping(t, file, false, []typed{{choose, ""}}), "!MINI-PERSIST", "!MINI-TOLD")
	console := bootTyping(t, file, false, []typed{{choose, passphrase}, {again, "something else"}, {choose, passphrase}, {again, passphrase}})
	says(t, console, "They differ.", "MINI-ROOT ext2/ext3", "MINI-BOOTS-KEPT 0", "MINI-STATUS files are kept on /dev/sda3", "!"+passphrase)

	// cryptsetup judges what is on the disk, and e2fsck cannot: it is encrypted.
	part := filepath.Join(t.TempDir(), "partition")
	judge(t, "coreutils", "dd", "if="+file, "of="+part, "bs=1M", fmt.Sprintf("skip=%d", k.Start/mib), "count=32", "status=none")
	dump := judge(t, "cryptsetup-bin", "cryptsetup", "luksDump", part)
	for _, want := range []string{
		"Version:       \t2\n", "cipher: aes-xts-plain64\n", "Key:        512 bits\n", "sector: 4096 [bytes]\n", "PBKDF:      argon2id\n",
	} {
		if !strings.Contains(dump, want) {
			t.Errorf("luksDump has no %q:\n%s", want, dump)
		}
	}
	if m := regexp.MustCompile(`Memory:     (\d+)\n`).FindStringSubmatch(dump); m == nil || len(m[1]) > len("262144") || len(m[1]) == len("262144") && m[1] > "262144" {
		t.Errorf("the key takes too much memory, in KiB: %q", m)
	}
	judge(t, "cryptsetup-bin", "sh", "-euc", `printf %s "$1" | cryptsetup open --test-passphrase --key-file=- "$2"`, "sh", passphrase, part)
	var v struct{ Kept reports.Kept }
	if o := livebuild(t, "inspect", file, "--json"); json.Unmarshal([]byte(o.stdout), &v) != nil || !v.Kept.Encrypted || v.Kept.New || v.Kept.UUID == "" || !strings.Contains(dump, v.Kept.UUID) {
		t.Errorf("inspect says %+v\n%s", v.Kept, o.stderr)
	}

	// Through an update in place; a wrong passphrase is no end.
	write()
	console = bootTyping(t, file, true, []typed{{ask, "wrong"}, {ask, passphrase}})
	says(t, console, "This is not the passphrase.", "MINI-BOOTS-KEPT 1", "MINI-STORE-KEPT var", "!MINI-TOLD", "!"+passphrase)
}
