package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/index"
)

// fast makes a run short where the compression does not matter.
var fast = []string{"--compression", "lz4"}

// written runs 'livebuild iso' on the configuration mini and returns what it
// printed on standard output.
func written(t testing.TB, c call, args ...string) string {
	t.Helper()
	o := c.livebuild(t, slices.Concat([]string{"iso", miniFlake(t) + "#mini"}, fast, args)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso %q: status %d\n%s", args, o.status, o.stderr)
	}
	return o.stdout
}

// names lists a folder, hidden files included.
func names(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func checkNames(t testing.TB, folder string, want ...string) {
	t.Helper()
	if got := names(t, folder); !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

func isImage(t testing.TB, file string) {
	t.Helper()
	if label := judge(t, "util-linux", "blkid", "--probe", "--match-tag", "LABEL", "--output", "value", file); strings.TrimSpace(label) != "MINI_LIVE" {
		t.Errorf("%s is not the image: its label is %q", file, label)
	}
}

// miniName is the name that the configuration gives its image.
const miniName = "mini-26.05.19800101.mini-x86_64-linux.iso"

// TestOutputNames tries the forms of -o.
func TestOutputNames(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string // in the working directory
	}{
		"default":           {nil, miniName},
		"file":              {[]string{"-o", "my image.iso"}, "my image.iso"},
		"slash":             {[]string{"-o", "folder/"}, "folder/" + miniName},
		"folder":            {[]string{"--output=folder"}, "folder/" + miniName},
		"file in a folder":  {[]string{"-o", "folder/a.img"}, "folder/a.img"},
		"folder, by a link": {[]string{"-o", "link"}, "link/" + miniName},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("folder", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			if got := written(t, call{dir: dir}, test.args...); got != test.want+"\n" {
				t.Errorf("standard output is %q, want the name %q", got, test.want)
			}
			isImage(t, filepath.Join(dir, test.want))
			all := append(names(t, dir), names(t, filepath.Join(dir, "folder"))...)
			if len(all) != 4 || !slices.Contains(all, filepath.Base(test.want)+".sha256") {
				t.Errorf("the folders have %q", all)
			}
		})
	}
}

