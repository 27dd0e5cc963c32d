package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	need "github.com/livebuild/livebuild/internal/judge"
)

// examination is what 'livebuild doctor --json' prints, as its documentation has it.
type examination struct {
	Healthy bool `json:"healthy"`
	Checks  []struct {
		Name, State, Text, Hint string
		For                     []string
	} `json:"checks"`
}

// doctor examines a machine as it is found in a call.
func (c call) doctor(t testing.TB, args ...string) (e examination, o outcome) {
	t.Helper()
	o = c.livebuild(t, append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(o.stdout), &e); err != nil {
		t.Fatalf("%v: %q\n%s", err, o.stdout, o.stderr)
	}
	if healthy := o.status == 0; e.Healthy != healthy || o.status > 1 {
		t.Errorf("healthy is %t, the status %d", e.Healthy, o.status)
	}
	for _, c := range e.Checks {
		if (c.State == "good") != (c.Hint == "") || c.Text == "" || len(c.For) == 0 || strings.Contains(c.Text, "\n") {
			t.Errorf("a check is %+v", c)
		}
	}
	return e, o
}

// small is a way to run the program where a folder has room for so many bytes.
func small(t testing.TB, folder, size string) []string {
	t.Helper()
	need.Root(t)
	return []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs -o size="$1" none "$0"; shift; exec "$@"`, folder, size}
}

// nobody is a way to run the program without any rights.
var nobody = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}

// TestDoctor examines machines that are broken, each in one way, and what the verbs say there.
func TestDoctor(t *testing.T) {
	need.Nix(t)
	mini := miniFlake(t) + "#mini"
	folder := func(name string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	repository := func(files map[string]string, tracked ...string) string {
		path := folder("repository")
		for name, text := range files {
			writeFile(t, filepath.Join(path, name), []byte(text))
		}
		judge(t, "git", "git", "init", "--quiet", path)
		if len(tracked) > 0 {
			judge(t, "git", "git", append([]string{"-C", path, "add"}, tracked...)...)
		}
		return path
	}
	old, full, store, output := folder("old"), folder("full"), folder("store"), folder("output")
	open, err := os.MkdirTemp("", "livebuild-open-") // all folders above can be entered
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	if err := errors.Join(os.Chmod(open, 0o777), os.Chmod(filepath.Dir(program), 0o755)); err != nil {
		t.Fatal(err)
	}
	fakeNix(t, old, "nix (Nix) 2.3.16", "exit 1")
	removeStore(t, store)
	const outputs = `{ outputs = _: { nixosConfigurations = import ./hosts.nix; }; }`
	conflict := flakeOf(t, `{ a = nixosSystem { }; }`)
	writeFile(t, conflict+"/flake.lock", []byte("{\n<<<<<<< HEAD\n"))
	noF := "enabled\ninterpreter /bin/busybox\nflags: P\noffset 0\n" +
		"magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	emulated := fresh(t, "aarch64-linux")

	for name, test := range map[string]struct {
		call
		args  []string // of doctor
		check string   // that names the fault
		state string
		text  string
		verb  []string // that ends with the same hint; nil if it only warns
		hint  string   // else
	}{
		"no Nix": {call: call{env: []string{"PATH=" + folder("empty")}},
			check: "nix", state: "failed", text: "nix is not on the PATH", verb: []string{"iso", mini}},
		"old Nix": {call: call{env: []string{"PATH=" + old + ":" + os.Getenv("PATH")}},
			check: "nix", state: "failed", text: "2.3.16 is too old", verb: []string{"iso", mini}},
		"bad settings": {call: call{env: []string{"NIX_CONFIG=no setting"}},
			check: "nix", state: "failed", text: "no setting", verb: []string{"iso", mini}},
		"no daemon": {args: []string{"--store", "daemon"},
			check: "store", state: "failed", text: "cannot connect to", verb: []string{"iso", mini, "--store", "daemon"}},
		"store of others": {call: call{with: nobody, dir: "/", env: []string{"XDG_CACHE_HOME=" + open, "HOME=" + open}}, args: []string{"-o", "/tmp"},
			check: "store", state: "failed", text: "not permitted", verb: []string{"iso", mini, "-o", "/tmp/x.iso"}},
		"full store": {call: call{with: small(t, full, "512k")}, args: []string{"--store", full},
			check: "store", state: "failed", text: "free: nothing can be built", verb: []string{"iso", mini, "--store", full}},
		"silent cache": {args: []string{"--substituters", "https://127.0.0.1:1"},
			check: "cache", state: "failed", text: "unable to download 'https://127.0.0.1:1/nix-cache-info'", hint: "check the network"},
		"no output": {args: []string{"-o", "/absent/x.iso"},
			check: "folders", state: "failed", text: "writing to /absent", verb: []string{"iso", mini, "-o", "/absent/x.iso"}},
		"no room": {call: call{with: small(t, output, "1m")}, args: []string{mini, "-o", output},
			check: "room", state: "failed", text: "before it is compressed", hint: "make room"},
		"little room": {call: call{with: small(t, output, "60m")}, args: []string{mini, "-o", output},
			check: "room", state: "warning", text: "before it is compressed", hint: "make room"},
		"no QEMU": {call: call{env: []string{withoutQEMU(t)}},
			check: "qemu", state: "failed", text: "qemu-system-x86_64 is not on the PATH", verb: []string{"test", miniISO(t).File}},
		"no firmware": {call: call{with: hiding(t, "/usr/share/OVMF", "/usr/share/qemu")},
			check: "firmware", state: "failed", text: "no UEFI firmware for x86_64", verb: []string{"test", miniISO(t).File, "--modes", "uefi-cd"}},
		"no binfmt": {call: unregistered(t, nil), args: []string{"-f", emulated},
			check: "platform", state: "failed", text: "binfmt_misc is not mounted", verb: []string{"iso", "-f", emulated}},
		"binfmt without F": {call: unregistered(t, map[string]string{"arm": noF}), args: []string{"-f", emulated},
			check: "platform", state: "failed", text: "without the flag F", verb: []string{"iso", "-f", emulated}},
		"binfmt meant to work": {call: unregistered(t, map[string]string{"arm": noF}),
			check: "emulation", state: "warning", text: "without the flag F", verb: []string{"iso", "-f", emulated}},
		"untracked flake": {args: []string{repository(map[string]string{"flake.nix": outputs}) + "#a"},
			check: "evaluation", state: "failed", text: "flake.nix is not tracked by git", hint: "add --intent-to-add flake.nix"},
		"untracked host": {args: []string{repository(map[string]string{"flake.nix": outputs, "hosts.nix": "{ }"}, "flake.nix") + "#a"},
			check: "git", state: "warning", text: "hosts.nix: not tracked by git", hint: "add --intent-to-add hosts.nix"},
		"stale lock": {args: []string{staleFlake(t) + "#a"},
			check: "lock", state: "warning", text: "lock file", hint: "nix flake lock"},
		"lock after a merge": {args: []string{conflict + "#a"},
			check: "lock", state: "failed", text: "marks of a merge conflict", verb: []string{"plan", conflict + "#a"}},
		"feature off": {args: []string{rawFlake(t, addressed) + "#a"},
			check: "evaluation", state: "failed", text: "ca-derivations", hint: "--option extra-experimental-features"},
		"no repository": {args: []string{mini},
			check: "git", state: "warning", text: "is no git repository", hint: "git -C"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			about := "iso"
			if test.check == "qemu" || test.check == "firmware" {
				about = "test"
			}
			e, _ := test.doctor(t, append([]string{"--for", about}, test.args...)...)
			want := test.hint
			if test.verb != nil {
				m := regexp.MustCompile(`(?m)^hint: (.+)$`).FindStringSubmatch(test.livebuild(t, test.verb...).stderr)
				if m == nil {
					t.Fatalf("%q does not fail", test.verb)
				}
				want = m[1]
			}
			for _, c := range e.Checks {
				if c.Name != test.check {
					continue
				}
				if c.State != test.state || !strings.Contains(c.Text, test.text) || !strings.Contains(c.Hint, want) {
					t.Errorf("%+v, want %s, %q, and the hint %q", c, test.state, test.text, want)
				}
				return
			}
			t.Errorf("%s is not in %+v", test.check, e)
		})
	}
}

// staleFlake is a flake with an input that its lock file does not have.
func staleFlake(t testing.TB) (folder string) {
	t.Helper()
	folder = flakeOf(t, `{ a = nixosSystem { }; }`)
	file := filepath.Join(folder, "flake.nix")
	text := strings.NewReplacer("inputs.mini", "inputs.more.url = \"path:"+miniFlake(t)+"\";\n  inputs.mini", "mini }:", "mini, more }:")
	writeFile(t, file, []byte(text.Replace(string(readFile(t, file)))))
	return folder
}

// addressed is a flake that needs an experimental feature.
const addressed = `{ outputs = _: { nixosConfigurations.a = throw (derivation {
  name = "a"; system = "x86_64-linux"; builder = "/bin/sh";
  __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";
}).outPath; }; }`

// TestDoctorHealthy examines a machine on which all is well, and prints it for people.
func TestDoctorHealthy(t *testing.T) {
	mini := miniFlake(t) + "#mini"
	miniISO(t) // so that all is built
	e, _ := call{}.doctor(t, mini)
	var states []string
	for _, c := range e.Checks {
		if c.State == "failed" {
			t.Errorf("%+v", c)
		}
		states = append(states, c.Name+" "+c.State)
	}
	good := []string{"nix", "settings", "folders", "lock", "evaluation", "builds", "platform", "qemu", "firmware"}
	// Below two gigabytes doctor is right to warn.
	var st unix.Statfs_t
	if err := unix.Statfs("/nix/store", &st); err != nil {
		t.Fatal(err)
	}
	if free := int64(st.Bavail) * st.Bsize; free > 4_000_000_000 {
		good = append(good, "store", "room")
	} else {
		t.Logf("the store has %d bytes free: what doctor says of room is not held against a machine that has it", free)
	}
	for _, name := range good {
		if !slices.Contains(states, name+" good") {
			t.Errorf("%s is not good: %q", name, states)
		}
	}
	o := livebuild(t, "doctor", mini, "--for", "iso")
	if o.status != 0 || !strings.Contains(o.stdout, "good     nix: Nix 2.") || !strings.Contains(o.stdout, "everything is in the store") {
		t.Errorf("%+v", o)
	}
	if strings.Contains(o.stdout, "qemu") || strings.Contains(o.stdout, "sticks") {
		t.Errorf("--for iso looks at\n%s", o.stdout)
	}
	o = livebuild(t, "doctor", "--for", "bake")
	checkRefusal(t, o, 2, `nothing to look at for "bake"`)
}

// TestDoctorCoverage has a cache that has a part of what is missing, which another program counts.
func TestDoctorCoverage(t *testing.T) {
	mini := miniFlake(t) + "#mini"
	r := miniISO(t)
	cache, store := t.TempDir(), t.TempDir()
	removeStore(t, store)
	closure := closureOf(t, r.Toplevel)
	flags := []string{"--store", store, "--substituters", "file://" + cache, "--option", "require-sigs", "false", "--for", "iso"}
	builds := func() string {
		e, _ := call{}.doctor(t, append([]string{mini}, flags...)...)
		for _, c := range e.Checks {
			if c.Name == "builds" {
				return c.Text
			}
		}
		t.Fatalf("nothing of builds in %+v", e)
		return ""
	}
	nothing := builds()
	var build, all int
	if _, err := fmt.Sscanf(nothing, "%d of %d paths that are missing must be built here", &build, &all); err != nil || build != all || build == 0 {
		t.Errorf("without a cache: %q, %v", nothing, err)
	}
	if strings.Contains(nothing, "downloaded") {
		t.Errorf("without a cache: %q", nothing)
	}
	judge(t, "nix-bin", "nix", append([]string{"--extra-experimental-features", "nix-command", "copy", "--to", "file://" + cache + "?compression=none"}, r.Toplevel)...)
	some := builds()
	want := 0 // sources are there already, since the evaluation
	for _, path := range closure {
		if _, err := os.Lstat(store + path); err != nil {
			want++
		}
	}
	var fetch int
	if _, err := fmt.Sscanf(some, "%d of %d paths that are missing must be built here, %d can be downloaded", &build, &all, &fetch); err != nil ||
		fetch != want || build+fetch != all {
		t.Errorf("%d paths of the closure are missing: %q, %v", want, some, err)
	}
}

// TestDoctorSticks looks at a stick that this user may not write, and at one that is mounted.
func TestDoctorSticks(t *testing.T) {
	s := newStick(t, 8*mib)
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	find := func(e examination, path string) string {
		for _, c := range e.Checks {
			if c.Name == "sticks" && strings.Contains(c.Text, path+" ") || strings.Contains(c.Text, path+",") {
				return c.State + " " + c.Text + " " + c.Hint
			}
		}
		return ""
	}
	e, _ := call{}.doctor(t, "--for", "write")
	if got := find(e, s.path); got != "good "+s.path+", 8.4 MB, can be written " {
		t.Errorf("a stick: %q", got)
	}
	e, _ = call{with: nobody, dir: "/"}.doctor(t, "--for", "write")
	if got := find(e, s.path); got != "warning opening "+s.path+" needs the rights of root sudo livebuild write IMAGE "+s.path {
		t.Errorf("a stick of others: %q", got)
	}
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", s.path)
	mounted := mount(t, s.path)
	e, _ = call{}.doctor(t, "--for", "write")
	if got := find(e, s.path); !strings.Contains(got, "is mounted at "+mounted) || !strings.Contains(got, "--unmount") {
		t.Errorf("a mounted stick: %q", got)
	}
}
