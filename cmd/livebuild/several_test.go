package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
)

// severalResult is what 'livebuild iso --json' prints of an image with several systems.
type severalResult struct {
	result
	Systems []struct {
		Configuration, System, Toplevel string
		Default                         bool
		Store                           share
	}
}

// severalISO writes an image of configurations of the test flake.
func severalISO(t testing.TB, names []string, args ...string) severalResult {
	t.Helper()
	for _, name := range names[1:] {
		args = append(args, miniFlake(t)+"#"+name)
	}
	file := filepath.Join(t.TempDir(), "image.iso")
	o := livebuild(t, append([]string{"iso", miniFlake(t) + "#" + names[0], "-o", file, "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso %q: status %d\n%s", names, o.status, o.stderr)
	}
	var r severalResult
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("livebuild iso --json printed %q: %v", o.stdout, err)
	}
	if len(r.Systems) != len(names) {
		t.Fatalf("the systems are %+v, want %q", r.Systems, names)
	}
	return r
}

// mediumOfThree are configurations with one kernel: an ordinary one, one with a specialisation, and that
// of a host, which is made live and gets the volume ID of the first.
var mediumOfThree = []string{"mini", "mini-special", "mini-host"}

// TestSeveral looks at an image with three systems.
func TestSeveral(t *testing.T) {
	t.Parallel()
	r := severalISO(t, mediumOfThree, "--default", "mini-special", "--sbom", "spdx,cyclonedx")
	if r.VolumeID != "MINI_LIVE" || r.Systems[0].Default || !r.Systems[1].Default {
		t.Errorf("%+v", r)
	}
	// What all share is there once, and each adds what only it has.
	known := map[string]bool{}
	for _, s := range r.Systems {
		paths, added := closureOf(t, s.Toplevel), 0
		for _, p := range paths {
			if !known[p] {
				known[p] = true
				added++
			}
		}
		if s.Store.StorePaths != len(paths) || s.Store.AddedPaths != added {
			t.Errorf("%s takes %+v, and has %d store paths, of which %d are new", s.Configuration, s.Store, len(paths), added)
		}
	}
	if r.StorePaths != len(known) {
		t.Errorf("the image has %d store paths, want %d", r.StorePaths, len(known))
	}
	p := plan(t, miniFlake(t)+"#mini", miniFlake(t)+"#mini-special", miniFlake(t)+"#mini-host", "--default", "mini-special")
	for n, s := range p.Systems {
		if s.Store == nil || *s.Store != r.Systems[n].Store {
			t.Errorf("%s: the plan says %+v, the image has %+v", s.Configuration, s.Store, r.Systems[n].Store)
		}
	}
	// The same bytes come of an earlier image of one system.
	one := iso(t, "mini")
	again := severalISO(t, mediumOfThree, "--default", "mini-special", "--reuse", one.File)
	if again.SHA256 != r.SHA256 || again.ReusedBytes == nil || *again.ReusedBytes == 0 {
		t.Errorf("packed from an image of one system it is another: %+v", again)
	}
	against := []string{"verify", r.File}
	for _, name := range mediumOfThree {
		against = append(against, "--against", miniFlake(t)+"#"+name)
	}
	if o := livebuild(t, against...); o.status != 0 {
		t.Errorf("%q: status %d\n%s%s", against, o.status, o.stdout, o.stderr)
	}
	if o := livebuild(t, "verify", r.File, "--rebuild"); o.status == 0 || !strings.Contains(o.stderr, "folder of one machine") {
		t.Errorf("it is rebuilt from what it says: %s", o.stderr)
	}
	rebuild := []string{"verify", "--rebuild"}
	for _, name := range mediumOfThree {
		rebuild = append(rebuild, miniFlake(t)+"#"+name)
	}
	if o := livebuild(t, append(rebuild, r.File)...); o.status != 0 {
		t.Errorf("rebuilt it is another: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	for _, suffix := range []string{".spdx.json", ".cdx.json"} {
		bill := string(readFile(t, r.File+suffix))
		for _, s := range r.Systems {
			if !strings.Contains(bill, s.Configuration) || !strings.Contains(bill, s.Toplevel) {
				t.Errorf("the bill %s does not tell of %s", suffix, s.Configuration)
			}
		}
	}
	inspected := livebuild(t, "inspect", r.File)
	for _, want := range []string{"mini: Mini ", "mini-special: Mini ", "mini-host: "} {
		if !strings.Contains(inspected.stdout, want) {
			t.Errorf("inspect does not show %q:\n%s", want, inspected.stdout)
		}
	}
	if o := livebuild(t, "diff", one.File, r.File); o.status != 0 || !strings.Contains(o.stdout, "mini-special") {
		t.Errorf("diff: status %d\n%s", o.status, o.stdout)
	}
	// A stamp is for all of them, and leaves nothing behind.
	stamped := copyOf(t, r.File)
	stampOf(t, stamped, "--hostname", "lab")
	if o := livebuild(t, "verify", stamped, "--sha256", r.SHA256); o.status != 0 || !strings.Contains(o.stdout, "stamped after it was built: host name\n") {
		t.Errorf("stamped: verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	stampOf(t, stamped, "--reset")
	if sha256Of(readFile(t, stamped)) != r.SHA256 {
		t.Error("--reset does not give the image back")
	}
	m := readMedium(t, readFile(t, r.File))
	paper, err := m.Manifest()
	if err != nil || len(paper.Configurations()) != len(mediumOfThree) || paper.Default != "mini-special" {
		t.Errorf("the manifest is %+v, %v", paper, err)
	}
	if o := livebuild(t, "test", r.File, "--choose", "absent"); o.status != 1 || !strings.Contains(o.stderr, "name one of mini, mini-special, mini-host") {
		t.Errorf("test --choose: status %d\n%s", o.status, o.stderr)
	}
	if o := livebuild(t, "run", one.File, "--choose", "mini"); o.status != 1 || !strings.Contains(o.stderr, "leave --choose out") {
		t.Errorf("run --choose: status %d\n%s", o.status, o.stderr)
	}
}

// TestSeveralSecureBoot signs what starts each of several systems, and stamps it, kernel parameters included.
func TestSeveralSecureBoot(t *testing.T) {
	t.Parallel()
	keys := newBootKeys(t)
	r := severalISO(t, mediumOfThree[:2], keys.flags("--stamp-params", "--compression", "lz4")...)
	signed := func(what string) {
		t.Helper()
		if o := livebuild(t, "verify", r.File); o.status != 0 {
			t.Errorf("%s: verify: status %d\n%s%s", what, o.status, o.stdout, o.stderr)
		}
		o := livebuild(t, "inspect", r.File)
		if o.status != 0 || !strings.Contains(o.stdout, "Secure Boot") {
			t.Errorf("%s: inspect: status %d\n%s%s", what, o.status, o.stdout, o.stderr)
		}
	}
	signed("as built")
	// Its menu cannot be changed, so what is chosen there cannot be started, and what starts is not taken for it.
	for _, args := range [][]string{{"test", "--modes", "uefi-cd"}, {"run", "--uefi", "--display", "none"}} {
		o := livebuild(t, append(args, r.File, "--choose", "mini-special")...)
		if o.status == 0 || !strings.Contains(o.stderr, "mini-special cannot be started as uefi-cd: another system starts by itself, and its boot menu is signed") {
			t.Errorf("%q: status %d\n%s%s", args, o.status, o.stdout, o.stderr)
		}
	}
	built := readFile(t, r.File)
	checkRefusal(t, livebuild(t, "stamp", r.File, "--kernel-param", "quiet"), 1, "is signed for Secure Boot", "--signing-key")
	stampOf(t, r.File, "--kernel-param", "quiet", "--hostname", "lab", "--signing-key", keys.signing)
	signed("stamped")
	data := readFile(t, r.File)
	for _, name := range []string{medium.StampArea, medium.StampParams} {
		if f, err := readMedium(t, data).Files().Find(name + ".sig"); err != nil || bytes.Equal(data[f.At(0):f.At(0)+f.Size], built[f.At(0):f.At(0)+f.Size]) {
			t.Errorf("%s has the signature that it had: %v", name, err)
		}
	}
	// Whoever changes the words has no key.
	writeFile(t, r.File, bytes.Replace(data, []byte(medium.ParamsVariable+"=quiet\n"), []byte(medium.ParamsVariable+"=Quiet\n"), 1))
	if o := livebuild(t, "verify", r.File); o.status != 4 {
		t.Errorf("changed words: verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	writeFile(t, r.File, data)
	stampOf(t, r.File, "--reset", "--signing-key", keys.signing)
	if !bytes.Equal(readFile(t, r.File), built) {
		t.Error("--reset does not give the image back")
	}
}

var allSystems = flag.Bool("systems", false, "boot every system of images with several in every mode")

// TestBootSeveral boots systems of images with several: with -systems each in every mode, those for
// two platforms, too.
func TestBootSeveral(t *testing.T) {
	t.Parallel()
	media := [][]string{mediumOfThree}
	if *allSystems {
		needEmulation(t)
		media = append(media, []string{"mini", "mini-arm"}, []string{"mini-board", "mini-special"})
	}
	for _, names := range media {
		r := severalISO(t, names, "--default", names[1])
		tries := [][]string{nil}
		if !*allSystems {
			tries = [][]string{{"--choose", names[2], "--modes", "bios-cd"}, {"--choose", names[1], "--modes", "uefi-usb"}}
		}
		for _, try := range tries {
			logs := t.TempDir()
			// The mini system finds more in the store than is its own, which is all that it may find.
			b, _ := testImage(t, 0, r.File, append(try, "--logs", logs, "--expect", "MINI-OVERLAY writable")...)
			for _, boot := range b.Boots {
				n := slices.Index(names, boot.Configuration)
				if n < 0 || !boot.Passed {
					t.Errorf("boot = %+v", boot)
					continue
				}
				console := string(readFile(t, boot.Log))
				want := regexp.MustCompile("MINI-CMDLINE .*init=" + regexp.QuoteMeta(r.Systems[n].Toplevel) + "/init")
				if !want.MatchString(console) {
					t.Errorf("%s %s: another system started:\n%s", boot.Configuration, boot.Mode, console)
				}
				for _, check := range []string{"registered-and-present", "owners", "manifest", "read-errors"} {
					if !strings.Contains(console, "MINI-CHECK ok "+check) {
						t.Errorf("%s %s: not right: %s\n%s", boot.Configuration, boot.Mode, check, console)
					}
				}
				if strings.Contains(console, "MINI-DIFF -/") {
					t.Errorf("%s %s: the store lacks something\n%s", boot.Configuration, boot.Mode, console)
				}
			}
		}
	}
}