// TestJSON checks the object of --json against the image and Nix.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	o := call{dir: dir}.livebuild(t, "iso", miniFlake(t)+"#mini", "--json")
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	var keys map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &keys); err != nil {
		t.Fatalf("standard output is not one object: %v\n%s", err, o.stdout)
	}
	for _, key := range []string{"file", "size", "sha256", "volume_id", "system", "toplevel", "compression",
		"store_paths", "store_bytes", "squashfs_bytes", "reused_bytes", "seconds"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("the result has no %q", key)
		}
	}
	seconds, _ := keys["seconds"].(map[string]any)
	for _, key := range []string{"evaluate", "build", "pack", "total"} {
		if v, ok := seconds[key].(float64); !ok || v <= 0 {
			t.Errorf("the result's seconds have the %q %v", key, seconds[key])
		}
	}

	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	paths := closureOf(t, r.Toplevel)
	var bytes int64
	for size := range strings.FieldsSeq(judge(t, "nix-bin", "nix-store", append([]string{"--query", "--size"}, paths...)...)) {
		var n int64
		if _, err := fmt.Sscan(size, &n); err != nil {
			t.Fatal(err)
		}
		bytes += n
	}
	file := filepath.Join(dir, miniName)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	squashfs, err := os.Stat(filepath.Join(extracted(t, file), squashfsName))
	if err != nil {
		t.Fatal(err)
	}
	// Behind the squashfs the file has the index of what is outside of it, padded to 4 KiB as that is.
	image, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	behind, err := index.Read(image, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	want := result{
		File: file, Size: info.Size(), ImageBytes: info.Size(), SHA256: strings.Fields(judge(t, "coreutils", "sha256sum", file))[0],
		VolumeID: "MINI_LIVE", System: "x86_64-linux", Toplevel: r.Toplevel, Compression: "zstd:3",
		Modes: r.Modes, StorePaths: len(paths), StoreBytes: bytes, SquashfsBytes: squashfs.Size() - (behind.At.Size+4095)/4096*4096,
		ReusedBytes: r.ReusedBytes, Seconds: r.Seconds,
	}
	if got, want := fmt.Sprintf("%+v", r), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("the result is\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(o.stderr, "{") {
		t.Errorf("standard error has the result:\n%s", o.stderr)
	}
}

// TestReplace tries what may be in the output's place.
func TestReplace(t *testing.T) {
	image := miniISO(t).File
	// Made by another program, although it looks like an image of ours.
	foreign := filepath.Join(t.TempDir(), "foreign.iso")
	judge(t, "xorriso", "xorriso", "-outdev", foreign, "-volid", "MINI_LIVE", "-map", "/etc/hostname", "/hostname")

	type place func(t *testing.T, file string)
	copyOf := func(source string) place {
		return func(t *testing.T, file string) { judge(t, "coreutils", "cp", source, file) }
	}
	text := func(t *testing.T, file string) {
		if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		there place
		force bool
		want  string // text of the error; empty: replaced
	}{
		"nothing":              {func(*testing.T, string) {}, false, ""},
		"image":                {copyOf(image), false, ""},
		"other image":          {copyOf(foreign), false, "not an image made by livebuild"},
		"other image, forced":  {copyOf(foreign), true, ""},
		"text":                 {text, false, "not an image made by livebuild"},
		"text, forced":         {text, true, ""},
		"empty file":           {func(t *testing.T, file string) { judge(t, "coreutils", "touch", file) }, false, "not an image made by livebuild"},
		"named pipe, forced":   {func(t *testing.T, file string) { judge(t, "coreutils", "mkfifo", file) }, true, "not a regular file"},
		"device, forced":       {func(t *testing.T, file string) { judge(t, "coreutils", "mknod", file, "b", "7", "250") }, true, "not a regular file"},
		"link to text":         {link(text), false, "not an image made by livebuild"},
		"link to text, forced": {link(text), true, ""},
		"link to image":        {link(copyOf(image)), false, ""},
		"link to nothing":      {link(func(*testing.T, string) {}), true, "leads nowhere"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "out.iso")
			test.there(t, file)
			before := names(t, dir)
			args := slices.Concat([]string{"iso", miniFlake(t) + "#mini", "-o", file}, fast)
			if test.force {
				args = append(args, "--force")
			}
			old, _ := os.Lstat(file)
			var content []byte
			if old != nil && old.Mode().IsRegular() {
				content = readFile(t, file)
			}
			o := livebuild(t, args...)
			if test.want == "" {
				if o.status != 0 {
					t.Fatalf("status %d\n%s", o.status, o.stderr)
				}
				isImage(t, file)
			} else {
				checkRefusal(t, o, 1, test.want)
				if content != nil && string(content) != string(readFile(t, file)) {
					t.Error("the file was changed")
				}
			}
			if old == nil {
				return
			}
			if test.want == "" { // with the checksum of the file, wherever a link leads
				real, err := filepath.EvalSymlinks(file)
				if err != nil {
					t.Fatal(err)
				}
				before = append(before, filepath.Base(real)+".sha256")
				slices.Sort(before)
			}
			checkNames(t, dir, before...)
			if now, err := os.Lstat(file); err != nil || now.Mode().Type() != old.Mode().Type() {
				t.Errorf("the file was a %v and is a %v (%v)", old.Mode(), now.Mode(), err)
			}
		})
	}
}

