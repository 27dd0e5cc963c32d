package nix

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What the kernel shows of registrations: that of Debian's qemu-user-static, and
// that of NixOS, which has no flag F.
const (
	debianEntry = `enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`
	nixosEntry = `enabled
interpreter INTERPRETER
flags: P
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`
	riscvEntry = `enabled
interpreter /usr/libexec/qemu-binfmt/riscv64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200f300
mask ffffffffffffff00fffffffffffffffffeffffff
`
	// Other things are started so, too.
	pythonEntry = `enabled
interpreter /usr/bin/python3.11
flags: 
offset 0
magic a70d0d0a
`
	extensionEntry = `enabled
interpreter /usr/bin/wine
flags: 
extension .exe
`
)

// registered makes a folder like that of the kernel.
func registered(t *testing.T, status string, entries map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{"status": status + "\n", "register": ""}
	for name, text := range entries {
		files[name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestEmulates(t *testing.T) {
	interpreter := filepath.Join(t.TempDir(), "run", "aarch64-linux")
	program := filepath.Join(t.TempDir(), "qemu-aarch64")
	if err := os.MkdirAll(filepath.Dir(interpreter), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(program, nil, 0o755), os.Symlink(program, interpreter)); err != nil {
		t.Fatal(err)
	}
	noF := strings.Replace(nixosEntry, "INTERPRETER", interpreter, 1)
	gone := strings.Replace(nixosEntry, "INTERPRETER", "/absent/qemu", 1)
	const works = PlatformReason(-1)
	sandboxed := func(paths ...string) settings { return settings{sandbox: true, sandboxPaths: paths} }
	for _, test := range []struct {
		name     string
		folder   string
		platform string
		set      settings
		want     PlatformReason
	}{
		{"with F", registered(t, "enabled", map[string]string{"qemu-aarch64": debianEntry}), "aarch64-linux", sandboxed(), works},
		{"by another name", registered(t, "enabled", map[string]string{"arm": debianEntry}), "aarch64-linux", sandboxed(), works},
		{"of another platform", registered(t, "enabled", map[string]string{"a": riscvEntry, "b": pythonEntry, "c": extensionEntry}), "aarch64-linux", sandboxed(), NoEmulator},
		{"of several", registered(t, "enabled", map[string]string{"a": riscvEntry, "b": debianEntry}), "riscv64-linux", sandboxed(), works},
		{"big endian", registered(t, "enabled", map[string]string{"a": debianEntry}), "s390x-linux", sandboxed(), NoEmulator},
		{"32 bits", registered(t, "enabled", map[string]string{"a": debianEntry}), "armv7l-linux", sandboxed(), NoEmulator},
		{"no platform", registered(t, "enabled", map[string]string{"a": debianEntry}), "m88k-linux", sandboxed(), UnknownPlatform},
		{"no Linux", registered(t, "enabled", map[string]string{"a": debianEntry}), "aarch64-darwin", sandboxed(), UnknownPlatform},
		{"nothing registered", registered(t, "enabled", nil), "aarch64-linux", sandboxed(), NoEmulator},
		{"switched off", registered(t, "disabled", map[string]string{"a": debianEntry}), "aarch64-linux", sandboxed(), NoBinfmt},
		{"not mounted", t.TempDir(), "aarch64-linux", sandboxed(), NoBinfmt},
		{"disabled", registered(t, "enabled", map[string]string{"a": strings.Replace(debianEntry, "enabled", "disabled", 1)}), "aarch64-linux", sandboxed(), EmulatorOff},
		{"one of two disabled", registered(t, "enabled", map[string]string{
			"a": strings.Replace(debianEntry, "enabled", "disabled", 1), "b": debianEntry}), "aarch64-linux", sandboxed(), works},
		{"without F", registered(t, "enabled", map[string]string{"a": noF}), "aarch64-linux", sandboxed(), EmulatorHidden},
		{"without F, in part", registered(t, "enabled", map[string]string{"a": noF}), "aarch64-linux", sandboxed(filepath.Dir(interpreter)), EmulatorHidden},
		{"without F, of a like name", registered(t, "enabled", map[string]string{"a": noF}), "aarch64-linux", sandboxed(interpreter+"2", program), EmulatorHidden},
		{"without F, in the sandbox", registered(t, "enabled", map[string]string{"a": noF}), "aarch64-linux",
			sandboxed("/bin/sh=/bin/busybox", filepath.Dir(interpreter), program+"?"), works},
		{"without F and sandbox", registered(t, "enabled", map[string]string{"a": noF}), "aarch64-linux", settings{}, works},
		{"missing", registered(t, "enabled", map[string]string{"a": gone}), "aarch64-linux", settings{}, EmulatorMissing},
		{"cut off", registered(t, "enabled", map[string]string{"a": debianEntry[:40], "b": "enabled\nmagic 7f4", "c": "enabled\noffset x\nmagic zz"}), "aarch64-linux", sandboxed(), NoEmulator},
	} {
		err := emulates(test.folder, test.platform, test.set)
		got := works
		var failed *PlatformError
		if errors.As(err, &failed) {
			got = failed.Reason
		} else if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got != test.want {
			t.Errorf("%s: emulates = %v (%d), want %d", test.name, err, got, test.want)
		}
	}
}

// TestBuilder asks the real Nix for its settings.
func TestBuilder(t *testing.T) {
	machine := hostSystem(t)
	foreign := "riscv64-linux"
	for _, test := range []struct {
		name     string
		flags    []string
		platform string
		want     BuildsBy
	}{
		{"this machine", nil, machine, ThisMachine},
		{"older programs", nil, "i686-linux", ThisMachine},
		{"a builder", []string{"--builders", "ssh://host " + foreign}, foreign, AnotherMachine},
		{"nobody", nil, "m88k-linux", Nobody},
		// Saying so does not make it so.
		{"declared", []string{"--option", "extra-platforms", "m88k-linux"}, "m88k-linux", Nobody},
		{"declared system", []string{"--option", "system", "m88k-linux"}, "m88k-linux", Nobody},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.platform == "i686-linux" && machine != "x86_64-linux" {
				t.Skip("only x86_64 machines run i686 programs")
			}
			by, flags, err := newLab(t, Options{}, test.flags...).Builder(t.Context(), test.platform)
			if by != test.want || len(flags) > 0 || (err != nil) != (test.want == Nobody) {
				t.Errorf("Builder = %v, %q, %v, want %v", by, flags, err, test.want)
			}
		})
	}
}

// TestTellPlatform lets the real Nix take the setting.
func TestTellPlatform(t *testing.T) {
	l := newLab(t, Options{})
	before, err := l.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := l.WithFlags(tellPlatform(before, "riscv64-linux"))
	after, err := told.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(before.extraPlatforms), "riscv64-linux")
	slices.Sort(want)
	slices.Sort(after.extraPlatforms)
	if !reflect.DeepEqual(after.extraPlatforms, want) {
		t.Errorf("extra-platforms is %q, want %q", after.extraPlatforms, want)
	}
}

