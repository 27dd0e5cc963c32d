package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// keepingISO makes an image whose live system keeps its files; more is a module. A kernel that
// panics ends the machine, and none does because the host is busy when it measures its timer.
func keepingISO(t testing.TB, more string) string {
	t.Helper()
	folder := t.TempDir()
	module := filepath.Join(folder, "module.nix")
	writeFile(t, module, []byte(`{ lib, pkgs, ... }: { boot.loader.timeout = lib.mkForce 1; boot.kernelParams = [ "console=ttyS0,115200n8" "mini.gc" "no_timer_check" "panic=1" ]; `+more+` }`))
	file := filepath.Join(folder, "keeping.iso")
	o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--persistent", "--module", module, "-o", file}, fast)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	return file
}

// keeps is where a disk keeps files.
func keeps(t testing.TB, s stick) *persistence.Kept {
	t.Helper()
	f, err := os.Open(s.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	k, err := persistence.Locate(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPersist writes an image with room for files behind it, and others over it.
func TestPersist(t *testing.T) {
	image := keepingISO(t, "")
	content := readFile(t, image)
	s := newStick(t, 700*mib)
	write := func(status int, image string, args ...string) outcome {
		t.Helper()
		o := livebuild(t, append([]string{"write", image, s.name}, args...)...)
		if o.status != status {
			t.Fatalf("write %v: status %d\n%s", args, o.status, o.stderr)
		}
		return o
	}
	o := write(0, image, "--yes", "--persist")
	if !strings.Contains(o.stderr, "behind the image in which the live system keeps its files") || !strings.Contains(o.stderr, "verified") {
		t.Errorf("write --persist: %s", o.stderr)
	}
	if out := judge(t, "gdisk", "sgdisk", "-v", s.path); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	judge(t, "fdisk", "sfdisk", "--verify", s.path)
	k := keeps(t, s)
	if k == nil {
		t.Fatal("the stick keeps nothing")
	}

	// The image is proved, with the tables of the stick.
	write(0, image, "--verify-only")
	var v struct{ Kept struct{ Offset, Size int64 } }
	if o := livebuild(t, "verify", s.path, "--json"); json.Unmarshal([]byte(o.stdout), &v) != nil || v.Kept.Offset != k.Start || v.Kept.Size != k.Size {
		t.Errorf("verify says %s, want %+v", o.stdout, k)
	}
	if o := livebuild(t, "verify", s.path, "--sha256", sha256Of(content)); o.status != 0 || !strings.Contains(o.stdout, "files are kept in ") {
		t.Errorf("verify --sha256: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	for what, at := range map[string]int64{"the table": 1024 + 2*128 + 40, "the backup": 700*mib - 512 + 20} {
		flip := func() {
			f, err := os.OpenFile(s.file, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			b[0] ^= 1
			if _, err := f.WriteAt(b, at); err != nil {
				t.Fatal(err)
			}
		}
		flip()
		if o := write(1, image, "--verify-only"); !strings.Contains(o.stderr, "differs from the image at byte") {
			t.Errorf("a flipped bit in %s: %s", what, o.stderr)
		}
		if o := livebuild(t, "verify", s.path); o.status != 4 {
			t.Errorf("verify with a flipped bit in %s: status %d\n%s", what, o.status, o.stdout)
		}
		flip()
	}

	// What is kept stays, without a word.
	mark := bytes.Repeat([]byte("kept "), 2000)
	f, err := os.OpenFile(s.file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(mark, k.Start+mib); err != nil {
		t.Fatal(err)
	}
	marked := func() bool {
		there := make([]byte, len(mark))
		if _, err := f.ReadAt(there, k.Start+mib); err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(there, mark)
	}
	other, _ := imageFile(t, 3*mib) // without a GPT
	for name, args := range map[string][]string{"nothing": nil, "--persist": {"--persist"}, "--full": {"--full"}, "another size": {"--persist=100M"}} {
		o := write(0, image, append(args, "--yes")...)
		if now := keeps(t, s); now == nil || now.Partition != k.Partition || !marked() || !strings.Contains(o.stderr, "keeps its files") {
			t.Errorf("with %s the stick keeps %+v, want %+v\n%s", name, now, k, o.stderr)
		}
	}
	checkRefusal(t, livebuild(t, "write", other, s.name, "--yes"), 1, "cannot be extended", "there is no GPT", "--persist=no")
	checkRefusal(t, livebuild(t, "write", other, s.name, "--yes", "--persist"), 1, "keeps no files", "livebuild iso --persistent")
	large, _ := imageFile(t, int(k.Start)+mib)
	checkRefusal(t, livebuild(t, "write", large, s.name, "--yes"), 1, "keeps files from byte", "1048576 too many", "--persist=recreate")
	if now := keeps(t, s); now == nil || now.Partition != k.Partition || !marked() {
		t.Errorf("after refusals the stick keeps %+v", now)
	}
	write(0, image, "--verify-only")

	// Made anew, and of a size; then none.
	write(0, image, "--yes", "--persist=recreate,100M")
	if now := keeps(t, s); now == nil || now.ID == k.ID || now.Size/mib < 100 || now.Size/mib > 103 {
		t.Errorf("made anew it keeps %+v", now)
	}
	compressed := filepath.Join(t.TempDir(), "image.iso.zst")
	judge(t, "zstd", "zstd", "-q", "-1", image, "-o", compressed)
	write(0, compressed, "--yes", "--persist=recreate")
	write(0, image, "--verify-only")
	write(0, image, "--yes", "--persist=no")
	if now := keeps(t, s); now != nil {
		t.Errorf("with --persist=no it keeps %+v", now)
	}
	s.check(t, content)

	plain := miniISO(t).File
	checkRefusal(t, livebuild(t, "write", plain, s.name, "--yes", "--persist"), 1, "keeps no files", "--persistent")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--yes", "--persist", "--persist-luks"), 1, "cannot keep files encrypted", "--persistent=luks")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--yes", "--persist=2G"), 1, "2147483648 are wanted", "--persist=1G")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--persist=soon", "--yes"), 2, "--persist takes a size")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--persist=1M", "--yes"), 2, "less than 64 MiB")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--persist-luks", "--yes"), 2, "--persist-luks is about --persist")
	checkRefusal(t, livebuild(t, "write", image, s.name, "--persist", "--verify-only"), 2, "--verify-only writes nothing")
	s.check(t, content)
	sectors := newStick(t, 700*mib, "--sector-size", "4096")
	checkRefusal(t, livebuild(t, "write", image, sectors.name, "--yes", "--persist"), 1, "sectors of 4096 bytes")
	checkRefusal(t, livebuild(t, "iso", plainHost(t), "--persistent=xts"), 2, "--persistent takes nothing, or luks")

	// Straight from a configuration.
	o = livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--persistent", "--write", s.name, "--yes", "--persist=200M"}, fast)...)
	if now := keeps(t, s); o.status != 0 || now == nil || now.Size/mib < 200 || now.Size/mib > 203 {
		t.Errorf("iso --write --persist: status %d, it keeps %+v\n%s", o.status, now, o.stderr)
	}
	checkRefusal(t, livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--write", s.name, "--yes", "--persist"}, fast)...), 1, "keeps no files")
}

// bootKept starts a machine from a disk that it may write to, and returns what its console said.
func bootKept(t testing.TB, file string, uefi bool, args ...string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "console")
	command := []string{"-no-user-config", "-nodefaults", "-machine", "q35", "-accel", "tcg", "-m", "768", "-display", "none", "-no-reboot",
		"-device", "qemu-xhci", "-drive", "if=none,id=stick,format=raw,file=" + file, "-device", "usb-storage,drive=stick,bootindex=0", "-serial", "file:" + log}
	if uefi {
		code, vars := "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
		command = append(command, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+code, "-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+vars)
	}
	const patience = 10 * time.Minute // of a machine that hangs; no verdict
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", append(command, args...)...).CombinedOutput()
	console := string(readFile(t, log))
	if err != nil || !strings.Contains(console, "MINI-RESULT PASS") {
		t.Fatalf("QEMU: %v\n%s\n%s", err, out, console)
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
	write(keepingISO(t, `environment.systemPackages = [ (pkgs.build "another" { } "mkdir $out; echo more > $out/more") ];`))
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

// TestPersistInside runs what the live system has for whoever works in it.
func TestPersistInside(t *testing.T) {
	m, err := os.Open(keepingISO(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	info, err := m.Stat()
	if err != nil {
		t.Fatal(err)
	}
	image, err := medium.Read(m, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	says, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if says.Changes.Persistent != "plain" {
		text, _ := json.Marshal(says.Changes)
		t.Errorf("the manifest says %s", text)
	}
	i := slices.IndexFunc(says.StorePaths, func(p manifest.StorePath) bool { return strings.HasSuffix(p.Path, "-livebuild-persist") })
	if i < 0 {
		t.Fatal("livebuild-persist is not on the medium")
	}
	o := livebuild(t, "cat", m.Name(), says.StorePaths[i].Path+"/bin/livebuild-persist")
	if o.status != 0 {
		t.Fatal(o.stderr)
	}
	script := filepath.Join(t.TempDir(), "script")
	writeFile(t, script, []byte(o.stdout))
	root := t.TempDir()
	run := func(args ...string) outcome {
		cmd := exec.Command("sh", append([]string{script}, args...)...)
		cmd.Env = append(os.Environ(), "LIVEBUILD_PERSIST_ROOT="+root)
		return runCommand(t, cmd)
	}
	if o := run(); o.status != 1 || o.stdout != "nothing is kept\n" {
		t.Errorf("status without: %+v", o)
	}
	if o := run("gc"); o.status != 1 || !strings.HasPrefix(o.stderr, "error: nothing is kept on this stick") {
		t.Errorf("gc without: %+v", o)
	}
	for _, folder := range []string{"run/livebuild", ".livebuild/nix-aa/store/added", ".livebuild/nix-bb/store"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(root, "run/livebuild/persist"), []byte("partition=/dev/sdx3\nimage=bb\n"))
	if o := run("status"); o.status != 0 || !strings.Contains(o.stdout, "files are kept on /dev/sdx3\n") || !strings.Contains(o.stdout, "nix-aa\n") || strings.Contains(o.stdout, "nix-bb") {
		t.Errorf("status: %+v", o)
	}
	if o := run("gc", "--dry-run"); o.status != 0 || !strings.Contains(o.stdout, "nix-aa\n") {
		t.Errorf("gc --dry-run: %+v", o)
	}
	if o := run("gc"); o.status != 0 || !strings.Contains(o.stdout, "nix-aa\n") {
		t.Errorf("gc: %+v", o)
	}
	left, err := filepath.Glob(filepath.Join(root, ".livebuild/*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "nix-bb" {
		t.Errorf("left is %v", left)
	}
	for _, args := range [][]string{{"clean"}, {"gc", "all"}, {"status", "x"}} {
		if o := run(args...); o.status != 2 || !strings.HasPrefix(o.stderr, "usage: livebuild-persist") {
			t.Errorf("%v: %+v", args, o)
		}
	}
}
