package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// installFlake has a medium and a system that it installs, as the documentation calls them.
const installFlake = `{
  live = mini.nixosConfigurations.mini-live;
  example = mini.nixosConfigurations.mini-target;
  laptop = mini.nixosConfigurations.mini-host;
}`

// TestInstall runs the session of the documentation: it makes a medium, installs its system in a virtual
// machine without a network by BIOS, and boots the disk alone. With -checks it is installed by UEFI, too.
func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("boots")
	}
	t.Parallel()
	need.Root(t)
	need.QEMU(t)
	n := slices.IndexFunc(codeBlocks(t), func(b codeBlock) bool {
		return filepath.Base(b.page) == "installation.md" && strings.Contains(b.code, "livebuild test medium.iso")
	})
	if n < 0 {
		t.Fatal("the documentation has no session that installs")
	}
	session := codeBlocks(t)[n]
	// What the README types is part of it, and so is run here, too.
	if !slices.ContainsFunc(codeBlocks(t), func(b codeBlock) bool {
		return b.page == "README.md" && strings.Contains(b.shell(), "--install example") && strings.HasSuffix(session.shell(), b.shell())
	}) {
		t.Error("the README has no session that ends the one that is run")
	}
	folder := t.TempDir()
	writeFlake(t, folder, installFlake)
	// Of a repository Nix copies what is tracked, and no images.
	judge(t, "git", "git", "-C", folder, "init", "--quiet")
	judge(t, "git", "git", "-C", folder, "add", "flake.nix", "flake.lock")
	if err := os.Mkdir(filepath.Join(folder, ".bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(folder, ".bin/livebuild")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", session.shell())
	cmd.Dir = folder
	cmd.Env = environment(t, "HOME="+folder, "PATH="+filepath.Join(folder, ".bin")+":"+os.Getenv("PATH"))
	o := runCommand(t, cmd)
	if o.status != 0 || !strings.Contains(o.stdout, "\nbios-cd: came up after ") || !strings.Contains(o.stdout, "installs       example: ") {
		t.Fatalf("status %d\n%s\n%s", o.status, o.stdout, o.stderr)
	}
	logs, err := filepath.Glob(filepath.Join(folder, "logs/*.bios-cd.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("the logs are %q, %v", logs, err)
	}
	checkInstalled(t, string(readFile(t, logs[0])))
	image := filepath.Join(folder, "medium.iso")
	for _, args := range [][]string{
		{"test", image, "--install", "other"},
		{"test", image, "--install", "example", "--disk-size", "x"},
		{"test", image, "--disk-size", "3G"},
	} {
		if o := livebuild(t, args...); o.status != 2 || !strings.Contains(o.stderr, "\nhint: ") {
			t.Errorf("livebuild %q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	stampAnswers(t, image)
	if !*allChecks {
		return
	}
	// A disk without room is refused by what installs, before anything is written.
	o = livebuild(t, "test", image, "--install", "example", "--disk-size", "256M", "--modes", "bios-cd", "--logs", folder)
	if o.status != 3 || !strings.Contains(o.stderr, "livebuild-install: error: /dev/disk/by-id/virtio-livebuild-0 has 268.5 MB, and the system needs") {
		t.Errorf("a small disk: status %d\n%s", o.status, o.stderr)
	}
	// Of a medium with several systems, one of which has the installer.
	several := filepath.Join(folder, "several.iso")
	args := []string{"iso", folder + "#live", folder + "#laptop", "--install", folder + "#example", "--install-source", "none", "-o", several}
	if o := livebuild(t, args...); o.status != 0 {
		t.Fatalf("livebuild %q: status %d\n%s", args, o.status, o.stderr)
	}
	if o := livebuild(t, "test", several, "--install", "example", "--modes", "bios-cd"); o.status != 0 || !strings.Contains(o.stdout, "bios-cd: came up after ") {
		t.Errorf("of several systems: status %d\n%s\n%s", o.status, o.stdout, o.stderr)
	}
	o = livebuild(t, "test", image, "--install", "example", "--modes", "uefi-cd", "--json", "--junit", filepath.Join(folder, "junit.xml"))
	var r struct{ Passed bool }
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.status != 0 || !r.Passed {
		t.Errorf("by UEFI: status %d, %v\n%s\n%s", o.status, err, o.stdout, o.stderr)
	}
	if text := string(readFile(t, filepath.Join(folder, "junit.xml"))); !strings.Contains(text, "uefi-cd") {
		t.Errorf("JUnit:\n%s", text)
	}
}

// stampAnswers has the medium answer itself what livebuild-install asks, and refuses what it could not install. With
// -checks that installs.
func stampAnswers(t *testing.T, image string) {
	t.Helper()
	for _, test := range []struct{ want, args string }{
		{`has no system "other" to install; it has example`, "other"},
		{`installs example, which has no disk "home"; it has main`, "example --auto-install-disk home=/dev/disk/by-id/a"},
	} {
		args := append([]string{"stamp", image, "--auto-install"}, strings.Fields(test.args)...)
		checkRefusal(t, livebuild(t, args...), 1, test.want, "livebuild-install --list")
	}
	folder := t.TempDir()
	values := filepath.Join(folder, "values.toml")
	hash := filepath.Join(folder, "hash")
	writeFile(t, hash, []byte("$y$j9T$salt$hash\n"))
	writeFile(t, values, []byte("auto-install = \"other\"\nauto-install-disks = [ \"main=/dev/disk/by-id/virtio-auto\" ]\n"))
	copied := filepath.Join(folder, "stamped.iso")
	s := stampOf(t, image, "--values", values, "--auto-install", "example", "--auto-install-password-hash", hash, "-o", copied)
	if len(s.Items) != 1 || s.Items[0].Text != "example on main=/dev/disk/by-id/virtio-auto, with a password of root" || !s.Items[0].Secret {
		t.Errorf("the stamp is %+v", s)
	}
	if !*allChecks {
		return
	}
	// mini has no chpasswd.
	stampOf(t, copied, "--values", values, "--auto-install", "example")
	disk := filepath.Join(folder, "disk")
	writeFile(t, disk, nil)
	if err := os.Truncate(disk, 4<<30); err != nil {
		t.Fatal(err)
	}
	o := livebuild(t, "run", copied, "--bios", "--console", "--no-network", "--",
		"-drive", "file="+disk+",format=raw,if=none,id=auto,cache=unsafe", "-device", "virtio-blk-pci,drive=auto,serial=auto")
	if o.status != 0 || !strings.Contains(o.stdout, "installing example in  1 s; press a key to stop") || !strings.Contains(o.stdout, "livebuild-install: example is installed") {
		t.Errorf("status %d of what installs by itself\n%s\n%s", o.status, o.stdout, o.stderr)
	}
	if table := judge(t, "fdisk", "sfdisk", "--dump", disk); strings.Count(table, "type=") != 3 {
		t.Errorf("the disk has\n%s", table)
	}
	stampOf(t, copied, "--reset")
	if !bytes.Equal(readFile(t, copied), readFile(t, image)) {
		t.Error("--reset does not give the image back")
	}
}

// checkInstalled reads what the installed system says of itself, which has no network: that its store is whole,
// that its flake evaluates to it, but for the name of the disk, which the medium has a placeholder for, and that
// a change of settings builds.
func checkInstalled(t *testing.T, console string) {
	t.Helper()
	console = strings.ReplaceAll(console, "\r", "")
	for _, line := range []string{"MINI-PROFILE same", "MINI-EVALUATED-PLACEHOLDER same", "MINI-REBUILT changed is rendered"} {
		if !strings.Contains(console, "\n"+line+"\n") {
			t.Errorf("the installed system does not say %q", line)
		}
	}
	if !regexp.MustCompile(`\nMINI-EVALUATED /nix/store/\S+-nixos-system-mini-target-`).MatchString(console) {
		t.Error("the flake of the installed system does not evaluate")
	}
	// Another host name is rebuilt of what it was installed with, and nothing else is built.
	var builds []string
	for _, m := range regexp.MustCompile(`\nMINI-BUILDS (\S+)`).FindAllStringSubmatch(console, -1) {
		builds = append(builds, m[1])
	}
	slices.Sort(builds)
	if want := []string{"mini-etc.drv", "nixos-system-changed-26.05.mini.drv"}; !slices.Equal(builds, want) {
		t.Errorf("a changed system builds %q, want %q", builds, want)
	}
	if bad := regexp.MustCompile(`\nMINI-(EVAL|VERIFY .*(error|disappeared|not valid)).*`).FindString(strings.ReplaceAll(console, "MINI-EVALUATED", "")); bad != "" {
		t.Errorf("the installed system says %q", bad)
	}
	if t.Failed() {
		t.Log(console)
	}
}
