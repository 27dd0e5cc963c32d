package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/persistence"
	reports "github.com/livebuild/livebuild/internal/report"
)

// keeping are images whose live system keeps its files, which several tests look at and none changes.
var keeping struct {
	sync.Mutex
	files map[string]string // by the module
}

// keepingISO makes an image whose live system keeps its files; more is a module. A kernel that
// panics ends the machine, and none does because the host is busy when it measures its timer.
func keepingISO(t testing.TB, more string) string {
	t.Helper()
	keeping.Lock()
	defer keeping.Unlock()
	if keeping.files[more] == "" {
		made := keepingAs(t, more, "--persistent")
		if keeping.files == nil {
			keeping.files = map[string]string{}
		}
		file := filepath.Join(filepath.Dir(program), fmt.Sprintf("keeping-%d.iso", len(keeping.files)))
		if err := os.Rename(made, file); err != nil {
			t.Fatal(err)
		}
		keeping.files[more] = file
	}
	return keeping.files[more]
}

// anotherPackage is a module.
const anotherPackage = `environment.systemPackages = [ (pkgs.build "another" { } "mkdir $out; echo more > $out/more") ];`

// keepingAs is keepingISO with other flags for what the image takes, and an image for the test alone.
func keepingAs(t testing.TB, more string, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	module := filepath.Join(folder, "module.nix")
	writeFile(t, module, []byte(`{ lib, pkgs, ... }: { boot.loader.timeout = lib.mkForce 1; boot.kernelParams = [ "console=ttyS0,115200n8" "mini.gc" "no_timer_check" "panic=1" ]; `+more+` }`))
	file := filepath.Join(folder, "keeping.iso")
	o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--module", module, "-o", file}, flags, fast)...)
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
	want := reports.Kept{Offset: k.Start, Size: k.Size, ID: k.ID.String(), Content: "ext4", New: true}
	for verb, args := range map[string][]string{
		"verify": {"verify", s.path, "--json"}, "inspect": {"inspect", s.path, "--json"}, "write": {"write", image, s.name, "--verify-only", "--json"},
	} {
		var v struct{ Kept reports.Kept }
		o := livebuild(t, args...)
		lines := strings.SplitAfter(strings.TrimSpace(o.stdout), "\n")
		last := lines[len(lines)-1]
		if verb != "write" {
			last = o.stdout
		}
		if err := json.Unmarshal([]byte(last), &v); o.status != 0 || err != nil || v.Kept != want {
			t.Errorf("%s says %s, want %+v (%v)\n%s", verb, o.stdout, want, err, o.stderr)
		}
	}
	if o := livebuild(t, "inspect", s.path); !strings.Contains(o.stdout, "keeps files") || !strings.Contains(o.stdout, "behind the image, from byte") || !strings.Contains(o.stdout, "to be made at the first start") {
		t.Errorf("inspect says %s", o.stdout)
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

// TestPersistURL replaces the image of a stick that keeps files by one of a server, of which most is on the stick.
func TestPersistURL(t *testing.T) {
	next := keepingISO(t, anotherPackage)
	content := readFile(t, next)
	m := newMirror(t, map[string][]byte{"/next.iso": content})
	s := newStick(t, 700*mib)
	write := call{env: []string{"XDG_CACHE_HOME=" + t.TempDir()}}
	for _, step := range []struct {
		image string
		args  []string
	}{{keepingISO(t, ""), []string{"--persist"}}, {m.url + "/next.iso", nil}, {next, []string{"--verify-only"}}} {
		before := keeps(t, s)
		o := write.livebuild(t, append([]string{"write", step.image, s.name, "--yes"}, step.args...)...)
		if now := keeps(t, s); o.status != 0 || now == nil || before != nil && now.Partition != before.Partition {
			t.Fatalf("%s: status %d, it keeps %+v, and kept %+v\n%s", step.image, o.status, now, before, o.stderr)
		}
	}
	if sent := m.do(nil); sent == 0 || sent > int64(len(content))/2 {
		t.Errorf("%d bytes were sent of %d, although the stick has most of them", sent, len(content))
	}
	judge(t, "gdisk", "sgdisk", "-v", s.path)
	if o := livebuild(t, "verify", s.path, "--sha256", sha256Of(content)); o.status != 0 || !strings.Contains(o.stdout, "files are kept in ") {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	var v struct{ Kept reports.Kept }
	if o := livebuild(t, "inspect", s.path, "--json"); json.Unmarshal([]byte(o.stdout), &v) != nil || !v.Kept.New || v.Kept.Content != "ext4" {
		t.Errorf("what is to be made at the first start is lost: %s\n%s", o.stdout, o.stderr)
	}
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
