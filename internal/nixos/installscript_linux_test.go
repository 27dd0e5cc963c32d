package nixos

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// installer runs livebuild-install in a mount namespace of its own, where /iso has a catalog, and
// programs of other people are real but for those in its folder bin.
type installer struct {
	folder string
	before string // of shell, in the namespace
}

func newInstaller(t *testing.T, targets ...Target) *installer {
	t.Helper()
	judge.Root(t)
	judge.Path(t, "jq", "jq")
	i := &installer{folder: t.TempDir()}
	for _, name := range []string{"iso/livebuild", "bin"} {
		if err := os.MkdirAll(filepath.Join(i.folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := nixFiles.ReadFile("livebuild-install.sh")
	if err != nil {
		t.Fatal(err)
	}
	i.write(t, "iso/livebuild/install.json", string(Catalog(targets)))
	i.write(t, "livebuild-install", string(script))
	// A store that has what it is asked for; each path has 1 MB.
	i.program(t, "nix-store", `
case $2 in
--requisites) shift 2; printf '%s\n' "$@" ;;
--size) shift 2; for path in "$@"; do echo 1000000; done ;;
esac`)
	return i
}

func (i *installer) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(i.folder, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (i *installer) program(t *testing.T, name, script string) {
	t.Helper()
	i.write(t, "bin/"+name, "#!/bin/sh\n"+script+"\n")
}

// command is livebuild-install in its namespace.
func (i *installer) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	text := `mount --make-rprivate / && mkdir -p /iso && mount --bind "$1/iso" /iso && cd "$1" && export PATH="$1/bin:$PATH"
` + i.before + `
shift; exec bash ./livebuild-install "$@"`
	return exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "bash", "-euc", text, "bash", i.folder}, args...)...)
}

