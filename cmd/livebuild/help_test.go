package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// nixFlags are those that the program passes on.
var nixFlags = []string{"--override-input", "--impure", "--option", "--accept-flake-config", "--refresh", "--offline",
	"--no-write-lock-file", "--builders", "-I, --include", "--show-trace", "--max-jobs", "--store", "--eval-store"}

func TestHelp(t *testing.T) {
	common := slices.Concat([]string{"-f, --file", "--no-live", "--image-variant", "--module", "--volume-id", "--kernel-param", "--ssh-key", "--static-ip",
		"-v, --verbose", "--progress", "-h, --help"}, nixFlags)
	planFlags := append([]string{"--compression", "--json"}, common...)
	guestFlags := []string{"--memory", "--no-network"}
	bootFlags := append([]string{"--modes", "--expect", "--reject", "--logs"}, guestFlags...)
	benchFlags := append([]string{"--compression", "--sample", "--jobs", "--json"}, common...)
	stickFlags := []string{"--yes", "--serial", "--unmount", "--full", "--no-verify", "--eject", "--stall-timeout"}
	isoFlags := slices.Concat([]string{"-o, --output", "--force", "--jobs", "--reuse", "--dry-run", "--write", "--test", "--test-timeout"}, stickFlags, bootFlags, planFlags)
	writeFlags := append([]string{"livebuild write IMAGE DEVICE... [flags]", "--verify-only", "--sha256", "--json"}, stickFlags...)
	runFlags := slices.Concat([]string{"--bios", "--uefi", "--usb", "-m, --memory", "--ssh", "--disk", "--console", "--display",
		"--print", "--no-network", "--compression"}, common)
	testFlags := append([]string{"--timeout", "--jobs", "--junit", "--json"}, bootFlags...)
	tests := map[string]struct {
		args  []string
		texts []string
	}{
		"root":           {[]string{"--help"}, []string{"iso ", "plan ", "version ", "bench ", "devices ", "write ", "run ", "test ", "completion ", "--version", "-v, --verbose", "--progress", "3 an image did not boot", "130"}},
		"nothing":        {nil, []string{"Usage:", "iso ", "plan "}},
		"iso":            {[]string{"iso", "--help"}, append([]string{"livebuild iso INSTALLABLE [flags]"}, isoFlags...)},
		"plan":           {[]string{"plan", "-h"}, append([]string{"livebuild plan INSTALLABLE [flags]"}, planFlags...)},
		"devices":        {[]string{"devices", "--help"}, []string{"livebuild devices [flags]", "--json"}},
		"write":          {[]string{"write", "--help"}, writeFlags},
		"bench":          {[]string{"bench", "--help"}, append([]string{"livebuild bench INSTALLABLE [flags]"}, benchFlags...)},
		"run":            {[]string{"run", "--help"}, append([]string{"livebuild run IMAGE|INSTALLABLE [flags]"}, runFlags...)},
		"test":           {[]string{"test", "--help"}, append([]string{"livebuild test IMAGE [flags]"}, testFlags...)},
		"help of a verb": {[]string{"help", "iso"}, isoFlags},
		"version":        {[]string{"--version"}, []string{"livebuild "}},
		"verb version":   {[]string{"version"}, []string{"livebuild "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := livebuild(t, test.args...)
			if o.status != 0 || o.stderr != "" {
				t.Errorf("status %d, standard error %q", o.status, o.stderr)
			}
			for _, text := range test.texts {
				if !strings.Contains(o.stdout, text) {
					t.Errorf("the help lacks %q:\n%s", text, o.stdout)
				}
			}
		})
	}
}

// TestCompletion has each shell that is here read the script for it.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		o := livebuild(t, "completion", shell)
		if o.status != 0 || !strings.Contains(o.stdout, "livebuild") {
			t.Errorf("completion %s: status %d\n%s", shell, o.status, o.stderr)
		}
		if shell != "bash" {
			continue
		}
		check := exec.Command("bash", "-n")
		check.Stdin = strings.NewReader(o.stdout)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("bash cannot read its completion: %v\n%s", err, out)
		}
	}
	for prefix, want := range map[string]string{"": "iso\t", "is": "iso\t", "pl": "plan\t", "r": "run\t", "t": "test\t"} {
		if o := livebuild(t, "__complete", prefix); !strings.Contains(o.stdout, want) {
			t.Errorf("%q is completed to %q, want %q in it", prefix, o.stdout, want)
		}
	}
	if o := livebuild(t, "__complete", "iso", "--comp"); !strings.Contains(o.stdout, "--compression") {
		t.Errorf("--comp is completed to %q", o.stdout)
	}
}

// TestReadme checks that the commands of the README are those that there are.
func TestReadme(t *testing.T) {
	commands := 0
	for line := range strings.Lines(string(readFile(t, "../../README.md"))) {
		code, isCode := strings.CutPrefix(line, "    ")
		code = strings.TrimSpace(code)
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(code, "$ "), "bin/"), "livebuild ")
		if strings.HasPrefix(line, "```") {
			t.Fatal("the README has code between fences, which this test does not read")
		}
		if !isCode || !ok {
			continue
		}
		commands++
		for _, end := range []string{" #", "|", ">", "&&", ";"} {
			rest, _, _ = strings.Cut(rest, end)
		}
		split := exec.Command("sh", "-fc", `printf '%s\n' `+rest)
		words, err := split.Output()
		if err != nil {
			t.Errorf("%s: no command of a shell: %v", code, err)
			continue
		}
		// With --help the flags are read, and nothing is done.
		args := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
		end := slices.Index(append(args, "--"), "--")
		args = slices.Insert(args, end, "--help")
		o := livebuild(t, args...)
		if o.status != 0 || !strings.HasPrefix(args[0], "-") && !strings.Contains(o.stdout, "livebuild "+args[0]+" ") {
			t.Errorf("%s: status %d\n%s", code, o.status, o.stderr)
		}
	}
	if commands == 0 {
		t.Error("the README shows no command")
	}
}