// link puts a link in the place, and what it is to lead to beside it.
func link(there func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, file string) {
		there(t, filepath.Join(filepath.Dir(file), "target"))
		if err := os.Symlink("target", file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnusableFolder tries folders that no image can go to. Nothing is
// evaluated for that.
func TestUnusableFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	readOnly := mount(t, "-t", "tmpfs", "-o", "ro", "tmpfs")
	for name, output := range map[string]string{
		"missing":           filepath.Join(dir, "absent/image.iso"),
		"missing, by slash": filepath.Join(dir, "absent") + "/",
		"file":              filepath.Join(dir, "file/image.iso"),
		"file, by slash":    filepath.Join(dir, "file") + "/",
		"read-only":         filepath.Join(readOnly, "image.iso"),
	} {
		t.Run(name, func(t *testing.T) {
			o := livebuild(t, "iso", miniFlake(t)+"#mini", "-o", output)
			checkRefusal(t, o, 1, strings.TrimSuffix(strings.TrimSuffix(output, "/"), "/image.iso"))
			if strings.Contains(o.stderr, "evaluating") {
				t.Error("the configuration was evaluated before")
			}
		})
	}
	checkNames(t, dir, "file")
}

// TestFullDisk writes to a disk that is too small.
func TestFullDisk(t *testing.T) {
	folder := mount(t, "-t", "tmpfs", "-o", "size=10M", "tmpfs")
	old := filepath.Join(folder, "image.iso")
	if err := os.WriteFile(old, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	o := call{env: []string{"XDG_CACHE_HOME=" + cache}}.livebuild(t, "iso", miniFlake(t)+"#mini", "--force", "-o", old)
	checkRefusal(t, o, 1, "no space left on device", "make room")
	checkNames(t, folder, "image.iso")
	if string(readFile(t, old)) != "old" {
		t.Error("the old file was changed")
	}
	checkNoRoots(t, cache)
}

// checkNoRoots reports links for the garbage collector that a run left.
func checkNoRoots(t testing.TB, cache string) {
	t.Helper()
	if folder := filepath.Join(cache, "livebuild/roots"); len(names(t, folder)) != 0 {
		t.Errorf("%s has %q, want nothing", folder, names(t, folder))
	}
}

// TestMode checks that the umask decides who may read the image.
func TestMode(t *testing.T) {
	t.Parallel()
	for umask, want := range map[string]fs.FileMode{"022": 0o644, "027": 0o640} {
		dir := t.TempDir()
		written(t, call{dir: dir, with: []string{"sh", "-c", "umask " + umask + `; exec "$0" "$@"`}})
		info, err := os.Stat(filepath.Join(dir, miniName))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("with the umask %s the mode is %v, want %v", umask, info.Mode(), want)
		}
	}
}

// slow has configurations that take hours in each of the phases but packing.
const slow = `{
	evaluating = builtins.trace "deep in thought" (builtins.foldl' (a: i: builtins.foldl' (b: j: b + 1) a numbers) 0 numbers);
	building = nixosSystem { packages = p: [ (p.build "mini-slow" { } "echo begun; sleep ` + slowMark + `") ]; };
}`

// slowMark tells the builder of slow from other processes.
const slowMark = "86399.25"

// TestInterrupt interrupts each phase of a run.
func TestInterrupt(t *testing.T) {
	flake := flakeOf(t, slow)
	begun := func(*running) bool { return true }
	tests := map[string]struct {
		installable string
		args        []string
		after       string // said on standard error
		begun       func(*running) bool
		signal      syscall.Signal
	}{
		"evaluating": {flake + "#evaluating", []string{"-v"}, "deep in thought", begun, syscall.SIGINT},
		"building":   {flake + "#building", nil, "building\n", func(*running) bool { return processes(t, slowMark) > 0 }, syscall.SIGINT},
		"packing":    {miniFlake(t) + "#mini", []string{"--compression", "xz:9", "--jobs", "1"}, "packing\n", begun, syscall.SIGINT},
		"terminated": {miniFlake(t) + "#mini", []string{"--compression", "xz:9", "--jobs", "1"}, "packing\n", begun, syscall.SIGTERM},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, cache := t.TempDir(), t.TempDir()
			file := filepath.Join(dir, "image.iso")
			if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			r := call{env: []string{"XDG_CACHE_HOME=" + cache}}.start(t,
				append([]string{"iso", test.installable, "--force", "-o", file}, test.args...)...)
			r.waitFor(t, test.after)
			r.waitUntil(t, "the phase", func() bool { return test.begun(r) })
			r.signal(t, test.signal)
			o := r.wait(t)
			if o.status != 130 || o.stdout != "" || !strings.HasSuffix(o.stderr, "interrupted\n") || strings.Contains(o.stderr, "error: ") {
				t.Errorf("status %d, standard output %q, standard error\n%s\nwant 130, nothing, and as its last word that it was interrupted",
					o.status, o.stdout, o.stderr)
			}
			r.checkAlone(t)
			if n := processes(t, slowMark); n != 0 {
				t.Errorf("%d processes of the build are left", n)
			}
			checkNames(t, dir, "image.iso")
			if string(readFile(t, file)) != "old" {
				t.Error("the old file was changed")
			}
			if name != "evaluating" {
				checkNoRoots(t, cache)
			}
		})
	}
}