// run returns what it says on both outputs, and its status.
func (i *installer) run(t *testing.T, input string, args ...string) (string, int) {
	t.Helper()
	cmd := i.command(t, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if exit := cmd.ProcessState; exit == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// simple is a system whose one disk livebuild-install lays out itself.
func simple(t *testing.T) Target {
	t.Helper()
	return Target{
		Name: "example", Configuration: "example", Platform: "x86_64-linux", System: "/etc/passwd", DistroName: "NixOS", Label: "26.05",
		Firmware: "any", Login: true, MutableUsers: true, Disks: []TargetDisk{{Name: "main"}},
		FileSystems: []FileSystem{{"/", "/dev/disk/by-label/livebuild-absent", "ext4"}}, Roots: []string{"/etc/passwd"},
		Tools: []string{}, Secrets: []string{}, GRUBDevices: []string{},
	}
}

// TestInstallRefuses has everything refused before anything is written: --yes is always given, and
// what would write is not there.
func TestInstallRefuses(t *testing.T) {
	with := func(change func(*Target)) Target {
		target := simple(t)
		change(&target)
		return target
	}
	plain := simple(t)
	mounted := with(func(t *Target) { t.Disks = []TargetDisk{} })
	two := with(func(t *Target) { t.Disks = []TargetDisk{{Name: "one"}, {Name: "two"}} })
	yes := []string{"--yes", "example"}
	boot := func(cmdline, stamped string) string {
		return fmt.Sprintf("echo '%s' > cmdline; mount --bind cmdline /proc/cmdline; mount -t tmpfs tmpfs /run; mkdir /run/livebuild; echo '%s' > /run/livebuild/install", cmdline, stamped)
	}
	args := func(more ...string) []string { return append(append([]string{}, yes...), more...) }
	for name, test := range map[string]struct {
		target Target
		args   []string
		before string
		want   string
	}{
		"no such system":    {plain, []string{"other"}, "", `this medium has no system "other"`},
		"another one":       {plain, []string{"example", "--yes", "other"}, "", `one system is installed|--yes other is not example`},
		"no such option":    {plain, []string{"--quick"}, "", "there is no option --quick"},
		"no value":          {plain, []string{"--disk"}, "", "--disk needs a value"},
		"no such disk":      {plain, args("--disk", "/dev/absent"), "", "/dev/absent does not exist"},
		"no disk at all":    {plain, args("--disk", "/etc/passwd"), "", "/etc/passwd is no disk"},
		"no name of a disk": {plain, args("--disk", "home=/dev/null"), "", `example has no disk "home"`},
		"several disks":     {two, args("--disk", "/dev/null"), "", "example has several disks: one two"},
		"missing path":      {with(func(t *Target) { t.Roots = []string{"/nix/store/absent"} }), args("--disk", "/dev/null"), "", "/nix/store/absent is not on this medium"},
		"unknown path": {plain, args("--disk", "/dev/null"), "printf '#!/bin/sh\necho error: path is not valid >&2\nexit 1\n' > bin/nix-store",
			"the store of this medium does not have all of example: error: path is not valid"},
		"needs UEFI":       {with(func(t *Target) { t.Firmware = "uefi" }), args("--disk", "/dev/null"), "mount -t tmpfs tmpfs /sys/firmware", "example starts by UEFI alone"},
		"needs BIOS":       {with(func(t *Target) { t.Firmware = "bios" }), args("--disk", "/dev/null"), "mount -t tmpfs tmpfs /sys/firmware; mkdir /sys/firmware/efi", "example starts by BIOS alone"},
		"no variables":     {with(func(t *Target) { t.TouchesEFIVariables = true }), args("--disk", "/dev/null"), "mount -t tmpfs tmpfs /sys/firmware; mkdir /sys/firmware/efi", "the variables of UEFI cannot be changed"},
		"secrets":          {with(func(t *Target) { t.Secrets = []string{"/absent/key"} }), args("--disk", "/dev/null"), "", "example wants /absent/key in its initrd"},
		"no extra file":    {plain, args("--disk", "/dev/null", "--extra-file", "/absent:/etc/key"), "", "/absent is no file"},
		"extra in store":   {plain, args("--disk", "/dev/null", "--extra-file", "/etc/passwd:/nix/store/x"), "", "/nix/store/x is no place for a file"},
		"no layout":        {mounted, args("--disk", "/dev/null"), "", "how example lays out a disk is not known"},
		"nothing mounted":  {mounted, args("--root", "/iso/livebuild"), "", "nothing is mounted at /iso/livebuild"},
		"root of the live": {mounted, args("--root", "/"), "", "--root / is this live system"},
		"relative root":    {mounted, args("--root", "mnt"), "", "--root mnt is no absolute path"},
		"another file system": {mounted, args("--root", "/iso/livebuild"), "mount -t tmpfs tmpfs /iso/livebuild && cp iso/livebuild/install.json . 2>/dev/null; true",
			"there is no /iso/livebuild/install.json"},
		"root and disk": {plain, args("--root", "/mnt", "--disk", "/dev/null"), "", "--root and --disk exclude each other"},
		"password":      {plain, args("--root-password-hash", "/etc/hostname"), "", "the hash of the password is none"},
		"a password that is forgotten": {with(func(t *Target) { t.MutableUsers = false }), args("--root-password-hash", "hash"), "printf '$y$j9T$salt$hash\\n' > hash",
			"example forgets every password but those of its configuration"},
		"stamped": {plain, []string{"--boot"}, boot("quiet", "livebuild.install=example livebuild.disk=/dev/null"), "/dev/null may be another disk at the next start"},
		"stamped, and from the menu": {plain, []string{"--boot"}, boot("quiet livebuild.install=example", "livebuild.install=example livebuild.disk=/dev/null"),
			"/dev/null may be another disk at the next start"},
		"stamped, and another one from the menu": {plain, []string{"--boot"}, boot("livebuild.install=example quiet", "livebuild.install=other livebuild.disk=/dev/null"),
			"nobody answers|no disk of this machine can take example"},
		"stamped for another medium": {plain, []string{"--boot"}, boot("quiet", "livebuild.install=other livebuild.disk=/dev/disk/by-id/a"), `this medium has no system "other"`},
		"another form":               {plain, args(), `sed -i 's/"version": 1/"version": 2/' iso/livebuild/install.json`, "is of another version of livebuild"},
		"nobody answers":             {plain, nil, "", "nobody answers|no disk of this machine can take example"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstaller(t, test.target)
			i.before = test.before
			out, status := i.run(t, "", test.args...)
			found := false
			for want := range strings.SplitSeq(test.want, "|") {
				found = found || strings.Contains(out, "livebuild-install: error: "+want) || strings.Contains(out, "error: ") && strings.Contains(out, want)
			}
			if status != 1 || !found {
				t.Errorf("status %d, want 1 and %q:\n%s", status, test.want, out)
			}
		})
	}
}

// TestInstallRefusesMounted compares what is mounted with what the system looks for.
func TestInstallRefusesMounted(t *testing.T) {
	target := simple(t)
	target.Disks = []TargetDisk{}
	i := newInstaller(t, target)
	i.before = "mkdir root; mount -t tmpfs tmpfs root"
	root := filepath.Join(i.folder, "root")
	out, status := i.run(t, "", "--yes", "example", "--root", root)
	if want := "example looks for / as /dev/disk/by-label/livebuild-absent, which is not there"; status != 1 || !strings.Contains(out, want) {
		t.Errorf("status %d, want %q:\n%s", status, want, out)
	}
	// A system whose root is no file system of a disk is content with what is mounted, if it is large enough.
	target.FileSystems = []FileSystem{}
	i = newInstaller(t, target)
	root = filepath.Join(i.folder, "root")
	i.before = "mkdir root; mount -t tmpfs -o mode=0755,size=64k tmpfs root"
	if out, status := i.run(t, "", "--yes", "example", "--root", root); status != 1 || !strings.Contains(out, "and example needs 1.2 MB") {
		t.Errorf("too small: status %d\n%s", status, out)
	}
	i.before = "rmdir root; mkdir root; mount -t tmpfs -o mode=0750 tmpfs root"
	if out, status := i.run(t, "", "--yes", "example", "--root", root); status != 1 || !strings.Contains(out, "cannot be read by others: its mode is 750") {
		t.Errorf("mode: status %d\n%s", status, out)
	}
}

func TestInstallList(t *testing.T) {
	other := simple(t)
	other.Name, other.HostName = "other", "kiosk"
	i := newInstaller(t, simple(t), other)
	out, status := i.run(t, "", "--list")
	if status != 0 || !strings.Contains(out, "example          NixOS 26.05, host ?, for x86_64-linux\n") || !strings.Contains(out, "other            NixOS 26.05, host kiosk, for x86_64-linux\n") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestCatalog reads back what is written, and refuses what is of another form.
func TestCatalog(t *testing.T) {
	text := Catalog([]Target{simple(t)})
	read, err := ParseCatalog(text)
	if err != nil || len(read) != 1 || read[0].Name != "example" || read[0].FileSystems[0].FSType != "ext4" {
		t.Errorf("%+v, %v", read, err)
	}
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil || raw["version"] != 1.0 {
		t.Errorf("%v, %v", raw["version"], err)
	}
	for _, bad := range []string{"", "[]", `{"version": 2}`} {
		if _, err := ParseCatalog([]byte(bad)); err == nil {
			t.Errorf("ParseCatalog(%q) is no error", bad)
		}
	}
}