func TestPlatformError(t *testing.T) {
	err := &PlatformError{Platform: "aarch64-linux", Reason: EmulatorHidden, Interpreter: "/run/binfmt/aarch64-linux",
		Derivations: []string{"/nix/store/ypd8ls9ydym1a71l8n8i1wwks165m71i-etc.drv", "/nix/store/xrnjkm281b6n6iz7q20rldnsx5p2jflq-b.drv"}}
	const want = "etc cannot be built for aarch64-linux, nor can 1 other: " +
		"its emulator /run/binfmt/aarch64-linux is registered without the flag F, and is not in the sandbox"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for reason := NoEmulator; reason <= NotTrusted; reason++ {
		text := (&PlatformError{Platform: "p", Reason: reason}).Error()
		if seen[text] {
			t.Errorf("two reasons have the text %q", text)
		}
		seen[text] = true
	}
}

// TestDerivationOfNix reads what the real Nix writes.
func TestDerivationOfNix(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("platforms", `{
		here = sh "here" "";
		there = on "riscv64-linux" "there" "";
		structured = derivation { name = "structured"; system = "riscv64-linux"; builder = "/bin/sh"; __structuredAttrs = true; };
	}`)
	var paths []string
	for _, target := range l.targets(folder, "here", "there", "structured") {
		paths = append(paths, target.Path)
	}
	found, err := l.ForPlatform(t.Context(), paths, "riscv64-linux")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || !strings.Contains(strings.Join(found, " "), "-there.drv") || !strings.Contains(strings.Join(found, " "), "-structured.drv") {
		t.Errorf("ForPlatform = %q of %q", found, paths)
	}
}