// TestSecondInterrupt interrupts a run whose Nix does not want to end.
func TestSecondInterrupt(t *testing.T) {
	bin := t.TempDir()
	fakeNix(t, bin, "nix (Nix) 2.8.0", `case "$*" in *" eval "*) ;; *) echo '{}'; exit ;; esac
trap 'echo "warning: deaf" >&2' INT
echo "warning: busy" >&2
while :; do sleep 0.1; done`)
	dir := t.TempDir()
	r := call{dir: dir, env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}.start(t, "iso", ".#x")
	r.waitFor(t, "busy")
	r.signal(t, syscall.SIGINT)
	r.waitFor(t, "deaf")
	r.signal(t, syscall.SIGINT)
	r.wait(t)
	if status := r.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("the program ended with %v, want by the second signal", r.cmd.ProcessState)
	}
	checkNames(t, dir)
}

// fakeNix puts programs with the names of Nix's into a folder.
func fakeNix(t testing.TB, folder, version, body string) {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != --version ] || { echo '%s'; exit; }\n%s\n", version, body)
	for _, name := range []string{"nix", "nix-store"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoreWhilePacking interferes with a store that is being packed. The
// program is stopped meanwhile.
func TestStoreWhilePacking(t *testing.T) {
	store := copiedStore(t, "mini")
	want := miniISO(t)
	stopped := func(t *testing.T, file string) *running {
		t.Helper()
		r := call{}.start(t, "iso", miniFlake(t)+"#mini", "--store", store, "-o", file)
		r.waitFor(t, "packing\n")
		r.signal(t, syscall.SIGSTOP)
		return r
	}
	collect := func() { judge(t, "nix-bin", "nix-store", "--store", store, "--gc") }
	held := filepath.Join(store, want.Toplevel)

	t.Run("collected", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "image.iso")
		r := stopped(t, file)
		collect()
		r.signal(t, syscall.SIGCONT)
		if o := r.wait(t); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		judge(t, "diffutils", "cmp", file, want.File)
	})
	t.Run("removed", func(t *testing.T) {
		dir := t.TempDir()
		r := stopped(t, filepath.Join(dir, "image.iso"))
		paths := closureOf(t, want.Toplevel)
		victim := filepath.Join(store, slices.Max(paths)) // packed last
		if err := os.RemoveAll(victim); err != nil {
			t.Fatal(err)
		}
		r.signal(t, syscall.SIGCONT)
		checkRefusal(t, r.wait(t), 1, victim, "store path is gone")
		checkNames(t, dir)
	})
	t.Run("not held", func(t *testing.T) {
		collect()
		if _, err := os.Lstat(held); err == nil {
			t.Error("something besides the runs of the program protected the store from the collector")
		}
	})
}
